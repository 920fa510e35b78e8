package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Limits say how failures slow a user down. The first Free failures in a row
// cost nothing; each further one doubles the time for which nothing is
// checked, from First up to Most. Failures count by user, way of verifying and
// calling station (or address), and again by user and way alone with ten times
// Free. A success ends the count of its place; Forget after the last failure
// the count is forgotten.
type Limits struct {
	Free   int           // 0: 5
	First  time.Duration // 0: 5 seconds
	Most   time.Duration // 0: 15 minutes
	Forget time.Duration // 0: 24 hours
}

// everywhere is how many times Free is allowed across all places.
const everywhere = 10

func (l Limits) filled() Limits {
	if l.Free <= 0 {
		l.Free = 5
	}
	if l.First <= 0 {
		l.First = 5 * time.Second
	}
	if l.Most <= 0 {
		l.Most = 15 * time.Minute
	}
	if l.Forget <= 0 {
		l.Forget = 24 * time.Hour
	}
	return l
}

// until is the time before which nothing is checked; at or before now: free.
func (l Limits) until(f Failures, free int) time.Time {
	if f.Count < free {
		return time.Time{}
	}
	delay := l.First
	for i := free; i < f.Count && delay < l.Most; i++ {
		delay *= 2
	}
	return f.Last.Add(min(delay, l.Most))
}

// after counts one more failure.
func (l Limits) after(f Failures, now time.Time) Failures {
	return Failures{Count: l.current(f, now).Count + 1, Last: now}
}

// current is f, or nothing where it is to be forgotten. A last failure that
// lies ahead by more than the longest delay was counted before the clock was
// set back: it counts on, but locks nobody out until the clock gets there.
func (l Limits) current(f Failures, now time.Time) Failures {
	switch {
	case now.Sub(f.Last) >= l.Forget:
		return Failures{}
	case f.Last.Sub(now) > l.Most:
		f.Last = now.Add(-l.Most)
	}
	return f
}

// gate is the limit of one user, way and place, as read in a transaction.
type gate struct {
	limits    Limits
	here, all Counter
	hereSeen  Failures
	allSeen   Failures
}

// gate reads both counts.
func (e *Engine) gate(r Reader, user, way, place string, now time.Time) (g gate, err error) {
	g = gate{limits: e.limits, here: Counter{User: user, Way: way, Place: place}, all: Counter{User: user, Way: way}}
	if g.hereSeen, err = r.Failures(g.here); err != nil {
		return g, err
	}
	if g.allSeen, err = r.Failures(g.all); err != nil {
		return g, err
	}
	g.hereSeen, g.allSeen = e.limits.current(g.hereSeen, now), e.limits.current(g.allSeen, now)
	return g, nil
}

// closed tells whether nothing is checked now.
func (g gate) closed(now time.Time) bool {
	return now.Before(g.limits.until(g.hereSeen, g.limits.Free)) ||
		now.Before(g.limits.until(g.allSeen, everywhere*g.limits.Free))
}

// failed counts a failure.
func (g gate) failed(tx Tx, now time.Time) error {
	if err := tx.PutFailures(g.here, g.limits.after(g.hereSeen, now)); err != nil {
		return err
	}
	return tx.PutFailures(g.all, g.limits.after(g.allSeen, now))
}

// passed ends the count of this place. What other places did stays counted.
func (g gate) passed(tx Tx) error {
	if g.hereSeen.Count == 0 {
		return nil
	}
	if err := tx.PutFailures(g.here, Failures{}); err != nil {
		return err
	}
	rest := max(0, g.allSeen.Count-g.hereSeen.Count)
	return tx.PutFailures(g.all, Failures{Count: rest, Last: g.allSeen.Last})
}

// digest is a short stand-in for a text of any length or confidence.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
