package sqlite

import (
	"context"
	"errors"

	"mfabridge/cloud/engine/store/queue"
)

// Scrub empties the write-ahead log as far as nobody reads from it, so that
// what was deleted does not linger there.
func (s *Store) Scrub(ctx context.Context) (err error) {
	select {
	case <-s.queue.Closing():
		return queue.Closed()
	default:
	}
	c, err := dial(s.path, "rw", "", busyTimeout)
	if err != nil {
		return unavailable("the store's log cannot be emptied", err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if _, err := c.raw.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)", nil); err != nil {
		return failure(err)
	}
	return nil
}
