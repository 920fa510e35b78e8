package cloudtest

import (
	"sync"
	"time"
)

// Clock is a clock that stands still until a test moves it. Any number of
// goroutines may look at it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock shows a time that is seven seconds into a minute, so that half a
// code's period is left in both directions.
func NewClock() *Clock { return ClockAt(time.Date(2026, 11, 2, 9, 0, 7, 0, time.UTC)) }

// ClockAt shows a time of the caller's choice.
func ClockAt(at time.Time) *Clock { return &Clock{now: at} }

// Now is the time that it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves it.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
