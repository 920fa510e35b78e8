package postgres

import (
	"context"
	"time"

	"mfabridge/internal/hint"
)

// MigrateWith opens a store as a program would whose schema needs more steps.
func MigrateWith(ctx context.Context, given string, more ...string) error {
	p, err := parse(given)
	if err != nil {
		return err
	}
	pg, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = pg.Close(ctx) }()
	return migrate(ctx, pg, p.schema, append(append([]string{}, steps...), more...), false)
}

// MakeVersion makes the schema as an earlier program did.
func MakeVersion(ctx context.Context, given string, version int) error {
	p, err := parse(given)
	if err != nil {
		return err
	}
	pg, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = pg.Close(ctx) }()
	return migrate(ctx, pg, p.schema, steps[:version], true)
}

// Advice is what an error advises.
func Advice(err error) string { return hint.Of(err) }

// Put is the statement that inserts or replaces.
func Put(table, key, columns string) string { return put(table, key, columns) }

// SetPatience is how long a store looks for the outcome of a commit, before
// its first one.
func SetPatience(s *Store, d time.Duration) { s.writer.patience = d }

// Setting is what a session of ours has for a setting of the server's.
func Setting(ctx context.Context, given, name string) (string, error) {
	p, err := parse(given)
	if err != nil {
		return "", err
	}
	pg, err := p.dial(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = pg.Close(ctx) }()
	return value(ctx, pg, "SHOW "+name)
}
