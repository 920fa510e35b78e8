package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Limits of an application in a tenant (throttling-limits, identity and
// access): resource units by the size of the tenant, and writes.
const (
	unitsWindow  = 10 * time.Second
	unitsSmall   = 3500 // up to 50 users
	unitsMedium  = 5000 // up to 500
	unitsLarge   = 8000
	writesWindow = 150 * time.Second
	writesMost   = 3000
)

// bucket is what one application has left.
type bucket struct {
	most          float64 // resource units of a window
	units, writes float64
	at            time.Time
}

// fill gives back what time gives back.
func (b *bucket) fill(now time.Time) {
	if passed := now.Sub(b.at); passed > 0 {
		b.units = min(b.most, b.units+b.most*passed.Seconds()/unitsWindow.Seconds())
		b.writes = min(writesMost, b.writes+writesMost*passed.Seconds()/writesWindow.Seconds())
		b.at = now
	}
}

// cost is what a call takes, by the rules of the page.
func (r *route) cost(c *call) int {
	units := max(r.units, 1)
	if c.query.Has("select") {
		units--
	}
	if c.query.Has("expand") {
		units++
	}
	if top, err := strconv.Atoi(c.query.Get("top")); err == nil && top < 20 {
		units--
	}
	return max(units, 1)
}

// asks tells a POST that changes nothing, and is no write.
func (r *route) asks() bool { return strings.HasSuffix(r.path, "MemberGroups") }

// spend takes what a call costs, or answers 429. The headers go with whatever
// is answered.
func (f *Face) spend(c *call, r *route) (http.Header, error) {
	h := http.Header{}
	cost := r.cost(c)
	h.Set("x-ms-resource-unit", strconv.Itoa(cost))
	if f.assume.Limits == "none" {
		return h, nil
	}
	most, err := f.size(c)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	b := f.buckets[c.app]
	if b == nil {
		b = &bucket{most: most, units: most, writes: writesMost, at: now}
		f.buckets[c.app] = b
	}
	b.fill(now)
	write := 0.0
	if c.method != http.MethodGet && !r.asks() {
		write = 1
	}
	switch {
	case b.writes < write:
		return nil, f.throttled(c, "Write", "WriteLimitExceeded", (write-b.writes)*writesWindow.Seconds()/writesMost)
	case b.units < float64(cost):
		return nil, f.throttled(c, "ReadWrite", "ResourceUnitLimitExceeded", (float64(cost)-b.units)*unitsWindow.Seconds()/b.most)
	}
	b.writes -= write
	b.units -= float64(cost)
	if used := max(1-b.units/b.most, 1-b.writes/writesMost); used >= 0.8 {
		h.Set("x-ms-throttle-limit-percentage", fmt.Sprintf("%.1f", used))
	}
	return h, nil
}

// size is how many resource units a tenant of this many users has.
func (f *Face) size(c *call) (float64, error) {
	f.mu.Lock()
	b := f.buckets[c.app]
	f.mu.Unlock()
	if b != nil {
		return b.most, nil
	}
	some, err := f.core.PersonsAfter(c.ctx, "", 501)
	switch {
	case err != nil:
		return 0, err
	case len(some) > 500:
		return unitsLarge, nil
	case len(some) > 50:
		return unitsMedium, nil
	}
	return unitsSmall, nil
}

// throttled is 429. With retry-after=no nothing says when to come back.
func (f *Face) throttled(c *call, kind, why string, seconds float64) *trouble {
	t := fail(http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
	t.header = http.Header{}
	t.header.Set("x-ms-throttle-scope", fmt.Sprintf("Tenant_Application/%s/%s/%s", kind, c.app, f.core.Instance()))
	t.header.Set("x-ms-throttle-information", why)
	if f.assume.RetryAfter == "yes" {
		t.header.Set("Retry-After", strconv.Itoa(max(int(math.Ceil(seconds)), 1)))
	}
	return t
}

// chances are the dice of the scripted faults, each its own: they fall alike in
// every process, and not by turns. What failed each N-th time exactly would
// meet a client that asks by turns always in the same place.
type chances struct{ throttle, busy, writes, items *rand.Rand }

func newChances() chances {
	die := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, n)) }
	return chances{die(1), die(2), die(3), die(4)}
}

// oneIn tells once in n times; 0: never.
func (f *Face) oneIn(n int, die *rand.Rand) bool {
	if n == 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return die.IntN(n) == 0
}

// fault is the scripted refusal of a call that would be answered otherwise.
func (f *Face) fault() error {
	if f.oneIn(f.assume.Throttle, f.dice.throttle) {
		t := f.throttled(&call{app: "rehearsal"}, "ReadWrite", "CPULimitExceeded", 1)
		return t
	}
	if f.oneIn(f.assume.Busy, f.dice.busy) {
		t := fail(http.StatusServiceUnavailable, "serviceNotAvailable", "The service is not available.")
		if f.assume.RetryAfter == "yes" {
			t.header = http.Header{"Retry-After": {"1"}}
		}
		return t
	}
	return nil
}

// loses tells that the answer to a write is not to arrive.
func (f *Face) loses() bool { return f.oneIn(f.assume.Lost, f.dice.writes) }
