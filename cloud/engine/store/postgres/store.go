package postgres

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/queue"
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

// steps are the scripts that lead to each version, the first from an empty
// schema. A step that was released is never changed.
var steps = []string{schema1, schema2, schema3, schema4, schema5, schema6}

// Version is the schema's version that this program reads and writes.
const Version = 6

// maxReaders bounds the connections for View.
const maxReaders = 4

// Store is an open store. It implements [engine.Store].
type Store struct {
	place   place
	origin  string // see originOf
	keys    lockKeys
	id      string // of this process among the writers
	queue   *queue.Queue
	once    sync.Once
	writer  *writer
	readers chan *conn
}

var _ engine.Store = (*Store)(nil)

// Stats are counts for the operator.
func (s *Store) Stats() queue.Stats { return s.queue.Stats() }

// Init makes an engine in a database, with a key that exists. The schema may
// be there, but no engine in it: Conflict.
func Init(ctx context.Context, given string, key seal.Key, with engine.Setup) error {
	p, err := parse(given)
	if err != nil {
		return err
	}
	pg, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = pg.Close(context.WithoutCancel(ctx)) }()
	if err := p.suited(ctx, pg); err != nil {
		return err
	}
	if err := migrate(ctx, pg, p.schema, steps, true); err != nil {
		return err
	}
	s, err := Open(ctx, given)
	if err != nil {
		return err
	}
	err = engine.Init(ctx, s, key, with)
	if end := s.Close(); err == nil {
		err = end
	}
	return err
}

// Open opens a store that exists. Errors are *cloud.Error with advice:
// Invalid (the address), NotFound (no database, or no store in it),
// Unsupported (of a newer program, or a server that is not suited), Conflict
// (the tables were brought back from a copy), Denied, Unavailable.
func Open(ctx context.Context, given string) (*Store, error) { return open(ctx, given, false) }

// OpenRestored is Open also of tables that were brought back from a copy, for
// [engine.Restore], which makes them safe.
func OpenRestored(ctx context.Context, given string) (*Store, error) { return open(ctx, given, true) }

func open(ctx context.Context, given string, restored bool) (*Store, error) {
	p, err := parse(given)
	if err != nil {
		return nil, err
	}
	p.survey(ctx)
	pg, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = pg.Close(context.WithoutCancel(ctx)) }()
	if err := p.suited(ctx, pg); err != nil {
		return nil, err
	}
	if err := migrate(ctx, pg, p.schema, steps, false); err != nil {
		return nil, err
	}
	keys, err := keysOf(ctx, pg, p.schema)
	if err != nil {
		return nil, err
	}
	origin, err := originOf(ctx, pg, p.schema)
	if err == nil && !restored {
		err = original(ctx, pg, p.schema, origin)
	}
	if err != nil {
		return nil, err
	}
	random := make([]byte, 16)
	rand.Read(random)
	s := &Store{place: p, origin: origin, keys: keys, id: hex.EncodeToString(random), queue: queue.New(maxGroup),
		readers: make(chan *conn, maxReaders)}
	s.writer = &writer{store: s, c: &conn{place: p}, end: &chainEnd{}, patience: resolvePatience, turns: turnLimit}
	for range maxReaders {
		s.readers <- &conn{place: p, first: firstPatience}
	}
	go s.writer.run()
	return s, nil
}

// lockKeys are the numbers under which this store is locked in the database.
type lockKeys struct {
	write, run int64
	channel    string // of NOTIFY
}

// Kinds of locks, beside the constant and the schema's number in a key.
const (
	lockWrite = 1
	lockRun   = 2
	lockMake  = 3
)

func lockKey(kind, schema int64) int64 { return 0x4d46<<48 | kind<<32 | schema }

func keysOf(ctx context.Context, pg *pgconn.PgConn, schema string) (lockKeys, error) {
	text, err := value(ctx, pg, "SELECT oid FROM pg_namespace WHERE nspname = '"+schema+"'")
	if err != nil {
		return lockKeys{}, err
	}
	oid, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return lockKeys{}, missing(schema)
	}
	return lockKeys{write: lockKey(lockWrite, oid), run: lockKey(lockRun, oid), channel: fmt.Sprintf("mfabridge_%d", oid)}, nil
}

func missing(schema string) error {
	return hint.Wrap(&cloud.Error{Kind: cloud.NotFound, Message: "there is no store in the schema " + schema + " of the database"},
		"make one with: mfabridge engine init --store postgres://… --engine-key file:PATH")
}

// migrate brings the schema to the version that steps lead to, in one
// transaction, under a lock: whoever opens it at the same moment waits, and
// finds it done. An empty schema is filled only where make is set.
func migrate(ctx context.Context, pg *pgconn.PgConn, schema string, steps []string, make bool) error {
	version, err := versionOf(ctx, pg, schema, len(steps))
	if err != nil || version == len(steps) {
		return err
	}
	if version == 0 && !make {
		return missing(schema)
	}
	run := func(script string) error {
		_, err := pg.Exec(ctx, script).ReadAll()
		return failure(err)
	}
	// Who brings it forward may take long; the tables are waited for as ever, since
	// those at work wait behind us.
	begin := fmt.Sprintf("BEGIN; %s; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(%d); SET LOCAL lock_timeout = %d",
		sqlUnhurried, lockKey(lockMake, 0), lockLimit.Milliseconds())
	if err := run(begin); err != nil {
		return err
	}
	if version, err = versionOf(ctx, pg, schema, len(steps)); err == nil && version == 0 {
		err = makeSchema(ctx, pg, schema)
	}
	for ; err == nil && version < len(steps); version++ {
		err = run(steps[version])
	}
	if err == nil {
		err = run(fmt.Sprintf("UPDATE store_version SET version = %d; COMMIT", len(steps)))
	}
	if err != nil {
		_ = run("ROLLBACK")
		return hint.Default(&cloud.Error{Kind: cloud.KindOf(err), Message: "the store could not be brought to this version", Err: err},
			"the schema has to be empty or a store, and its user may create tables")
	}
	return nil
}

// makeSchema makes a schema unless it is there, which needs a right that one who
// was given a schema need not have.
func makeSchema(ctx context.Context, pg *pgconn.PgConn, schema string) error {
	there, err := value(ctx, pg, "SELECT oid FROM pg_namespace WHERE nspname = '"+schema+"'")
	if err != nil || there != "" {
		return err
	}
	_, err = pg.Exec(ctx, "CREATE SCHEMA "+schema).ReadAll()
	return failure(err)
}

// versionOf is the version of the schema, up to the one that is known; 0: there is
// no store in it. It looks into the catalogue as into any table: to_regclass may
// remember within a transaction that there was none, when another process has just
// made it.
func versionOf(ctx context.Context, pg *pgconn.PgConn, schema string, known int) (int, error) {
	there, err := value(ctx, pg, "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'store_version' AND n.nspname = '"+schema+"'")
	if err != nil || there == "" {
		return 0, err
	}
	text, err := value(ctx, pg, "SELECT version FROM "+schema+".store_version")
	if err != nil {
		return 0, err
	}
	version, err := strconv.Atoi(text)
	switch {
	case err != nil || version < 1:
		return 0, &cloud.Error{Kind: cloud.Unsupported, Message: "the store does not say its version"}
	case version > known:
		return 0, hint.Wrap(&cloud.Error{Kind: cloud.Unsupported,
			Message: fmt.Sprintf("the store has schema %d, this program knows up to %d", version, known)}, "use a newer mfabridge")
	}
	return version, nil
}

// Close lets the waiting updates finish and ends all connections.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.queue.Close()
		for range maxReaders {
			(<-s.readers).close()
		}
		s.writer.c.close()
	})
	return nil
}
