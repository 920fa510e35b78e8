package postgres

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

const (
	// maxGroup is the most updates that one commit carries.
	maxGroup = 256
	// groupPatience bounds one transaction with everything in it.
	groupPatience = 40 * time.Second
	// resolvePatience is how long the outcome of a commit is looked for.
	resolvePatience = 20 * time.Second
)

// Statements around updates.
const (
	sqlBegin     = "BEGIN"
	sqlLockWrite = "SELECT pg_advisory_xact_lock($1)"
	sqlTurn      = "INSERT INTO writers (id, turn, seen) VALUES ($1, $2, $3) " +
		"ON CONFLICT (id) DO UPDATE SET turn = excluded.turn, seen = excluded.seen"
	sqlTurnOf     = "SELECT turn FROM writers WHERE id = $1"
	sqlOldWriters = "DELETE FROM writers WHERE seen < $1"
	sqlNotify     = "SELECT pg_notify($1, $2)"
	sqlCommit     = "COMMIT"
	sqlRollback   = "ROLLBACK"
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

// writer owns the writing connection until Close.
type writer struct {
	store *Store
	c     *conn
	end   *chainEnd // of the audit, with everything that this transaction appends
	turn  int64     // number of the last transaction that was to be committed
	wrote bool      // this transaction has written something
	seen  int64     // where the audit ended at the latest
}

func (w *writer) run() {
	defer close(w.store.done)
	for {
		select {
		case j := <-w.store.jobs:
			w.serve(j)
		case <-w.store.closing:
			for {
				select {
				case j := <-w.store.jobs:
					w.serve(j)
				default:
					return
				}
			}
		}
	}
}

// serve runs a job and what else waits, and answers them.
func (w *writer) serve(first *job) {
	group, err := w.together(first)
	switch {
	case err == nil:
	case errors.Is(err, errUnknown):
		refuseAll(group, err)
	case w.nowhere(err):
		for j := w.next(len(group)); j != nil; j = w.next(len(group)) {
			group = append(group, j)
		}
		refuseAll(group, unwritten(err))
	default:
		w.singly(group)
	}
	for _, j := range group {
		close(j.done)
	}
}

// nowhere tells whether no transaction can be had: the server cannot be
// reached, or somebody else has the lock. Each waiting for its own would add up.
func (w *writer) nowhere(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return w.c.broken() && !w.c.answered || ok && e.Code == codeLockTimeout
}

// codeLockTimeout is lock_not_available.
const codeLockTimeout = "55P03"

// unwritten is what a job is told for which no transaction could be had.
func unwritten(cause error) error {
	e, ok := errors.AsType[*cloud.Error](cause)
	return &cloud.Error{Kind: cloud.Unavailable, Message: "the store cannot be written", Lasting: ok && e.Lasting, Err: cause}
}

func refuseAll(group []*job, err error) {
	for _, j := range group {
		j.err = err
	}
}

// together runs jobs in one transaction, as they come. An error is that of
// the transaction, of which nothing was kept; what single jobs returned stands
// in them.
func (w *writer) together(first *job) (group []*job, err error) {
	limit, cancel := context.WithTimeout(context.Background(), groupPatience)
	defer cancel()
	w.begin(limit)
	for j := first; j != nil; j = w.next(len(group)) {
		group = append(group, j)
		if err := w.attempt(j); err != nil {
			w.abandon()
			return group, err
		}
	}
	return group, w.commit()
}

// begin begins a transaction; the server hears of it with the first statement
// that reads.
func (w *writer) begin(ctx context.Context) {
	w.wrote = false
	w.c.begin(ctx, sqlBegin)
	w.c.must(sqlLockWrite, w.store.keys.write)
	w.c.queue = append(w.c.queue, call{text: sqlAuditEnd, scan: func(row [][]byte) error { return w.at(number(row[0])) }})
}

// abandon ends a transaction that is not to be committed.
func (w *writer) abandon() {
	w.end.forget()
	w.c.abandon()
}

// next takes another waiting job, or nil when it is time to commit. Callers
// that are about to ask get one chance to run before the disk is flushed.
func (w *writer) next(have int) *job {
	if have >= maxGroup {
		return nil
	}
	for try := range 2 {
		select {
		case j := <-w.store.jobs:
			return j
		default:
			if try == 0 {
				runtime.Gosched()
			}
		}
	}
	return nil
}

// errUndo says that what a failed job has written cannot be told from the rest.
var errUndo = errors.New("the updates have to run one by one")

// attempt runs one job inside the transaction. It returns an error if the
// transaction is lost.
func (w *writer) attempt(j *job) error {
	if err := j.ctx.Err(); err != nil {
		j.err = unavailable("the store was busy", err)
		return nil
	}
	t := &tx{c: w.c, end: w.end, origin: w.store.origin}
	t.reader = reader{t}
	j.err = guarded(j.fn, t)
	switch {
	case t.broken != nil: // whatever fn made of it
		return t.broken
	case j.err != nil && t.sent > 0:
		return errUndo
	case j.err != nil:
		w.c.drop(t.pending)
	default:
		w.wrote = w.wrote || t.sent+t.pending > 0
		t.adopt()
	}
	return nil
}

// guarded runs fn. A panic would end the whole program here, in a goroutine that
// is nobody's: it becomes an error of this one update, without the value of the
// panic, which may hold anything.
func guarded(fn func(engine.Tx) error, t *tx) (err error) {
	defer func() {
		if recover() != nil {
			err = &cloud.Error{Kind: cloud.Internal, Message: "an update failed by a fault in the program"}
		}
	}()
	return fn(t)
}

// commit makes durable what the transaction has written.
func (w *writer) commit() error {
	c := w.c
	if !w.wrote {
		c.abandon()
		return nil
	}
	if !c.answered { // a commit is never sent twice, so it is not sent first
		if err := c.flush(); err != nil {
			w.abandon()
			return err
		}
	}
	w.turn++
	if w.end.moved {
		c.must(sqlSetAuditEnd, w.end.seq)
	}
	c.must(sqlTurn, w.store.id, w.turn, time.Now().Unix())
	c.must(sqlNotify, w.store.keys.channel, w.store.id)
	c.must(sqlCommit)
	err := c.flush()
	if err != nil {
		w.end.forget()
	}
	switch {
	case err == nil:
		w.seen = max(w.seen, w.end.seq)
		return nil
	case c.broken():
		return w.resolve(err)
	}
	c.abandon()
	return err
}

// errUnknown promises nothing.
var errUnknown = &cloud.Error{Kind: cloud.Internal, Message: "the connection to the database broke, and it is not known whether the store committed"}

// resolve finds out whether the last transaction was committed, whose
// connection broke. Whoever has the lock knows that it has ended.
func (w *writer) resolve(cause error) error {
	limit, cancel := context.WithTimeout(context.Background(), resolvePatience)
	defer cancel()
	for {
		var turn int64
		w.begin(limit)
		err := w.c.query(sqlTurnOf, func(row [][]byte) error { turn = number(row[0]); return nil }, w.store.id)
		w.c.abandon()
		switch {
		case err == nil && turn == w.turn:
			return nil
		case err == nil:
			return unavailable("the store could not commit", cause)
		}
		select {
		case <-limit.Done():
			return errUnknown
		case <-time.After(retryPause):
		}
	}
}

// singly gives each job a transaction of its own, after that of all of them
// was lost. Where the server is gone, the rest hears it at once.
func (w *writer) singly(group []*job) {
	for i, j := range group {
		if err := w.alone(j); err != nil {
			j.err = err
			if w.c.broken() {
				refuseAll(group[i+1:], unwritten(err))
				return
			}
		}
	}
}

// maxRuns is how often an update is run whose connection breaks.
const maxRuns = 2

// alone runs one job in a transaction of its own. What the job itself returned
// stands in it.
func (w *writer) alone(j *job) (err error) {
	limit, cancel := context.WithTimeout(context.Background(), groupPatience)
	defer cancel()
	for range maxRuns {
		w.begin(limit)
		err = w.attempt(j)
		if err == nil && j.err == nil {
			err = w.commit()
		} else {
			w.abandon()
		}
		switch {
		case err == nil, errors.Is(err, errUndo):
			return nil
		case errors.Is(err, errUnknown), !w.c.broken():
			return err
		}
	}
	return err
}
