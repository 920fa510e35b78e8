package sqlite

import (
	"context"
	"time"

	"mfabridge/cloud/engine/store/queue"
)

// watchPeriod is how often a watcher looks whether others have written.
const watchPeriod = 100 * time.Millisecond

// sqlDataVersion is a number that changes when another connection than this
// one has written: the writer's connection is asked, so that what this process
// writes itself does not count.
const sqlDataVersion = "PRAGMA data_version"

// peek asks the writer for the number.
type peek chan int64

// Watch implements [engine.Store] by asking SQLite ten times a second.
func (s *Store) Watch(ctx context.Context) (<-chan struct{}, error) {
	last, ok := s.version(ctx)
	if !ok {
		return nil, queue.Closed()
	}
	signals := make(chan struct{}, 1)
	go func() {
		defer close(signals)
		ticker := time.NewTicker(watchPeriod)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			version, ok := s.version(ctx)
			if !ok {
				return
			}
			if version == last {
				continue
			}
			last = version
			select {
			case signals <- struct{}{}:
			default: // one that nobody has taken yet is enough
			}
		}
	}()
	return signals, nil
}

// version asks the writer between two transactions; false: there is none any
// more, or ctx is done.
func (s *Store) version(ctx context.Context) (int64, bool) {
	p := make(peek, 1)
	select {
	case s.peeks <- p:
	case <-s.queue.Closing():
		return 0, false
	case <-ctx.Done():
		return 0, false
	}
	return <-p, true
}

// look answers a watcher. What cannot be read has not changed as far as one
// knows.
func (s *Store) look(p peek) {
	version, err := s.writer.number(sqlDataVersion)
	if err == nil {
		s.seen = version
	}
	p <- s.seen
}
