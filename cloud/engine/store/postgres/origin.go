package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// metaOrigin is the Meta value that says which tables these are: the server,
// the database and the table that were given their numbers when the store was
// made. A dump that is brought back has other ones, and with it comes what was
// true before.
const metaOrigin = "origin"

// originOf is what the tables of a schema are.
func originOf(ctx context.Context, pg *pgconn.PgConn, schema string) (string, error) {
	server, err := value(ctx, pg, "SELECT system_identifier FROM pg_control_system()")
	if cloud.KindOf(err) == cloud.Denied { // who may not ask goes without
		server, err = "unknown", nil
	}
	if err != nil {
		return "", err
	}
	numbers, err := value(ctx, pg, "SELECT concat(oid, '/', '"+schema+".meta'::regclass::oid) FROM pg_database WHERE datname = current_database()")
	return server + "/" + numbers, err
}

// original says no to tables that were brought back from a copy, until a
// restore has made them safe. A store that does not say what it is says so from
// now on.
func original(ctx context.Context, pg *pgconn.PgConn, schema, origin string) error {
	if _, err := pg.Exec(ctx, "INSERT INTO "+schema+".meta (name, value) VALUES ('"+metaOrigin+"', '"+origin+"') ON CONFLICT DO NOTHING").ReadAll(); err != nil {
		return failure(err)
	}
	known, err := value(ctx, pg, "SELECT convert_from(value, 'UTF8') FROM "+schema+".meta WHERE name = '"+metaOrigin+"'")
	if err != nil || known == origin {
		return err
	}
	return hint.Wrap(&cloud.Error{Kind: cloud.Conflict, Message: "the tables of the store were brought back from a copy, which does not know what was used since it was made"},
		"end every process that uses them, and make them safe with: mfabridge engine restore --in-place --reason WHY")
}

// at hears where the audit ends as a transaction begins. It never ends earlier
// than before: if it does, the database was put back to an earlier state under
// us, by a restore or by a standby that had not heard of everything, and codes
// that were used since are new to it.
func (w *writer) at(seq int64) error {
	w.end.is(seq)
	if seq < w.seen {
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Lasting: true, Message: "the database is in an earlier state than it was: what was used since is new to it"},
			"end every process that uses it, run: mfabridge engine restore --in-place --reason WHY, and start them again")
	}
	w.seen = seq
	return nil
}
