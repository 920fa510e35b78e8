package session

import (
	"sync"
	"time"

	"mfabridge/cloud"
)

// How guesses are slowed down: as an engine of ours does by default. The first
// free ones in a row that fail cost nothing; each further one doubles the time
// for which nothing is asked, from firstDelay up to mostDelay.
const (
	free       = 5
	everywhere = 10 * free // of a user as a whole, once the first factor was proven
	firstDelay = 5 * time.Second
	mostDelay  = 15 * time.Minute
	forgetting = 24 * time.Hour
	maxSpots   = 50_000 // counts that are kept
)

// Brake slows down who guesses the codes or passwords of a user at a service,
// whatever limits that service has. Failures count by user and calling station
// (or address), and after a proven first factor again by user alone. A guess
// that is being made counts as failed until it is known how it went, so that
// many at once are no more than one after the other. Its memory is that of this
// process, and bounded: what has failed least is forgotten first.
//
// All methods may be called concurrently.
type Brake struct {
	now func() time.Time

	mu    sync.Mutex
	spots map[spot]count
}

// spot is where failures count; no place: everywhere.
type spot struct {
	user  cloud.UserID
	place string
}

type count struct {
	failed int
	last   time.Time
}

// Outcome is how a guess went.
type Outcome int

const (
	Failed Outcome = iota
	Passed
	Unknown // the service came to no verdict
)

// NewBrake makes one that nobody is slowed down by yet.
func NewBrake(now func() time.Time) *Brake { return &Brake{now: now, spots: map[spot]count{}} }

// Shut tells whether Try would say no.
func (b *Brake) Shut(user cloud.UserID, c cloud.Client, proven bool) bool {
	at, bars := spots(user, c, proven)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shut(at, bars, b.now())
}

func spots(user cloud.UserID, c cloud.Client, proven bool) (at []spot, bars []int) {
	at, bars = []spot{{user, place(c)}}, []int{free}
	if proven {
		at, bars = append(at, spot{user: user}), append(bars, everywhere)
	}
	return at, bars
}

func (b *Brake) shut(at []spot, bars []int, now time.Time) bool {
	for i, s := range at {
		if now.Before(b.current(s, now).until(bars[i])) {
			return true
		}
	}
	return false
}

// Try tells whether a guess may be made now. Whoever makes it calls done once.
func (b *Brake) Try(user cloud.UserID, c cloud.Client, proven bool) (done func(Outcome), ok bool) {
	at, bars := spots(user, c, proven)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.shut(at, bars, now) {
		return nil, false
	}
	before := make([]count, len(at))
	for i, s := range at {
		before[i] = b.current(s, now)
	}
	for i, s := range at {
		b.put(s, count{before[i].failed + 1, now})
	}
	return func(o Outcome) { b.done(at, before, o) }, true
}

// done corrects what Try has assumed.
func (b *Brake) done(at []spot, before []count, o Outcome) {
	if o == Failed {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	ends := 1
	if o == Passed { // ends the count of this place; what other places did stays counted
		ends = max(1, b.spots[at[0]].failed)
	}
	for i, s := range at {
		c, kept := b.spots[s]
		if c.failed -= ends; !kept || c.failed <= 0 {
			delete(b.spots, s)
			continue
		}
		if o == Unknown && c.failed == before[i].failed {
			c.last = before[i].last
		}
		b.spots[s] = c
	}
}

// current is the count of a spot, or none where it is to be forgotten. A last
// failure that lies ahead was counted before the clock was set back: it counts
// on, but locks nobody out until the clock gets there.
func (b *Brake) current(s spot, now time.Time) count {
	c := b.spots[s]
	switch {
	case now.Sub(c.last) >= forgetting:
		return count{}
	case c.last.Sub(now) > mostDelay:
		c.last = now.Add(-mostDelay)
	}
	return c
}

// until is the time before which nothing is asked; not after now: free.
func (c count) until(bar int) time.Time {
	if c.failed < bar {
		return time.Time{}
	}
	delay := firstDelay
	for i := bar; i < c.failed && delay < mostDelay; i++ {
		delay *= 2
	}
	return c.last.Add(min(delay, mostDelay))
}

// sampled is how many counts are looked at to find one to forget.
const sampled = 32

// put keeps a count. Where there are too many one of the least is forgotten:
// who makes up names pushes out others of the kind, and not who has guessed.
func (b *Brake) put(s spot, c count) {
	if _, kept := b.spots[s]; !kept && len(b.spots) >= maxSpots {
		var least spot
		n := 0
		for other, o := range b.spots { // in no order
			if l := b.spots[least]; n == 0 || o.failed < l.failed || o.failed == l.failed && o.last.Before(l.last) {
				least = other
			}
			if n++; n == sampled {
				break
			}
		}
		delete(b.spots, least)
	}
	b.spots[s] = c
}

// place is where a login comes from. Within a /64 of IPv6 a caller picks
// addresses freely.
func place(c cloud.Client) string {
	if c.Station != "" {
		return "station:" + c.Station
	}
	if a := c.Address.Unmap(); a.Is6() {
		p, _ := a.WithZone("").Prefix(64) // of an address that is valid
		return "address:" + p.String()
	} else if a.IsValid() {
		return "address:" + a.String()
	}
	return "unknown"
}
