package shim

import (
	"container/heap"
	"sync"
	"time"

	"mfabridge/cloud"
)

// leg is a request that waits for a verdict. It costs memory alone: no worker,
// no goroutine, no timer of its own.
type leg struct {
	job      job
	who      attempt // without password and packet
	held     held
	deadline time.Time
	why      reason // that nobody approved, where another way is asked for
	place    int    // in the heap
}

// legs are a heap by deadline.
type legs []*leg

func (l legs) Len() int           { return len(l) }
func (l legs) Less(i, k int) bool { return l[i].deadline.Before(l[k].deadline) }
func (l legs) Swap(i, k int)      { l[i], l[k] = l[k], l[i]; l[i].place, l[k].place = i, k }
func (l *legs) Push(x any)        { g := x.(*leg); g.place = len(*l); *l = append(*l, g) }
func (l *legs) Pop() any {
	last := len(*l) - 1
	g := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	return g
}

// table holds the legs that wait, by challenge and by deadline. A leg leaves it
// once: whoever takes it answers it.
type table struct {
	mu      sync.Mutex
	max     int
	waiting map[cloud.ChallengeID][]*leg
	times   legs
	turn    []cloud.ChallengeID // in the order in which they are looked at
	queued  map[cloud.ChallengeID]bool
	taken   int           // legs that have left and are not answered yet
	empty   chan struct{} // closed while nothing waits, and all that was taken is answered
}

func newTable(most int) *table {
	t := &table{max: most, waiting: make(map[cloud.ChallengeID][]*leg), queued: make(map[cloud.ChallengeID]bool), empty: make(chan struct{})}
	close(t.empty)
	return t
}

// add has a leg wait. It says no if too many do.
func (t *table) add(g *leg) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.times) >= t.max {
		return false
	}
	if len(t.times) == 0 && t.taken == 0 {
		t.empty = make(chan struct{})
	}
	heap.Push(&t.times, g)
	id := g.held.challenge
	if !t.queued[id] {
		t.queued[id] = true
		t.turn = append(t.turn, id)
	}
	t.waiting[id] = append(t.waiting[id], g)
	return true
}

// take removes all legs of a challenge.
func (t *table) take(id cloud.ChallengeID) []*leg {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.waiting[id]
	delete(t.waiting, id)
	for _, g := range taken {
		heap.Remove(&t.times, g.place)
	}
	t.taken += len(taken)
	return taken
}

// due removes the legs whose time is over, and tells when the next one's is;
// zero: nothing waits.
func (t *table) due(now time.Time) (over []*leg, next time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.times) > 0 {
		if g := t.times[0]; g.deadline.After(now) {
			next = g.deadline
			break
		}
		g := heap.Pop(&t.times).(*leg)
		id := g.held.challenge
		rest := t.waiting[id][:0]
		for _, other := range t.waiting[id] {
			if other != g {
				rest = append(rest, other)
			}
		}
		if t.waiting[id] = rest; len(rest) == 0 {
			delete(t.waiting, id)
		}
		over = append(over, g)
	}
	t.taken += len(over)
	return over, next
}

// all removes every leg.
func (t *table) all() []*leg {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.times
	t.times = nil
	clear(t.waiting)
	t.taken += len(taken)
	return taken
}

// answered says that a leg that was taken has had its answer, or has gone to
// somebody else who gives it. With the last one nothing waits any more.
func (t *table) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken--; t.taken > 0 || len(t.times) > 0 {
		return
	}
	t.turn = nil
	clear(t.queued)
	close(t.empty)
}

// next returns up to n challenges that wait, other ones each time until all
// had their turn.
func (t *table) next(n int) []cloud.ChallengeID {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ids []cloud.ChallengeID
	rest := t.turn
	for len(rest) > 0 && len(ids) < n {
		if id := rest[0]; len(t.waiting[id]) > 0 {
			ids = append(ids, id)
		} else {
			delete(t.queued, id)
		}
		rest = rest[1:]
	}
	t.turn = append(rest, ids...)
	return ids
}

// size is how many legs wait, and on how many challenges.
func (t *table) size() (legs, challenges int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.times), len(t.waiting)
}

// drained is closed while nothing waits, and all that was taken is answered.
func (t *table) drained() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.empty
}
