package sqlite

import (
	"context"
	"errors"
	"runtime"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// maxGroup is the most updates that one commit carries.
const maxGroup = 512

// Statements around every update.
const (
	sqlBegin     = "BEGIN IMMEDIATE"
	sqlCommit    = "COMMIT"
	sqlRollback  = "ROLLBACK"
	sqlSavepoint = "SAVEPOINT update_of_one"
	sqlRelease   = "RELEASE update_of_one"
	sqlUndo      = "ROLLBACK TO update_of_one"
)

// job is one call of Update.
type job struct {
	ctx  context.Context
	fn   func(engine.Tx) error
	err  error
	done chan struct{}
}

// Update implements [engine.Store].
func (s *Store) Update(ctx context.Context, fn func(engine.Tx) error) error {
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	select {
	case <-s.closing:
		return closedError()
	default:
	}
	select {
	case s.jobs <- j:
	case <-s.closing:
		return closedError()
	case <-ctx.Done():
		return unavailable("the store was busy", ctx.Err())
	}
	select {
	case <-j.done:
		return j.err
	case <-s.done: // the writer ended: it has answered j, or never saw it
		select {
		case <-j.done:
			return j.err
		default:
			return closedError()
		}
	}
}

func closedError() error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: "the store is closed"}
}

// write is the writer: it owns the writing connection until Close.
func (s *Store) write() {
	defer close(s.done)
	group := make([]*job, 0, maxGroup)
	for {
		select {
		case j := <-s.jobs:
			group = s.commit(group[:0], j)
		case p := <-s.peeks:
			s.look(p)
		case <-s.rest:
			_, _, _ = s.writer.checkpoint() // what fails is tried again with the next one
		case <-s.closing:
			for {
				select {
				case j := <-s.jobs:
					group = s.commit(group[:0], j)
				default:
					return
				}
			}
		}
	}
}

// commit runs first and what else waits in one transaction, and answers them.
// Where no transaction can be had, all who wait are told so: each waiting for
// its own would add up to as many times the busy timeout.
func (s *Store) commit(group []*job, first *job) []*job {
	if err := s.writer.do(sqlBegin); err != nil {
		for j := first; j != nil; j = s.next(len(group)) {
			group = append(group, j)
		}
		return s.abandon(group, failure(err))
	}
	s.writer.meta = map[string][]byte{}
	s.writer.recent.begin()
	for j := first; j != nil; j = s.next(len(group)) {
		group = append(group, j)
		if !s.run(j) {
			return s.abandon(group, j.err)
		}
	}
	if err := s.writer.recent.settle(s.writer); err != nil {
		return s.abandon(group, failure(err))
	}
	if err := s.writer.do(sqlCommit); err != nil {
		return s.abandon(group, failure(err))
	}
	s.committed()
	s.commits.Add(1)
	s.updates.Add(uint64(len(group)))
	for _, j := range group {
		close(j.done)
	}
	return group
}

// next takes another waiting job, or nil when it is time to commit. Callers
// that are about to ask get one chance to run before the disk is flushed.
func (s *Store) next(have int) *job {
	if have >= maxGroup {
		return nil
	}
	for try := range 2 {
		select {
		case j := <-s.jobs:
			return j
		default:
			if try == 0 {
				runtime.Gosched()
			}
		}
	}
	return nil
}

// run runs one job inside its savepoint. It returns false if the whole
// transaction is lost, which SQLite does on a full disk and the like.
func (s *Store) run(j *job) bool {
	if err := j.ctx.Err(); err != nil {
		j.err = unavailable("the store was busy", err)
		return true
	}
	if err := s.writer.do(sqlSavepoint); err != nil {
		j.err = failure(err)
		return false
	}
	noted := len(s.writer.recent.keys)
	if j.err = failure(call(j.fn, tx{reader{s.writer}})); j.err != nil {
		s.writer.recent.keys = s.writer.recent.keys[:noted]
		s.writer.heads = nil // what was appended is undone
		clear(s.writer.meta)
		if s.writer.raw.AutoCommit() {
			return false
		}
		if err := s.writer.do(sqlUndo); err != nil {
			j.err = errors.Join(j.err, failure(err))
			return false
		}
	}
	if err := s.writer.do(sqlRelease); err != nil {
		j.err = failure(err)
		return false
	}
	return true
}

// call runs fn. A panic would end the whole program here, in a goroutine that
// is nobody's: it becomes an error of this one update, without the value of the
// panic, which may hold anything.
func call(fn func(engine.Tx) error, t tx) (err error) {
	defer func() {
		if recover() != nil {
			err = &cloud.Error{Kind: cloud.Internal, Message: "an update failed by a fault in the program"}
		}
	}()
	return fn(t)
}

// abandon rolls the transaction back and fails every job that had succeeded.
func (s *Store) abandon(group []*job, cause error) []*job {
	s.writer.heads, s.writer.meta, s.writer.recent = nil, nil, recent{}
	s.abandoned.Add(1)
	if !s.writer.raw.AutoCommit() {
		if err := s.writer.do(sqlRollback); err != nil {
			cause = errors.Join(cause, failure(err))
		}
	}
	for _, j := range group {
		if j.err == nil {
			j.err = uncommitted(cause)
		}
		close(j.done)
	}
	return group
}

// uncommitted is what a job is told that had succeeded. Waiting helps it no
// more than what the transaction failed for.
func uncommitted(cause error) error {
	e, ok := errors.AsType[*cloud.Error](cause)
	return &cloud.Error{Kind: cloud.Unavailable, Message: "the store could not commit", Lasting: ok && e.Lasting, Err: cause}
}

// View implements [engine.Store].
func (s *Store) View(ctx context.Context, fn func(engine.Reader) error) (err error) {
	var c *conn
	select {
	case <-s.closing:
		return closedError()
	case <-ctx.Done():
		return unavailable("the store was busy", ctx.Err())
	case c = <-s.readers:
	}
	defer func() { s.readers <- c }()
	if err := c.do("BEGIN"); err != nil {
		return failure(err)
	}
	err = failure(fn(reader{c}))
	if end := c.do(sqlRollback); end != nil {
		return errors.Join(err, failure(end))
	}
	return err
}
