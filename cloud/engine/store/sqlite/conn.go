package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/store/rows"
	"mfabridge/internal/hint"
)

// busyTimeout is how long a connection waits for another process, in ms.
const busyTimeout = 10_000

// conn is one connection of the driver with its prepared statements. The
// driver is used without database/sql: every connection has one user at a
// time, and the layer between would cost more than the statements.
type conn struct {
	raw   *sqlite3.SQLiteConn
	stmts map[string]*statement
	row   row // reused by query
	args  []driver.NamedValue
	walks bool              // rows of the audit were read: see tidyUp
	heads *heads            // of the audit, by the writer; nil: to be read
	meta  map[string][]byte // what this transaction has read of meta, by the writer

	// By the writer.
	recent  recent
	late    late
	manies  map[manyKey]string // see many
	version int64              // of the data in this transaction; 0: not asked yet
}

// statement is a prepared one, with the number of its columns once it has given
// rows.
type statement struct {
	*sqlite3.SQLiteStmt
	columns int
}

// row implements [rows.Row] on what the driver gives.
type row struct {
	values []driver.Value
	at     int
}

func (r *row) next() driver.Value {
	r.at++
	return r.values[r.at-1]
}

func (r *row) Number() int64 { n, _ := r.next().(int64); return n }
func (r *row) Text() string  { s, _ := r.next().(string); return s }
func (r *row) Bytes() []byte { b, _ := r.next().([]byte); return b }

// dial opens a file that exists, read-write or read-only, with a journal mode
// or none to leave it; patience is how long it waits for other processes, in
// ms. Functions and virtual tables in a planted schema are not trusted.
func dial(path, mode, journal string, patience int) (*conn, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: fmt.Sprintf("mode=%s&_mutex=no&_busy_timeout=%d", mode, patience)}
	if !strings.HasPrefix(u.Path, "/") { // a drive letter
		u.Path = "/" + u.Path
	}
	opened, err := new(sqlite3.SQLiteDriver).Open(u.String())
	if err != nil {
		return nil, err
	}
	c := &conn{raw: opened.(*sqlite3.SQLiteConn), stmts: map[string]*statement{}}
	pragmas := "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA cache_size=-4096;"
	if journal != "" {
		pragmas += "PRAGMA journal_mode=" + journal + ";"
	}
	if mode == "ro" {
		pragmas += "PRAGMA query_only=ON;"
	}
	if err := c.script(pragmas); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// busyPause is how long is waited where SQLite does not wait by itself.
const busyPause = 10 * time.Millisecond

// toLog has the file written through a log (WAL) from now on, as it mostly is
// already. Where it is not, whoever else opens it just then reads it, too: SQLite
// refuses both at once, since neither could ever wait for the other.
func (c *conn) toLog() error {
	for begun := time.Now(); ; time.Sleep(busyPause) {
		err := c.script("PRAGMA journal_mode=WAL")
		if e, ok := errors.AsType[sqlite3.Error](err); !ok || e.Code != sqlite3.ErrBusy || time.Since(begun) > busyTimeout*time.Millisecond {
			return err
		}
	}
}

// script runs statements without arguments.
func (c *conn) script(text string) error {
	_, err := c.raw.Exec(text, nil)
	return err
}

// prepared returns the statement of a text, prepared once a connection.
func (c *conn) prepared(text string) (*statement, error) {
	if stmt, ok := c.stmts[text]; ok {
		return stmt, nil
	}
	made, err := c.raw.Prepare(text)
	if err != nil {
		return nil, err
	}
	stmt := &statement{SQLiteStmt: made.(*sqlite3.SQLiteStmt)}
	c.stmts[text] = stmt
	return stmt, nil
}

// named puts arguments into the form that the driver takes without making a
// slice each time. It copies them before it returns.
func (c *conn) named(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, arg := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: arg})
	}
	return c.args
}

// do runs a writing statement of which nobody counts the rows. It takes the
// driver's way for queries, which binds all arguments and makes the first step
// in one call of C, and so runs the whole of a statement that returns nothing.
func (c *conn) do(text string, args ...any) error {
	stmt, err := c.prepared(text)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(context.Background(), c.named(args))
	if err != nil {
		return err
	}
	return rows.Close()
}

// exec runs a writing statement and returns how many rows it changed.
func (c *conn) exec(text string, args ...any) (int64, error) {
	stmt, err := c.prepared(text)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(context.Background(), c.named(args))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// insert runs a statement that inserts one row and returns its number.
func (c *conn) insert(text string, args ...any) (int64, error) {
	stmt, err := c.prepared(text)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(context.Background(), c.named(args))
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// query runs a reading statement and hands each row to scan. The row is
// reused; what it gave is not.
func (c *conn) query(text string, scan func(rows.Row), args ...any) (err error) {
	stmt, err := c.prepared(text)
	if err != nil {
		return err
	}
	found, err := stmt.QueryContext(context.Background(), c.named(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	if stmt.columns == 0 {
		stmt.columns = len(found.Columns())
	}
	if cap(c.row.values) < stmt.columns {
		c.row.values = make([]driver.Value, stmt.columns)
	}
	c.row.values = c.row.values[:stmt.columns]
	for {
		switch err := found.Next(c.row.values); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		c.row.at = 0
		scan(&c.row)
	}
}

// tidyUp empties the page cache of who has read rows of the audit. It is walked
// through from one end to the other, and no page of it is read again soon: kept,
// they would fill the cache, and push out what logins read.
func (c *conn) tidyUp() error {
	if !c.walks {
		return nil
	}
	c.walks = false
	return c.script("PRAGMA shrink_memory")
}

// number reads one integer.
func (c *conn) number(text string) (n int64, err error) {
	err = c.query(text, func(row rows.Row) { n = row.Number() })
	return n, err
}

func (c *conn) close() error {
	var errs []error
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// unavailable is an error after which nothing was written.
func unavailable(message string, cause error) error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: message, Err: cause}
}

// exists refuses to replace a file.
func exists(path string) error {
	return hint.Wrap(&cloud.Error{Kind: cloud.Conflict, Message: path + " exists already"},
		"a store is never overwritten: choose another path, or move the file away")
}

// broken explains why a file could not be opened as a store.
func broken(path string, cause error) error {
	e, ok := errors.AsType[sqlite3.Error](cause)
	switch {
	case ok && (e.Code == sqlite3.ErrNotADB || e.Code == sqlite3.ErrCorrupt):
		return hint.Wrap(&cloud.Error{Kind: cloud.Invalid, Message: path + " is not an engine's store", Err: cause},
			"name the file that \"mfabridge engine init\" made")
	case ok && (e.Code == sqlite3.ErrReadonly || e.Code == sqlite3.ErrCantOpen || e.Code == sqlite3.ErrPerm):
		return hint.Wrap(&cloud.Error{Kind: cloud.Denied, Message: "the store cannot be opened for writing", Err: cause},
			"run as the user who owns the store and its folder")
	default:
		return unavailable("the store cannot be opened", cause)
	}
}

// failure puts an error of the driver into the one vocabulary. Errors that
// are *cloud.Error, or nobody's of ours, stay as they are.
func failure(err error) error {
	e, ok := errors.AsType[sqlite3.Error](err)
	if !ok {
		return err
	}
	if _, ours := errors.AsType[*cloud.Error](err); ours {
		return err
	}
	switch {
	case e.Code == sqlite3.ErrBusy, e.Code == sqlite3.ErrLocked:
		return unavailable("the store is held by another process", err)
	case e.Code == sqlite3.ErrReadonly, e.Code == sqlite3.ErrCantOpen, readOnly(e.SystemErrno):
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "the store cannot be written", Lasting: true, Err: err},
			"make the store and its folder writable for this user")
	}
	if full(e) {
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "the disk of the store is full", Lasting: true, Err: err},
			"make room on the disk of the store, or raise the quota")
	}
	switch e.Code {
	case sqlite3.ErrIoErr, sqlite3.ErrNomem, sqlite3.ErrInterrupt:
		return unavailable("the store cannot be read or written", err)
	default:
		return &cloud.Error{Kind: cloud.Internal, Message: "the store failed", Err: err}
	}
}

// full tells that there is no room: on the disk, within a quota or within the
// largest size of a file.
func full(e sqlite3.Error) bool {
	return e.Code == sqlite3.ErrFull || e.Code == sqlite3.ErrIoErr && noRoom(e.SystemErrno)
}
