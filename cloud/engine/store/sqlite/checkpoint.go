package sqlite

import (
	"errors"
	"time"

	"mfabridge/cloud/engine/store/rows"
)

// What was committed goes from the log to its place in the file: a checkpoint.
const sqlCheckpoint = "PRAGMA wal_checkpoint(PASSIVE)"

const (
	// gatherFew and gatherMany are how long commits gather before a checkpoint.
	// Where few pages change it is soon: what a checkpoint writes is in the way of
	// commits, the less of it the better. Where many change, as under full load,
	// a page that many commits change is to be moved once.
	gatherFew  = 200 * time.Millisecond
	gatherMany = time.Second
	// manyPages is how many pages a second of the log are many.
	manyPages = 15_000
	// restartAfter is how many pages a log may have before it is begun anew. A
	// log that is written over costs half of one that grows.
	restartAfter = 4000
	// maxLog is how many pages a log may have before the writer does all the
	// work by itself, as after a bulk load.
	maxLog = 16 << 10
)

// tend makes checkpoints beside the writer, on a connection of its own, so that
// nobody's commit waits for one. The writer goes on meanwhile, so that there is
// always something left; when the log is long enough, the writer does that
// little itself, and begins the log anew.
func (s *Store) tend() {
	defer close(s.tended)
	pause := time.NewTimer(0)
	defer pause.Stop()
	gather, before := gatherFew, int64(0)
	for {
		select {
		case <-s.written:
		case <-s.queue.Closing():
			return
		}
		pause.Reset(gather)
		select {
		case <-pause.C:
		case <-s.queue.Closing():
			return
		}
		pages, moved, err := s.keeper.checkpoint()
		gather, before = nextGather(gather, before, moved), moved
		if err != nil || pages < restartAfter || moved == pages {
			continue // what failed is tried again after the next commit, and by the writer at last
		}
		select {
		case s.rest <- struct{}{}:
		case <-s.queue.Closing():
			return
		}
	}
}

// nextGather is how long commits gather after a time in which the count of
// pages of the log that were moved went from before to moved; a lower count is
// that of a log that was begun anew.
func nextGather(gathered time.Duration, before, moved int64) time.Duration {
	if moved < before {
		before = 0
	}
	if float64(moved-before) > manyPages*gathered.Seconds() {
		return gatherMany
	}
	return gatherFew
}

// checkpoint moves what no reader is in the way of. It returns how many pages
// the log has, and how many of them were moved.
func (c *conn) checkpoint() (pages, moved int64, err error) {
	err = c.query(sqlCheckpoint, func(row rows.Row) {
		_ = row.Number() // somebody was in the way
		pages, moved = row.Number(), row.Number()
	})
	return pages, moved, err
}

// committed tells the keeper that there is something to do.
func (s *Store) committed() {
	select {
	case s.written <- struct{}{}:
	default:
	}
}

// closeConns waits for the readers that were made, then closes all.
func (s *Store) closeConns() error {
	var errs []error
	for range s.count {
		<-s.readers.free
		errs = append(errs, s.readers.take().close())
	}
	if s.keeper != nil {
		errs = append(errs, s.keeper.close())
	}
	return errors.Join(append(errs, s.writer.close())...)
}
