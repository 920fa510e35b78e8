package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
)

// line is a line of a database's history: its timeline, of a cluster. A standby
// that takes over begins a new one, with a higher number; the zero line is one
// that a server does not tell.
type line struct{ cluster, timeline string }

// sqlLine asks a server that takes writes for its line: the first eight digits
// of the file that it writes to, in hexadecimal.
const sqlLine = "SELECT system_identifier || ' ' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) FROM pg_control_system()"

// lines is the last line that connections of a process have seen. A server of
// an earlier one was replaced, and takes writes since nobody has stopped it, as
// one that comes back by itself after its machine was repaired: what is written
// there is lost, and a code that was used since would be taken there once more.
type lines struct {
	mu   sync.Mutex
	last line
}

// see tells whether a server of a line may be used. Another cluster begins anew:
// numbers say something within one only.
func (l *lines) see(is line) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case is == line{}:
		return true
	case is.cluster == l.last.cluster && is.timeline < l.last.timeline:
		return false
	}
	l.last = is
	return true
}

// errReplaced refuses a server that another one has taken over from.
var errReplaced = &cloud.Error{Kind: cloud.Unavailable, Message: "a database server takes writes that another one has taken over from"}

// keyLine is where a connection keeps its line.
const keyLine = "line"

// current tells whether nobody is known to have taken over from the server of a
// connection.
func (l *lines) current(pg *pgconn.PgConn) bool {
	is, _ := pg.CustomData()[keyLine].(line)
	return l.see(is)
}

// checked has each new connection of a configuration looked at.
func (l *lines) checked(config *pgconn.Config) {
	before := config.ValidateConnect
	config.ValidateConnect = func(ctx context.Context, pg *pgconn.PgConn) error {
		if before != nil {
			if err := before(ctx, pg); err != nil {
				return err
			}
		}
		text, err := value(ctx, pg, sqlLine)
		if err != nil && !untold(err) {
			return err
		}
		var is line
		is.cluster, is.timeline, _ = strings.Cut(text, " ") // of a server that does not tell: the zero line
		pg.CustomData()[keyLine] = is
		if !l.see(is) {
			return errReplaced
		}
		return nil
	}
}

// untold tells whether a server answered that it does not tell its line: services
// that run databases for others keep it from their customers, and what merely
// speaks PostgreSQL's language has none. Any other error, as of a server without
// memory, says nothing, and the server is not used.
func untold(err error) bool {
	refused, _ := errors.AsType[*pgconn.PgError](err)
	if refused == nil {
		return false
	}
	switch refused.Code { // PostgreSQL's documentation, appendix A
	case "42501", "42883", "0A000", "55000": // not allowed, no such function, not supported, not in this state
		return true
	}
	return false
}

// survey has a look at each server where there are several, so that a process
// that starts does not take the first that takes writes for the last one. One
// that says nothing is not waited for longer than [each], whatever connect_timeout
// says: another one may be there.
func (p place) survey(ctx context.Context) {
	config := p.fresh()
	if hosts(config) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, each(config))
	defer cancel()
	p.lines.checked(config)
	var all sync.WaitGroup
	seen := map[string]bool{}
	for _, f := range append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}, config.Fallbacks...) {
		at := fmt.Sprint(f.Host, " ", f.Port)
		if seen[at] { // with TLS and without it are one
			continue
		}
		seen[at] = true
		one := config.Copy()
		one.Host, one.Port, one.TLSConfig, one.Fallbacks = f.Host, f.Port, f.TLSConfig, nil
		all.Go(func() {
			if pg, err := pgconn.ConnectConfig(ctx, one); err == nil { // one that is not there is no news
				_ = pg.Close(ctx)
			}
		})
	}
	all.Wait()
}
