package sqlite

import (
	"context"
	"errors"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/queue"
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

// write is the writer: it owns the writing connection until Close.
func (s *Store) write() {
	defer s.queue.Ended()
	group := make([]*queue.Job, 0, maxGroup)
	for {
		select {
		case j := <-s.queue.Waiting():
			group = s.commit(group[:0], j)
			clear(group) // what was answered is its caller's
		case p := <-s.peeks:
			s.look(p)
		case <-s.rest:
			_, _, _ = s.writer.checkpoint() // what fails is tried again with the next one
		case <-s.queue.Closing():
			s.queue.Rest(func(j *queue.Job) { group = s.commit(group[:0], j) })
			return
		}
	}
}

// commit runs first and what else waits in one transaction, and answers them.
// Where no transaction can be had, all who wait are told so: each waiting for
// its own would add up to as many times the busy timeout.
func (s *Store) commit(group []*queue.Job, first *queue.Job) []*queue.Job {
	err := s.files.stand()
	if err == nil {
		err = s.writer.do(sqlBegin)
	}
	if err != nil {
		for j := first; j != nil; j = s.next(len(group)) {
			group = append(group, j)
		}
		return s.abandon(group, failure(err))
	}
	s.writer.meta, s.writer.version = map[string][]byte{}, 0
	s.writer.recent.begin()
	for j := first; j != nil; j = s.next(len(group)) {
		group = append(group, j)
		if !s.run(j) {
			return s.abandon(group, j.Err)
		}
	}
	err = s.writer.writeLate(s.writer.late.end())
	if err == nil {
		err = s.writer.recent.settle(s.writer)
	}
	if err != nil {
		return s.abandon(group, failure(err))
	}
	if err := s.writer.do(sqlCommit); err != nil {
		return s.abandon(group, failure(err))
	}
	s.committed()
	s.queue.Committed(len(group))
	for _, j := range group {
		j.Answer()
	}
	return group
}

// next takes another waiting job, or nil when it is time to commit.
func (s *Store) next(have int) *queue.Job {
	if have >= maxGroup {
		return nil
	}
	return s.queue.Next()
}

// run runs one job, and undoes what it did if it fails. It returns false if the
// whole transaction is lost, which SQLite does on a full disk and the like.
func (s *Store) run(j *queue.Job) bool {
	if j.Left() {
		return true
	}
	w := s.writer
	w.begins()
	noted := len(w.recent.keys)
	j.Err = failure(j.Run(tx{reader{w}}))
	if j.Err != nil {
		w.recent.keys = w.recent.keys[:noted]
		clear(w.meta)
	}
	if w.raw.AutoCommit() { // whatever the update made of it
		return false
	}
	if err := w.ends(j.Err == nil); err != nil {
		j.Err = errors.Join(j.Err, failure(err))
		return false
	}
	return true
}

// abandon rolls the transaction back and fails every job that had succeeded.
func (s *Store) abandon(group []*queue.Job, cause error) []*queue.Job {
	s.writer.heads, s.writer.meta, s.writer.recent = nil, nil, recent{}
	s.writer.late = late{}
	s.queue.Abandoned()
	if !s.writer.raw.AutoCommit() {
		if err := s.writer.do(sqlRollback); err != nil {
			cause = errors.Join(cause, failure(err))
		}
	}
	for _, j := range group {
		if j.Err == nil {
			j.Err = uncommitted(cause)
		}
		j.Answer()
	}
	return group
}

// uncommitted is what a job is told that had succeeded. Waiting helps it no
// more than what the transaction failed for.
func uncommitted(cause error) error {
	e, ok := errors.AsType[*cloud.Error](cause)
	return &cloud.Error{Kind: cloud.Unavailable, Message: "the store could not commit", Lasting: ok && e.Lasting, Err: cause}
}

// UpdateEach implements [engine.Store].
func (s *Store) UpdateEach(ctx context.Context, fns []func(engine.Tx) error) []error {
	return s.queue.UpdateEach(ctx, fns)
}

// Update implements [engine.Store].
func (s *Store) Update(ctx context.Context, fn func(engine.Tx) error) error {
	return s.queue.Update(ctx, fn)
}

// View implements [engine.Store].
func (s *Store) View(ctx context.Context, fn func(engine.Reader) error) (err error) {
	select {
	case <-s.queue.Closing():
		return queue.Closed()
	case <-ctx.Done():
		return unavailable("the store was busy", ctx.Err())
	case <-s.readers.free:
	}
	c := s.readers.take()
	defer s.readers.give(c)
	if err := c.do("BEGIN"); err != nil {
		return failure(err)
	}
	err = failure(fn(reader{c}))
	if end := c.do(sqlRollback); end != nil {
		return errors.Join(err, failure(end))
	}
	return errors.Join(err, failure(c.tidyUp()))
}
