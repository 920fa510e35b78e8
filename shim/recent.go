package shim

import (
	"sync"
	"time"
)

// recentMax is how many marks are remembered of a kind; beyond it the oldest goes.
const recentMax = 1 << 14

// mark stands for a user with a password, a place or a State, under a key that
// never leaves the process.
type mark [32]byte

// recent remembers what was said last under each mark, for a time. All methods
// may be called concurrently.
type recent[V any] struct {
	mu   sync.Mutex
	kept map[mark]said[V]
	turn []mark // ring of the marks in their order
	next int    // the oldest, once it is full
}

type said[V any] struct {
	what  V
	until time.Time
}

func newRecent[V any]() *recent[V] { return &recent[V]{kept: make(map[mark]said[V])} }

// find returns what is remembered under a mark.
func (r *recent[V]) find(m mark, now time.Time) (what V, found bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.kept[m]; now.Before(s.until) { // what is not there was over long ago
		return s.what, true
	}
	return what, false
}

// put has a mark say something from now on. It keeps its turn to go.
func (r *recent[V]) put(m mark, what V, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.kept[m]; !known {
		if len(r.turn) < recentMax {
			r.turn = append(r.turn, m)
		} else {
			delete(r.kept, r.turn[r.next])
			r.turn[r.next] = m
			r.next = (r.next + 1) % recentMax
		}
	}
	r.kept[m] = said[V]{what, until}
}

// forget has a mark say nothing any more.
func (r *recent[V]) forget(m mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.kept[m]; known {
		r.kept[m] = said[V]{}
	}
}
