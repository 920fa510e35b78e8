package migrate

import (
	"context"
	"time"

	"mfabridge/cloud"
)

// How a run answers to a target that throttles it: what it does at once is
// halved, and grows again by a sixteenth of the most for every Write that the
// target took (additive increase, multiplicative decrease).
const (
	growth    = 16
	deepest   = 64  // the best rate is this many times the lowest
	leastSoft = 0.1 // changes a second that a run does not go below by itself
)

// pacer says how much may be written, and when. It belongs to the run's own
// goroutine.
type pacer struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error

	hard bucket // the operator's limit
	soft bucket // what the target is known to stand

	size, mostSize   int // changes in one Write
	lanes, mostLanes int // Writes at a time

	best  float64   // the highest rate that the target is known to have taken
	since time.Time // beginning of what is measured
	made  int       // changes made since
}

// newPacer starts at what the target is known to stand, a change counted as
// one of its units besides the reading before it: where changes are dearer it
// asks for less soon enough. An operator who names a rate knows better.
func newPacer(o ApplyOptions, batch int, known cloud.Pace) *pacer {
	p := &pacer{now: o.Now, sleep: o.Sleep, size: batch, mostSize: batch, lanes: o.Concurrency, mostLanes: o.Concurrency}
	p.hard = newBucket(o.Rate)
	if known.PerSecond > 0 && o.Rate <= 0 {
		p.best = known.PerSecond / (1 + known.Read)
		p.limit(p.best)
	}
	return p
}

// limit sets what the target is believed to stand. However long a storm
// lasts, a run stays within reach of the best rate that it has seen.
func (p *pacer) limit(rate float64) {
	p.soft = newBucket(max(rate, p.best/deepest, leastSoft))
}

// portion is the most changes that are written together: a second's worth of
// the operator's limit, and of what the target is believed to stand a second's
// worth for each Write at a time, since a Write may well take a second.
func (p *pacer) portion() int {
	n := p.size * p.lanes
	if p.hard.rate > 0 {
		n = min(n, max(int(p.hard.burst), 1))
	}
	if p.soft.rate > 0 {
		n = min(n, max(int(p.soft.burst*float64(p.lanes)), 1))
	}
	return n
}

// take waits until n changes may be sent.
func (p *pacer) take(ctx context.Context, n int) error {
	if p.since.IsZero() {
		p.since = p.now()
	}
	for _, b := range []*bucket{&p.hard, &p.soft} {
		if d := b.take(p.now(), float64(n)); d > 0 {
			if err := p.sleep(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// took says that the target made n changes.
func (p *pacer) took(n int) { p.made += n }

// grow says that the target took all that it was sent at a time.
func (p *pacer) grow() {
	p.size = min(p.mostSize, p.size+max(p.mostSize/growth, 1))
	p.lanes = min(p.mostLanes, p.lanes+1)
	if p.soft.rate > 0 {
		p.soft.set(p.soft.rate + max(p.best, leastSoft)/growth)
	}
}

// refused says that the target could not take a Write; throttled, that it
// asked for less.
func (p *pacer) refused(throttled bool) {
	p.size, p.lanes = max(p.size/2, 1), max(p.lanes/2, 1)
	if throttled {
		rate := p.soft.rate
		if spent := p.now().Sub(p.since).Seconds(); p.made > 0 && spent > 0 {
			rate = float64(p.made) / spent
			p.best = max(p.best, rate)
			if p.soft.rate > 0 {
				rate = min(rate, p.soft.rate)
			}
		}
		if rate > 0 {
			p.limit(rate / 2)
		}
	}
	p.since, p.made = time.Time{}, 0 // the wait that follows is no part of what it stands
}

// bucket holds the leave to make changes; it fills at a rate up to one
// second's worth.
type bucket struct {
	rate  float64 // a second; 0: no limit
	burst float64
	have  float64 // may be below zero: what was taken in advance
	last  time.Time
}

func newBucket(rate float64) bucket {
	b := bucket{}
	b.set(rate)
	b.have = b.burst
	return b
}

func (b *bucket) set(rate float64) { b.rate, b.burst = rate, max(rate, 1) }

// take takes n and returns how long to wait before they are used. More than
// the bucket holds is taken in advance, and makes the next one wait. A clock
// that goes backwards neither fills nor empties it.
func (b *bucket) take(now time.Time, n float64) time.Duration {
	if b.rate <= 0 {
		return 0
	}
	if spent := now.Sub(b.last).Seconds(); !b.last.IsZero() && spent > 0 {
		b.have = min(b.burst, b.have+spent*b.rate)
	}
	b.last = now
	missing := min(n, b.burst) - b.have
	b.have -= n
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / b.rate * float64(time.Second))
}
