package postgres

import (
	"context"
	"sync"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/rows"
)

// metaHolder is the Meta value that names who holds the lock, for people.
const metaHolder = "lock-holder"

// Statements of locks.
const (
	sqlTryLock = "SELECT pg_try_advisory_lock($1)::int::int8"
	sqlUnlock  = "SELECT pg_advisory_unlock($1)::int::int8"
)

// Lock implements [engine.Store] by an advisory lock of a session that does
// nothing else. Unlock may be called more than once; it returns an error where
// the session, and the lock with it, was lost in between.
func (s *Store) Lock(ctx context.Context, holder string) (func() error, error) {
	c := &conn{place: s.place}
	got, err := c.ask(ctx, sqlTryLock, s.keys.run)
	if err != nil {
		c.close()
		return nil, err
	}
	if got != 1 {
		c.close()
		return nil, s.locked(ctx)
	}
	if err := s.Update(ctx, func(tx engine.Tx) error { return tx.SetMeta(metaHolder, []byte(holder)) }); err != nil {
		c.close()
		return nil, err
	}
	return sync.OnceValue(func() error {
		defer c.close()
		if c.broken() {
			return errLost
		}
		if was, err := c.ask(context.WithoutCancel(ctx), sqlUnlock, s.keys.run); err != nil || was != 1 {
			return errLost
		}
		return nil
	}), nil
}

var errLost = &cloud.Error{Kind: cloud.Unavailable, Message: "the connection that held the lock was lost in between: another run may have had it"}

// ask runs one statement by itself that returns a number.
func (c *conn) ask(ctx context.Context, text string, args ...any) (n int64, err error) {
	limit, cancel := context.WithTimeout(ctx, viewPatience)
	defer cancel()
	c.ctx, c.queue, c.answered = limit, c.queue[:0], false
	err = c.query(text, func(row rows.Row) { n = row.Number() }, args...)
	return n, err
}

// locked is the error that names who holds the lock.
func (s *Store) locked(ctx context.Context) error {
	var holder []byte
	err := s.View(ctx, func(r engine.Reader) (err error) {
		holder, err = r.Meta(metaHolder)
		return err
	})
	if err != nil || len(holder) == 0 {
		holder = []byte("another run")
	}
	return &cloud.Error{Kind: cloud.Locked, Message: "the store is locked by " + string(holder)}
}
