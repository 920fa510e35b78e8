package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// Limits on waiting. They are settings of the session, so that the server
// keeps them also for a client that it cannot hear any more.
const (
	lockLimit      = 15 * time.Second // for the lock of writers
	statementLimit = 30 * time.Second
	idleLimit      = 10 * time.Second // between two statements of a transaction
	retryPause     = 100 * time.Millisecond
)

// connect makes the connection unless there is one. A server that is not there
// or not ready is tried again until ctx ends or dialPatience is over.
func (c *conn) connect() error {
	if !c.broken() {
		return nil
	}
	c.pg = nil
	limit, cancel := context.WithTimeout(c.ctx, dialPatience)
	defer cancel()
	for {
		pg, err := c.place.dial(limit)
		if err == nil {
			c.pg, c.stmts = pg, map[string]*pgconn.StatementDescription{}
			return nil
		}
		if !isPassing(err) {
			return err
		}
		select {
		case <-limit.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

// dialPatience is how long a transaction waits for a server to come back.
const dialPatience = 5 * time.Second

// dial makes one connection and sets its session up.
func (p place) dial(ctx context.Context) (*pgconn.PgConn, error) {
	pg, err := pgconn.ConnectConfig(ctx, p.config)
	if err != nil {
		return nil, unreachable(err)
	}
	setup := fmt.Sprintf("SET search_path = %s, pg_temp; SET lock_timeout = %d; SET statement_timeout = %d; "+
		"SET idle_in_transaction_session_timeout = %d; SET idle_session_timeout = 0; SET jit = off; SET enable_seqscan = off; "+
		"SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning; "+
		"SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
		p.schema, lockLimit.Milliseconds(), statementLimit.Milliseconds(), idleLimit.Milliseconds())
	if pg.ParameterStatus("server_version") < "14" && !strings.HasPrefix(pg.ParameterStatus("server_version"), "14") {
		setup = strings.Replace(setup, "SET idle_session_timeout = 0; ", "", 1)
	}
	if _, err := pg.Exec(ctx, setup).ReadAll(); err != nil {
		_ = pg.Close(ctx)
		return nil, failure(err)
	}
	return pg, nil
}

// suited says no to a server that would forget what it has confirmed, or
// cannot hold every text.
func suited(ctx context.Context, pg *pgconn.PgConn) error {
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
	return nil
}

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
	case ok && (e.Code == "28P01" || e.Code == "28000"):
		return hint.Wrap(&cloud.Error{Kind: cloud.Denied, Message: "the database does not let us in", Err: err},
			"check the user in the address, and the password in PGPASSFILE, ~/.pgpass or PGPASSWORD")
	case ok && e.Code == "3D000":
		return hint.Wrap(&cloud.Error{Kind: cloud.NotFound, Message: "there is no such database", Err: err}, "make it with: createdb --encoding=UTF8 NAME")
	default:
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "the database cannot be reached", Err: err},
			"see whether the server runs and takes connections from here")
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
	if e.Code == "53100" {
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "the disk of the database is full", Lasting: true, Err: err},
			"make room on the disk of the database server")
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
