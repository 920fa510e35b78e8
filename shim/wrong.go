package shim

import (
	"sync"
	"time"
)

const (
	// wrongLife is how long a definite no to a password is remembered.
	wrongLife = 60 * time.Second
	// wrongMax is how many are remembered; beyond it the oldest goes.
	wrongMax = 1 << 14
)

// passwordProof stands for a user and a password, under a key that never
// leaves the process.
type passwordProof [32]byte

// wrongPasswords remembers which passwords a primary has refused, so that a
// client that tries again and again does not lock an account out.
type wrongPasswords struct {
	mu    sync.Mutex
	until map[passwordProof]time.Time
	order []passwordProof // the oldest at turn, once it is full
	turn  int
}

func newWrongPasswords() *wrongPasswords {
	return &wrongPasswords{until: make(map[passwordProof]time.Time)}
}

func (w *wrongPasswords) knows(p passwordProof, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	until, found := w.until[p]
	return found && now.Before(until)
}

func (w *wrongPasswords) remember(p passwordProof, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, found := w.until[p]; !found {
		if len(w.order) < wrongMax {
			w.order = append(w.order, p)
		} else {
			delete(w.until, w.order[w.turn])
			w.order[w.turn] = p
			w.turn = (w.turn + 1) % wrongMax
		}
	}
	w.until[p] = now.Add(wrongLife)
}
