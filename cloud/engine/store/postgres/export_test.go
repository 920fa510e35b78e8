package postgres

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
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

// RetryPause is how long is waited at first before a server is asked again.
const RetryPause = retryPause

// SetFirst is how long looks wait for their first row, before the first one.
func SetFirst(s *Store, d time.Duration) {
	for range maxReaders {
		c := <-s.readers
		c.first = d
		s.readers <- c
	}
}

// SetPatience is how long a store looks for the outcome of a commit, before
// its first one.
func SetPatience(s *Store, d time.Duration) { s.writer.patience = d }

// SetTurn is how long a transaction takes in updates, before the first one.
func SetTurn(s *Store, d time.Duration) { s.writer.turns = d }

// MigrateImpatiently is MigrateWith by somebody who waits for no other lock.
func MigrateImpatiently(ctx context.Context, given string) error {
	p, err := parse(given)
	if err != nil {
		return err
	}
	pg, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = pg.Close(ctx) }()
	if _, err := pg.Exec(ctx, "SET lock_timeout = 1").ReadAll(); err != nil {
		return err
	}
	return migrate(ctx, pg, p.schema, steps, false)
}

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

// Config is what an address comes to.
type Config struct{ config *pgconn.Config }

// Configured is the configuration of an address.
func Configured(given string) (Config, error) {
	p, err := parse(given)
	return Config{p.config}, err
}

// Timeout is how long each host may take.
func (c Config) Timeout() time.Duration { return c.config.ConnectTimeout }

// TLS is how each way to a host is encrypted; nil: it is not.
func (c Config) TLS() []*tls.Config {
	all := []*tls.Config{c.config.TLSConfig}
	for _, f := range c.config.Fallbacks {
		all = append(all, f.TLSConfig)
	}
	return all
}

// TakeOver has a store believe that another server has taken over from the one
// that it is connected to; back ends that.
func TakeOver(s *Store) (back func()) {
	l := s.place.lines
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.last
	l.last.timeline = "FFFFFFFF"
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.last = was
	}
}

// Replaced dials once where another server has taken over.
func Replaced(s *Store) cloud.Kind {
	defer TakeOver(s)()
	pg, err := s.place.dial(context.Background())
	if err == nil {
		_ = pg.Close(context.Background())
	}
	return cloud.KindOf(err)
}

// Untold tells whether a server's answer is that it does not tell its line.
func Untold(err error) bool { return untold(err) }
