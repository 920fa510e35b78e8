package postgres

import (
	"context"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/queue"
)

// sqlView begins a look at one consistent state.
const sqlView = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

// viewPatience bounds one look, and firstPatience the wait for its first row, for
// which nobody holds a lock: where none comes another connection is tried.
const (
	viewPatience  = 30 * time.Second
	firstPatience = 5 * time.Second
)

// View implements [engine.Store].
func (s *Store) View(ctx context.Context, fn func(engine.Reader) error) error {
	var c *conn
	select {
	case <-s.queue.Closing():
		return queue.Closed()
	case <-ctx.Done():
		return unavailable("the store was busy", ctx.Err())
	case c = <-s.readers:
	}
	defer func() { s.readers <- c }()
	// A caller that leaves does not break the connection for the next.
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), viewPatience)
	defer cancel()
	c.begin(limit, sqlView)
	defer c.abandon()
	return fn(reader{c})
}
