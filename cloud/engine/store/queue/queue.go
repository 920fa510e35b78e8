// Package queue hands the updates of many callers to the one writer of a store,
// which commits those together that wait at the same moment. It is what the
// drivers have in common: who waits for what, who has left, and that a fault in
// one update is the error of that one.
//
//	q := queue.New(512)
//	err := q.Update(ctx, fn)       // callers
//	errs := q.UpdateEach(ctx, fns) // of several updates at once
//	q.Close()
//
// The writer takes a job from Waiting and what Next adds to it, runs and commits
// them, and answers each. When Closing ends it serves the Rest, and says Ended.
package queue

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// Job is one update. It is the writer's until it is answered.
type Job struct {
	Err error // what the caller is told

	ctx      context.Context
	fn       func(engine.Tx) error
	round    *round
	answered bool
}

// round is what one caller waits for: the answers to some jobs.
type round struct {
	left atomic.Int32
	done chan struct{} // closed when none is left
}

func (r *round) less(n int) {
	if r.left.Add(int32(-n)) == 0 {
		close(r.done)
	}
}

// Left tells whether the caller has left, and puts that into Err.
func (j *Job) Left() bool {
	err := j.ctx.Err()
	if err != nil {
		j.Err = busy(err)
	}
	return err != nil
}

// Run runs the update. A panic would end the whole program here, in a goroutine
// that is nobody's: it becomes an error of this one update, without the value of
// the panic, which may hold anything.
func (j *Job) Run(tx engine.Tx) (err error) {
	defer func() {
		if recover() != nil {
			err = &cloud.Error{Kind: cloud.Internal, Message: "an update failed by a fault in the program"}
		}
	}()
	return j.fn(tx)
}

// Answer tells the caller what Err says.
func (j *Job) Answer() {
	j.answered = true
	j.round.less(1)
}

// Queue is where updates wait. All methods may be called concurrently, those of
// the writer by one goroutine.
type Queue struct {
	jobs    chan *Job
	closing chan struct{}
	ended   chan struct{}
	once    sync.Once

	commits, updates, abandoned atomic.Uint64 // see Stats
}

// Stats are counts of this process since it opened the store.
type Stats struct {
	Commits   uint64 // transactions that became durable
	Updates   uint64 // calls of Update in them
	Abandoned uint64 // transactions that did not
	Queue     int    // calls of Update that wait now
}

// Stats reads them.
func (q *Queue) Stats() Stats {
	return Stats{Commits: q.commits.Load(), Updates: q.updates.Load(), Abandoned: q.abandoned.Load(), Queue: len(q.jobs)}
}

// Committed is for the writer to count a transaction with some updates.
func (q *Queue) Committed(updates int) {
	q.commits.Add(1)
	q.updates.Add(uint64(updates))
}

// Abandoned is for the writer to count a transaction that failed.
func (q *Queue) Abandoned() { q.abandoned.Add(1) }

// New makes a queue in which room updates may wait; further ones wait to get in.
func New(room int) *Queue {
	return &Queue{jobs: make(chan *Job, room), closing: make(chan struct{}), ended: make(chan struct{})}
}

// Closed is the error of a store that was closed.
func Closed() error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: "the store is closed"}
}

func busy(cause error) error {
	return &cloud.Error{Kind: cloud.Unavailable, Message: "the store was busy", Err: cause}
}

// Update waits until the writer has answered fn, as [engine.Store] has it. A
// caller who leaves before fn has begun is not served; one who leaves later
// waits for the answer.
func (q *Queue) Update(ctx context.Context, fn func(engine.Tx) error) error {
	jobs := [1]Job{{ctx: ctx, fn: fn}}
	q.wait(ctx, jobs[:])
	return jobs[0].Err
}

// UpdateEach waits until the writer has answered each fn, as if each had a
// caller of its own. The errors are in the order of fns.
func (q *Queue) UpdateEach(ctx context.Context, fns []func(engine.Tx) error) []error {
	jobs := make([]Job, len(fns))
	for i, fn := range fns {
		jobs[i].ctx, jobs[i].fn = ctx, fn
	}
	q.wait(ctx, jobs)
	errs := make([]error, len(jobs))
	for i := range jobs {
		errs[i] = jobs[i].Err
	}
	return errs
}

// wait has jobs answered. Those that never get in have the reason in Err.
func (q *Queue) wait(ctx context.Context, jobs []Job) {
	if len(jobs) == 0 {
		return
	}
	r := &round{done: make(chan struct{})}
	r.left.Store(int32(len(jobs)))
	in := 0
	for ; in < len(jobs); in++ {
		jobs[in].round = r
		if err := q.enter(ctx, &jobs[in]); err != nil {
			for i := in; i < len(jobs); i++ {
				jobs[i].Err = err
			}
			r.less(len(jobs) - in)
			break
		}
	}
	select {
	case <-r.done:
	case <-q.ended: // the writer ended: it has answered a job, or never saw it
		for i := range jobs[:in] {
			if !jobs[i].answered {
				jobs[i].Err = Closed()
			}
		}
	}
}

// enter has a job wait, or tells why it cannot.
func (q *Queue) enter(ctx context.Context, j *Job) error {
	select {
	case <-q.closing:
		return Closed()
	default:
	}
	select {
	case q.jobs <- j:
		return nil
	case <-q.closing:
		return Closed()
	case <-ctx.Done():
		return busy(ctx.Err())
	}
}

// Waiting is where the writer takes the first update of a commit.
func (q *Queue) Waiting() <-chan *Job { return q.jobs }

// Next is another update that waits, or nil when it is time to commit. Callers
// that are about to ask get one chance to run before the disk is flushed.
func (q *Queue) Next() *Job {
	for try := range 2 {
		select {
		case j := <-q.jobs:
			return j
		default:
			if try == 0 {
				runtime.Gosched()
			}
		}
	}
	return nil
}

// Rest has the writer serve what still waits when the queue is closed.
func (q *Queue) Rest(serve func(*Job)) {
	for {
		select {
		case j := <-q.jobs:
			serve(j)
		default:
			return
		}
	}
}

// Closing is closed when Close is called.
func (q *Queue) Closing() <-chan struct{} { return q.closing }

// Ended is for the writer to say that it serves nobody any more.
func (q *Queue) Ended() { close(q.ended) }

// Close lets nobody in any more, and waits for the writer to end.
func (q *Queue) Close() {
	q.once.Do(func() { close(q.closing) })
	<-q.ended
}
