package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/queue"
	"mfabridge/cloud/engine/store/rows"
	"mfabridge/internal/sleep"
)

const (
	// maxGroup is the most updates that one commit carries.
	maxGroup = 256
	// turnLimit is how long a transaction that has the lock takes in updates: the
	// other nodes wait for their turn, and no longer than lockLimit.
	turnLimit = 500 * time.Millisecond
	// groupPatience bounds one transaction with everything in it.
	groupPatience = 40 * time.Second
	// resolvePatience is how long the outcome of a commit is looked for.
	resolvePatience = 20 * time.Second
)

// Statements around updates.
const (
	sqlBegin     = "BEGIN"
	sqlLockWrite = "SELECT pg_advisory_xact_lock($1)"
	sqlTurn      = "INSERT INTO writers (id, turn, seen) VALUES ($1, $2, " + serverTime + ") " +
		"ON CONFLICT (id) DO UPDATE SET turn = excluded.turn, seen = excluded.seen"
	sqlTurnOf   = "SELECT turn FROM writers WHERE id = $1"
	sqlNotify   = "SELECT pg_notify($1, $2)"
	sqlCommit   = "COMMIT"
	sqlRollback = "ROLLBACK"
)

// UpdateEach implements [engine.Store].
func (s *Store) UpdateEach(ctx context.Context, fns []func(engine.Tx) error) []error {
	return s.queue.UpdateEach(ctx, fns)
}

// Update implements [engine.Store].
func (s *Store) Update(ctx context.Context, fn func(engine.Tx) error) error {
	return s.queue.Update(ctx, fn)
}

// writer owns the writing connection until Close.
type writer struct {
	store *Store
	c     *conn
	end   *chainEnd // of the audit, with everything that this transaction appends
	turn  int64     // number of the last transaction that was to be committed
	doubt bool      // it is not known whether that was, or whether every standby knows it
	wrote bool      // this transaction has written something
	seen  int64     // where the audit ended at the latest

	patience time.Duration // resolvePatience
	turns    time.Duration // turnLimit
}

func (w *writer) run() {
	defer w.store.queue.Ended()
	for {
		select {
		case j := <-w.store.queue.Waiting():
			w.serve(j)
		case <-w.store.queue.Closing():
			w.store.queue.Rest(w.serve)
			return
		}
	}
}

// serve runs a job and what else waits, and answers them.
func (w *writer) serve(first *queue.Job) {
	group, err := w.together(first)
	if err != nil && !errors.Is(err, errUndo) {
		w.store.queue.Abandoned()
	}
	switch {
	case err == nil:
		w.store.queue.Committed(len(group))
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
		j.Answer()
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

func refuseAll(group []*queue.Job, err error) {
	for _, j := range group {
		j.Err = err
	}
}

// together runs jobs in one transaction, as they come. An error is that of
// the transaction, of which nothing was kept; what single jobs returned stands
// in them.
func (w *writer) together(first *queue.Job) (group []*queue.Job, err error) {
	limit, cancel := context.WithTimeout(context.Background(), groupPatience)
	defer cancel()
	w.begin(limit)
	var since time.Time // of the lock, which comes with the first answer
	for j := first; j != nil; j = w.next(len(group)) {
		group = append(group, j)
		if err := w.attempt(j); err != nil {
			w.abandon()
			return group, err
		}
		if since.IsZero() && w.c.answered {
			since = time.Now()
		}
		if !since.IsZero() && time.Since(since) >= w.turns {
			break
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
	w.c.queue = append(w.c.queue, call{text: sqlAuditEnd, scan: func(row rows.Row) error { return w.at(row.Number()) }})
}

// abandon ends a transaction that is not to be committed.
func (w *writer) abandon() {
	w.end.forget()
	w.c.abandon()
}

// next takes another waiting job, or nil when it is time to commit.
func (w *writer) next(have int) *queue.Job {
	if have >= maxGroup {
		return nil
	}
	return w.store.queue.Next()
}

// errUndo says that what a failed job has written cannot be told from the rest.
var errUndo = errors.New("the updates have to run one by one")

// attempt runs one job inside the transaction. It returns an error if the
// transaction is lost.
func (w *writer) attempt(j *queue.Job) error {
	if j.Left() {
		return nil
	}
	t := &tx{c: w.c, end: w.end, origin: w.store.origin}
	t.reader = reader{t}
	j.Err = j.Run(t)
	switch {
	case t.broken != nil: // whatever fn made of it
		return t.broken
	case j.Err != nil && t.sent > 0:
		return errUndo
	case j.Err != nil:
		w.c.drop(t.pending)
	default:
		w.wrote = w.wrote || t.sent+t.pending > 0
		t.adopt()
	}
	return nil
}

// commit makes durable what the transaction has written.
func (w *writer) commit() error {
	c := w.c
	if !w.wrote && !w.doubt {
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
	sure, err := w.confirm()
	if err != nil {
		w.end.forget()
	}
	switch {
	case sure:
		w.seen = max(w.seen, w.end.seq)
		return nil
	case err == nil || c.broken():
		return w.resolve(err)
	}
	c.abandon()
	return err
}

// confirm sends the number of the transaction and its commit. A server that
// says something besides has committed, and not waited for its standbys until
// they had heard of it: by its own limit, or because somebody told it so.
func (w *writer) confirm() (sure bool, err error) {
	c := w.c
	c.must(sqlTurn, w.store.id, w.turn)
	c.must(sqlNotify, w.store.keys.channel, w.store.id)
	c.must(sqlCommit)
	c.warned = false
	err = c.flush()
	w.doubt = err != nil && c.broken() || c.warned
	return err == nil && !w.doubt, err
}

// errUnknown promises nothing.
var errUnknown = &cloud.Error{Kind: cloud.Internal, Message: "the connection to the database broke, and it is not known whether the store committed"}

// resolve finds out whether the last transaction was committed, whose
// connection broke or whose standbys were not heard. Whoever has the lock knows
// that it has ended, and what is confirmed after it confirms it too.
func (w *writer) resolve(cause error) error {
	limit, cancel := context.WithTimeout(context.Background(), w.patience)
	defer cancel()
	for {
		var turn int64
		w.begin(limit)
		err := w.c.query(sqlTurnOf, func(row rows.Row) { turn = row.Number() }, w.store.id)
		if err == nil && turn == w.turn {
			if sure, _ := w.confirm(); sure {
				return nil
			}
		}
		w.c.abandon()
		if err == nil && turn != w.turn {
			w.doubt = false
			return unavailable("the store could not commit", cause)
		}
		if sleep.For(limit, retryPause) != nil {
			return errUnknown
		}
	}
}

// singly gives each job a transaction of its own, after that of all of them
// was lost. Where the server is gone, the rest hears it at once.
func (w *writer) singly(group []*queue.Job) {
	for i, j := range group {
		err := w.alone(j)
		if err == nil && j.Err == nil {
			w.store.queue.Committed(1)
		}
		if err != nil {
			w.store.queue.Abandoned()
			j.Err = err
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
func (w *writer) alone(j *queue.Job) (err error) {
	limit, cancel := context.WithTimeout(context.Background(), groupPatience)
	defer cancel()
	for range maxRuns {
		w.begin(limit)
		err = w.attempt(j)
		if err == nil && j.Err == nil {
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
