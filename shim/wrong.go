package shim

import (
	"sync"
	"time"

	"mfabridge/cloud"
)

const (
	// wrongLife is how long a definite no to a password is remembered.
	wrongLife = 60 * time.Second
	// marksMax is how many marks are remembered; beyond it the oldest goes.
	marksMax = 1 << 14
)

// mark stands for a user with a password or a place, under a key that never
// leaves the process.
type mark [32]byte

// marks remember for a while: which passwords a primary has refused, so that a
// client that tries again and again does not lock an account out; and who has
// given a second factor where.
type marks struct {
	mu    sync.Mutex
	kept  map[mark]remark
	order []mark // the oldest at turn, once it is full
	turn  int
}

// remark is what a mark says.
type remark struct {
	at    time.Time // since when
	until time.Time
	user  cloud.UserID // whose second factor it was, if it is about one
	way   cloud.Preference
}

func newMarks() *marks { return &marks{kept: make(map[mark]remark)} }

// knows returns what is remembered under a mark.
func (w *marks) knows(m mark, now time.Time) (remark, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, found := w.kept[m]
	return r, found && now.Before(r.until)
}

// remember has a mark say something for a time. user and way are of a second
// factor, and empty if it is about none.
func (w *marks) remember(m mark, user cloud.UserID, way cloud.Preference, now time.Time, life time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, found := w.kept[m]; !found {
		if len(w.order) < marksMax {
			w.order = append(w.order, m)
		} else {
			delete(w.kept, w.order[w.turn])
			w.order[w.turn] = m
			w.turn = (w.turn + 1) % marksMax
		}
	}
	w.kept[m] = remark{at: now, until: now.Add(life), user: user, way: way}
}

// forget makes a mark say nothing any more.
func (w *marks) forget(m mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r, found := w.kept[m]; found {
		r.until = time.Time{}
		w.kept[m] = r
	}
}
