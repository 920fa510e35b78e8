package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/sleep"
)

// Limits on waiting. They are settings of the session, so that the server
// keeps them also for a client that it cannot hear any more. A login may wait for
// two locks: that of writers, and that of a table which somebody has locked by
// hand; a RADIUS client must hear within the 10 seconds that it has. A node that
// hangs loses its turn before the others have waited in vain.
const (
	lockLimit      = 4 * time.Second
	statementLimit = 30 * time.Second
	idleLimit      = 3 * time.Second // between two statements of a transaction
	aliveEvery     = 10 * time.Second
	retryPause     = 100 * time.Millisecond
)

// connect makes the connection unless there is one. Servers that are not there
// or not ready are tried again until ctx ends or dialPatience is over; each of
// them has the time for it that its address gives it, also the last one of a
// list whose first is gone.
func (c *conn) connect() error {
	if !c.broken() {
		return nil
	}
	c.pg = nil
	limit, cancel := context.WithTimeout(c.ctx, dialPatience)
	defer cancel()
	for {
		pg, err := c.place.dial(c.ctx, func(config *pgconn.Config) {
			config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) { c.warned = true }
		})
		if err == nil {
			c.pg, c.stmts = pg, map[string]*pgconn.StatementDescription{}
			return nil
		}
		if !isPassing(err) {
			return err
		}
		if sleep.For(limit, retryPause) != nil {
			return err
		}
	}
}

// dialPatience is how long a transaction waits for a server to come back.
const dialPatience = 5 * time.Second

// dial makes one connection, of a configuration to which more is done, and sets
// its session up.
func (p place) dial(ctx context.Context, more ...func(*pgconn.Config)) (*pgconn.PgConn, error) {
	config := p.fresh()
	for _, do := range more {
		do(config)
	}
	p.lines.checked(config)
	pg, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, unreachable(err)
	}
	if _, err := pg.Exec(ctx, p.setup()).ReadAll(); err != nil {
		_ = pg.Close(ctx)
		return nil, failure(err)
	}
	return pg, nil
}

// setup is what makes a session ours, whatever the database, its user or the
// environment have for sessions. A client whose machine is gone loses its locks
// by keepalives, which the server sends of itself only after hours; of the last
// settings not every version has all.
func (p place) setup() string {
	return fmt.Sprintf("SET client_encoding = 'UTF8'; SET search_path = %s, pg_temp; SET lock_timeout = %d; SET statement_timeout = %d; "+
		"SET idle_in_transaction_session_timeout = %d; SET jit = off; SET enable_seqscan = off; "+
		"SET tcp_keepalives_idle = %d; SET tcp_keepalives_interval = %d; SET tcp_keepalives_count = 2; "+
		"SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning; "+
		"SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; "+
		"SELECT set_config(name, '0', false) FROM unnest(ARRAY['idle_session_timeout', 'transaction_timeout']) AS name WHERE current_setting(name, true) IS NOT NULL",
		p.schema, lockLimit.Milliseconds(), statementLimit.Milliseconds(), idleLimit.Milliseconds(),
		int(aliveEvery.Seconds()), int(aliveEvery.Seconds())/2)
}

// suited says no to a server that would forget what it has confirmed, or
// cannot hold every text, and to a pooler that keeps no sessions.
func (p place) suited(ctx context.Context, pg *pgconn.PgConn) error {
	if encoding := pg.ParameterStatus("server_encoding"); encoding != "UTF8" {
		return hint.Wrap(&cloud.Error{Kind: cloud.Unsupported, Message: "the database has the encoding " + encoding},
			"make one with: createdb --encoding=UTF8 --template=template0")
	}
	fsync, err := value(ctx, pg, "SHOW fsync")
	if err != nil {
		return err
	}
	if fsync != "on" {
		return hint.Wrap(&cloud.Error{Kind: cloud.Unsupported, Message: "the database server does not flush to disk: after a crash a code could be used again"},
			"set fsync = on in postgresql.conf")
	}
	return p.keeps(ctx, pg)
}

// keeps says no where two connections that are there at once end in one session
// of the server: a lock that one of them has would be the other's too.
func (p place) keeps(ctx context.Context, pg *pgconn.PgConn) error {
	other, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = other.Close(context.WithoutCancel(ctx)) }()
	one, err := value(ctx, pg, sqlSession)
	if err != nil {
		return err
	}
	two, err := value(ctx, other, sqlSession)
	if err != nil || two != one {
		return err
	}
	return hint.Wrap(&cloud.Error{Kind: cloud.Unsupported, Message: "a pooler in front of the database keeps no sessions, to which locks belong"},
		"have it keep them (PgBouncer: pool_mode=session), or connect to the server itself")
}

// sqlSession asks which session of the server's this is.
const sqlSession = "SELECT pg_backend_pid()"

// value is the one value that a statement returns, as text.
func value(ctx context.Context, pg *pgconn.PgConn, statement string) (string, error) {
	results, err := pg.Exec(ctx, statement).ReadAll()
	if err != nil {
		return "", failure(err)
	}
	if len(results) == 0 || len(results[0].Rows) == 0 {
		return "", nil
	}
	return string(results[0].Rows[0][0]), nil
}

// unreachable explains why there is no connection.
func unreachable(err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case errors.Is(err, errReplaced):
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: errReplaced.Message, Err: err},
			"stop it, or make it a standby of the one that took over, which must be reachable from here: what is written there would be lost")
	case ok && (e.Code == "28P01" || e.Code == "28000"):
		return hint.Wrap(&cloud.Error{Kind: cloud.Denied, Message: "the database does not let us in", Err: err},
			"check the user in the address, and the password in PGPASSFILE, ~/.pgpass or PGPASSWORD")
	case ok && e.Code == "42501":
		return hint.Wrap(&cloud.Error{Kind: cloud.Denied, Message: "the database's user may not connect to it", Err: err},
			"GRANT CONNECT ON DATABASE to the user in the address, or use another one")
	case ok && e.Code == "3D000":
		return hint.Wrap(&cloud.Error{Kind: cloud.NotFound, Message: "there is no such database", Err: err}, "make it with: createdb --encoding=UTF8 NAME")
	case ok && e.Code == "53300":
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "the database has no connection left for us", Err: err},
			fmt.Sprintf("raise max_connections, or the limit of the user: each process needs up to %d", maxReaders+3))
	default:
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "the database cannot be reached", Err: err},
			"see whether a server runs, takes connections from here, with TLS over a network, and is one that takes writes")
	}
}

// isPassing tells whether a connection is worth another try.
func isPassing(err error) bool { return cloud.KindOf(err) == cloud.Unavailable }

// unavailable is an error after which nothing was written.
func unavailable(message string, cause error) error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: message, Err: cause}
}

// failure puts an error of the driver into the one vocabulary.
func failure(err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*cloud.Error](err); ours {
		return err
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return unavailable("the connection to the database broke", err)
	}
	switch e.Code {
	case "53100":
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "the disk of the database is full", Lasting: true, Err: err},
			"make room on the disk of the database server")
	case codeLockTimeout:
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "somebody has locked the store, and did not let go in time", Err: err},
			"a VACUUM FULL, ALTER TABLE, LOCK or CREATE INDEX without CONCURRENTLY on a table of the store stops every login until it ends; "+
				"SELECT pid, query FROM pg_stat_activity WHERE pid IN (SELECT unnest(pg_blocking_pids(pid)) FROM pg_stat_activity) says who it is")
	case "25006":
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "the database takes no changes: it is read-only", Err: err},
			"see whether the server became a standby, or default_transaction_read_only was set there: services do that whose disk is nearly full")
	}
	switch e.Code[:2] {
	case "08", "40", "53", "55", "57", "58", "25": // connection, rollback, resources, locks, operator, system, state
		return unavailable("the database could not do it now", err)
	case "42":
		if e.Code == "42501" {
			return hint.Wrap(&cloud.Error{Kind: cloud.Denied, Message: "the database's user may not do that", Err: err},
				"connect as the user who owns the store")
		}
	}
	return &cloud.Error{Kind: cloud.Internal, Message: "the database refused a statement", Err: err}
}

// digestOf is a short name for a text.
func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}
