package sqlite

import (
	"context"
	"errors"
	"time"

	"mfabridge/cloud/engine/store/queue"
	"mfabridge/cloud/engine/store/rows"
)

const sqlEmptyLog = "PRAGMA wal_checkpoint(TRUNCATE)"

// How often emptying the log is tried, and how long apart: a checkpoint that
// runs at the moment lets no other begin, and does not make it wait.
const (
	scrubTries = 100
	scrubPause = 100 * time.Millisecond
)

// Scrub empties the write-ahead log, so that what was deleted does not linger
// there. Unavailable: somebody was reading from it all the time.
func (s *Store) Scrub(ctx context.Context) (err error) {
	c, err := dial(s.path, "rw", "", int(scrubPause/time.Millisecond))
	if err != nil {
		return unavailable("the store's log cannot be emptied", err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for range scrubTries {
		select {
		case <-s.queue.Closing():
			return queue.Closed()
		case <-ctx.Done():
			return unavailable("the store's log was not emptied", ctx.Err())
		case <-pause.C:
			pause.Reset(scrubPause)
		}
		busy := true
		if err := c.query(sqlEmptyLog, func(row rows.Row) { busy = row.Number() != 0 }); err != nil {
			return failure(err)
		}
		if !busy {
			return nil
		}
	}
	return unavailable("the store's log was not emptied", errors.New("others were reading from it"))
}
