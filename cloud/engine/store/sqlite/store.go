package sqlite

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/queue"
	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
)

//go:embed schema1.sql
var schema1 string

//go:embed schema2.sql
var schema2 string

//go:embed schema3.sql
var schema3 string

//go:embed schema4.sql
var schema4 string

//go:embed schema5.sql
var schema5 string

//go:embed schema6.sql
var schema6 string

//go:embed schema7.sql
var schema7 string

//go:embed schema8.sql
var schema8 string

//go:embed schema9.sql
var schema9 string

//go:embed schema10.sql
var schema10 string

// Version is the schema's version that this program reads and writes.
const Version = 10

// steps are the scripts that lead to each version, the first from an empty
// file. A step that was released is never changed.
func steps() []string {
	return []string{schema1, schema2, schema3, schema4, schema5, schema6, schema7, schema8, schema9, schema10}
}

// applicationID marks a file as an engine's store: "MFBE".
const applicationID = 0x4d464245

// maxReaders bounds the connections for View. Each has a page cache.
const maxReaders = 4

// Store is an open store. It implements [engine.Store].
type Store struct {
	path    string
	files   files
	queue   *queue.Queue
	peeks   chan peek // of watchers
	seen    int64     // what the last of them was told
	once    sync.Once
	writer  *conn
	keeper  *conn         // see tend
	written chan struct{} // something was committed
	rest    chan struct{} // the writer is to make a checkpoint of the rest
	tended  chan struct{} // closed when tend has ended
	readers *pool
	count   int // of readers
	closed  error
}

var _ engine.Store = (*Store)(nil)

// Stats are counts for the operator.
func (s *Store) Stats() queue.Stats { return s.queue.Stats() }

// Options tune an open store. The zero value is right for a server.
type Options struct {
	// Cache is the writer's page cache in KiB; 0: 12 MiB. A bulk load in
	// random order of names wants 64 MiB and more.
	Cache int
}

// Create makes a store at path: it builds the schema in a temporary file
// beside it, hands the open store to fill, and gives the file its name when
// fill returned nil. If anything fails, nothing is left. A path that exists is
// refused with kind Conflict.
func Create(ctx context.Context, path string, fill func(*Store) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return exists(path)
	}
	f, err := durable.Beside(path)
	if err != nil {
		return hint.Wrap(unavailable("the store cannot be made", err), "the folder must exist and be writable")
	}
	temp := f.Name()
	defer func() { err = errors.Join(err, remove(temp)) }()
	if err := errors.Join(f.Chmod(0o600), f.Close(), build(temp)); err != nil {
		return unavailable("the store cannot be made", err)
	}
	s, err := Open(ctx, temp, Options{})
	if err != nil {
		return err
	}
	if err := errors.Join(fill(s), s.Close()); err != nil {
		return err
	}
	return publish(temp, path)
}

// build makes the schema in an empty file.
func build(path string) error {
	c, err := dial(path, "rw", "DELETE", busyTimeout)
	if err != nil {
		return err
	}
	return errors.Join(c.script(fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d; BEGIN; %s COMMIT;",
		applicationID, Version, strings.Join(steps(), "\n"))), c.close())
}

// publish gives a finished store its name, without ever replacing a file. What
// was written last must be in the file by then: SQLite moves it there from the
// log when the store is closed, and where it cannot it leaves the log and says
// nothing.
func publish(temp, path string) error {
	switch log, err := os.Stat(temp + "-wal"); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return unavailable("the store's log cannot be looked at", err)
	case log.Size() > 0:
		return hint.Wrap(unavailable("the store could not be finished", errors.New("what was written last did not go into its file")),
			"make room on the disk of the store, or raise the quota")
	}
	if err := durable.Place(temp, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return exists(path)
		}
		return unavailable("the store cannot be given its name", err)
	}
	if err := durable.SyncFolder(filepath.Dir(path)); err != nil {
		return unavailable("the store's name cannot be made durable", err)
	}
	return nil
}

// remove deletes a store's files as far as they exist.
func remove(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Open opens a store that exists. Errors are *cloud.Error with advice:
// NotFound, Unsupported (of a newer program), Invalid (not a store), Denied
// (not readable or writable), Unavailable.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, unavailable("the store was not opened", err)
	}
	if err := reachable(path); err != nil {
		return nil, err
	}
	given := path
	path, err := filepath.EvalSymlinks(given) // beside the file itself stand its log and the lock of whoever comes by another name
	if err != nil {
		return nil, unavailable("the store cannot be looked at", err)
	}
	w, err := openWriter(path, o)
	if err != nil {
		return nil, err
	}
	opened, err := lookedAt(given, path)
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	s := &Store{path: path, files: opened, writer: w, queue: queue.New(maxGroup), peeks: make(chan peek),
		readers: newPool(maxReaders),
		written: make(chan struct{}, 1), rest: make(chan struct{}), tended: make(chan struct{})}
	for range maxReaders {
		r, err := dial(path, "ro", "", busyTimeout)
		if err != nil {
			return nil, errors.Join(broken(path, err), s.closeConns())
		}
		s.readers.give(r)
		s.count++
	}
	if s.keeper, err = dial(path, "rw", "", busyTimeout); err == nil {
		err = s.keeper.script("PRAGMA synchronous=FULL")
	}
	if err != nil {
		return nil, errors.Join(broken(path, err), s.closeConns())
	}
	go s.write()
	go s.tend()
	return s, nil
}

// openWriter opens the writing connection and checks whose file it is.
func openWriter(path string, o Options) (*conn, error) {
	w, err := dial(path, "rw", "", busyTimeout)
	if err != nil {
		return nil, broken(path, err)
	}
	version, err := owned(w, path)
	if err == nil && version < Version {
		err = migrate(w)
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	if o.Cache <= 0 {
		o.Cache = 12 << 10
	}
	if err = w.toLog(); err == nil {
		err = w.script(fmt.Sprintf("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=%d; "+
			"PRAGMA journal_size_limit=67108864; PRAGMA secure_delete=FAST; PRAGMA cache_size=-%d; BEGIN IMMEDIATE; COMMIT", maxLog, o.Cache))
	}
	if err != nil {
		return nil, errors.Join(broken(path, err), w.close())
	}
	return w, nil
}

// reachable checks that the file is there and may be written by us.
func reachable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hint.Wrap(&cloud.Error{Kind: cloud.NotFound, Message: "there is no store at " + path},
			"make one with: mfabridge engine init")
	case errors.Is(err, fs.ErrPermission):
		return hint.Wrap(&cloud.Error{Kind: cloud.Denied, Message: "the store cannot be looked at", Err: err},
			"run as the user who owns the store, or correct the path")
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ELOOP):
		return hint.Wrap(&cloud.Error{Kind: cloud.Invalid, Message: "no store can be there", Err: err}, "correct the path")
	case err != nil:
		return unavailable("the store cannot be looked at", err)
	case !info.Mode().IsRegular():
		return hint.Wrap(&cloud.Error{Kind: cloud.Invalid, Message: path + " is not a file"}, "name the store's file")
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return hint.Wrap(&cloud.Error{Kind: cloud.Denied, Message: "the store cannot be opened for writing", Err: err},
			"run as the user who owns the store, on a file system that can be written")
	}
	return f.Close()
}

// owned checks that the file is an engine's store of a version that is known,
// and returns the version.
func owned(c *conn, path string) (int64, error) {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return 0, broken(path, err)
	}
	version, err := c.number("PRAGMA user_version")
	switch {
	case err != nil:
		return 0, broken(path, err)
	case id != applicationID:
		return 0, hint.Wrap(&cloud.Error{Kind: cloud.Invalid, Message: path + " is not an engine's store"},
			"name the file that \"mfabridge engine init\" made")
	case version > Version:
		return 0, hint.Wrap(&cloud.Error{Kind: cloud.Unsupported,
			Message: fmt.Sprintf("the store has schema %d, this program knows up to %d", version, Version)}, "use a newer mfabridge")
	case version < 1:
		return 0, &cloud.Error{Kind: cloud.Unsupported, Message: fmt.Sprintf("the store has schema %d, which never was released", version)}
	}
	return version, nil
}

// migrate brings an older store to this version in one transaction: whoever
// opens it at the same moment waits, and finds it done.
func migrate(c *conn) (err error) {
	if _, err := c.exec(sqlBegin); err != nil {
		return failure(err)
	}
	version, err := c.number("PRAGMA user_version")
	for ; err == nil && version < Version; version++ {
		err = c.script(steps()[version])
	}
	if err == nil {
		err = c.script(fmt.Sprintf("PRAGMA user_version=%d; COMMIT", Version))
	}
	if err != nil && !c.raw.AutoCommit() {
		err = errors.Join(err, c.script(sqlRollback))
	}
	if err != nil {
		return unavailable("the store could not be brought to this version", err)
	}
	return nil
}

// Close lets the waiting updates finish and closes the file.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.queue.Close()
		<-s.tended
		s.closed = s.closeConns()
	})
	return s.closed
}
