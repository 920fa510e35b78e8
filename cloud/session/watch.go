package session

import (
	"container/heap"
	"context"
	"iter"
	"sync"
	"time"

	"mfabridge/cloud"
)

// queue is a heap of challenges by what is due first.
type queue []*challenge

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *queue) Push(x any) {
	c := x.(*challenge)
	c.index = len(*q)
	*q = append(*q, c)
}
func (q *queue) Pop() any {
	old := *q
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*q, c.index = old[:len(old)-1], -1
	return c
}

// enqueue says when a challenge is to be looked after next.
func (v *Verifier) enqueue(c *challenge, due time.Time) {
	c.due = due
	if c.index >= 0 {
		heap.Fix(&v.queue, c.index)
	} else {
		heap.Push(&v.queue, c)
	}
	if v.queue[0] == c {
		select {
		case v.wake <- struct{}{}:
		default:
		}
	}
}

// changed makes a challenge due now.
func (v *Verifier) changed(c *challenge) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byID[c.id] == c && c.state == cloud.Pending && c.again > 0 {
		v.enqueue(c, v.o.Now())
	}
}

func (v *Verifier) dequeue(c *challenge) {
	if c.index >= 0 {
		heap.Remove(&v.queue, c.index)
	}
}

// longest is how long the schedule sleeps at most: the clock may be set.
const longest = time.Second

// schedule hands out what is due, until the verifier is closed.
func (v *Verifier) schedule() {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	for {
		c, wait := v.next()
		if c != nil {
			select {
			case v.work <- c:
			case <-v.ctx.Done():
				return
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-v.wake:
		case <-v.ctx.Done():
			return
		}
	}
}

// next is a challenge whose service is to be asked, or how long nothing is due.
func (v *Verifier) next() (*challenge, time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.o.Now()
	for len(v.queue) > 0 {
		c := v.queue[0]
		if wait := c.due.Sub(now); wait > 0 {
			return nil, min(wait, longest)
		}
		switch {
		case c.state != cloud.Pending:
			v.forget(c)
		case !now.Before(c.expires) || c.again == 0:
			v.decide(c, cloud.Expired, cloud.TimedOut, now)
		default:
			v.enqueue(c, now.Add(c.again))
			return c, 0
		}
	}
	return nil, longest
}

// asker asks the service where challenges stand.
func (v *Verifier) asker() {
	for {
		select {
		case c := <-v.work:
			ctx, cancel := context.WithTimeout(v.ctx, v.o.Timeout)
			err := v.refresh(ctx, c)
			cancel()
			if err != nil && v.ctx.Err() == nil {
				v.o.Log.WarnContext(v.ctx, "the service does not say where a challenge stands; it is asked again", "err", err)
			}
		case <-v.ctx.Done():
			return
		}
	}
}

// feed is one stream of verdicts.
type feed struct {
	mu     sync.Mutex
	lines  chan cloud.Decision
	closed bool
}

// maxBehind is how many verdicts a stream may be behind before it breaks.
const maxBehind = 1024

// tell never waits: a stream that is too far behind ends.
func (f *feed) tell(d cloud.Decision) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	select {
	case f.lines <- d:
	default:
		f.closed = true
		close(f.lines)
	}
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		close(f.lines)
	}
}

// Decisions implements [cloud.Verifier].
func (v *Verifier) Decisions(ctx context.Context) iter.Seq2[cloud.Decision, error] {
	f := &feed{lines: make(chan cloud.Decision, maxBehind)}
	v.mu.Lock()
	v.feeds[f] = struct{}{}
	v.mu.Unlock()
	context.AfterFunc(ctx, func() {
		v.mu.Lock()
		delete(v.feeds, f)
		v.mu.Unlock()
		f.close()
	})
	return func(yield func(cloud.Decision, error) bool) {
		for d := range f.lines {
			if !yield(d, nil) || ctx.Err() != nil {
				return
			}
		}
		if ctx.Err() == nil {
			yield(cloud.Decision{}, refuse(cloud.Unavailable, "the stream of verdicts fell behind, or the verifier was closed"))
		}
	}
}
