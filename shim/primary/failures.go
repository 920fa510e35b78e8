package primary

import (
	"sync"
	"time"

	"mfabridge/internal/casefold"
)

// maxCounted is how many entries of a directory are counted at once; beyond it
// the one that failed first is forgotten.
const maxCounted = 1 << 14

// failures counts wrong passwords by entry, so that the directory's own limit,
// which locks a person out of everything, is not reached through us.
type failures struct {
	most   int
	window time.Duration

	mu     sync.Mutex
	counts map[string]*count
}

// count is what an entry has against it.
type count struct {
	wrong   []time.Time // within the window, oldest first
	atWork  int         // binds that have not been answered
	touched time.Time
}

func newFailures(most int, window time.Duration) *failures {
	return &failures{most: most, window: window, counts: make(map[string]*count)}
}

// begin tells whether one more bind may be tried. Binds that are at work count
// as if they failed: many at once must not slip through together. Whoever got
// true calls end.
func (f *failures) begin(dn string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := casefold.String(dn)
	c := f.counts[key]
	if c == nil {
		if len(f.counts) >= maxCounted {
			f.forget(now)
		}
		c = &count{}
		f.counts[key] = c
	}
	c.expire(now, f.window)
	if len(c.wrong)+c.atWork >= f.most {
		return false
	}
	c.atWork++
	c.touched = now
	return true
}

// end settles a bind: right ends the count, wrong adds to it, neither (an
// outage, a locked account) leaves it.
func (f *failures) end(dn string, right, wrong bool, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := casefold.String(dn)
	c := f.counts[key]
	if c == nil {
		return
	}
	c.atWork--
	switch {
	case right:
		c.wrong = nil
	case wrong:
		c.wrong = append(c.wrong, now)
	}
	if len(c.wrong) == 0 && c.atWork <= 0 {
		delete(f.counts, key)
	}
}

func (c *count) expire(now time.Time, window time.Duration) {
	for len(c.wrong) > 0 && now.Sub(c.wrong[0]) >= window {
		c.wrong = c.wrong[1:]
	}
}

// forget makes room: what has expired, else the entry touched longest ago.
func (f *failures) forget(now time.Time) {
	oldest, at := "", time.Time{}
	for key, c := range f.counts {
		c.expire(now, f.window)
		switch {
		case c.atWork > 0:
		case len(c.wrong) == 0:
			delete(f.counts, key)
		case oldest == "" || c.touched.Before(at):
			oldest, at = key, c.touched
		}
	}
	if len(f.counts) >= maxCounted {
		delete(f.counts, oldest)
	}
}
