package serve

import (
	"net/netip"
	"sync"
	"time"

	"mfabridge/internal/share"
)

// Rate bounds requests in a second.
type Rate struct {
	Address int // from one address, of IPv6 from one /64; 0: 20
	All     int // 0: no limit but those of addresses
}

// maxBuckets bounds the addresses that are remembered.
const maxBuckets = 10_000

// burst is how many seconds' worth may come at once.
const burst = 2

// Meter counts requests by address and altogether. Its methods may be called
// concurrently.
type Meter struct {
	rate Rate
	now  func() time.Time

	mu      sync.Mutex
	buckets map[netip.Prefix]*bucket
	all     bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// NewMeter makes one.
func NewMeter(r Rate, now func() time.Time) *Meter {
	if r.Address <= 0 {
		r.Address = 20
	}
	return &Meter{rate: r, now: now, buckets: map[netip.Prefix]*bucket{}}
}

// Take counts a request, or tells that there are too many. What one address has
// too many of does not count for all.
func (m *Meter) Take(from netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	key := share.Home(from)
	b := m.buckets[key]
	if b == nil {
		if len(m.buckets) >= maxBuckets {
			clear(m.buckets) // the limit on all stays, if there is one
		}
		b = &bucket{}
		m.buckets[key] = b
	}
	b.fill(m.rate.Address, now)
	m.all.fill(m.rate.All, now)
	if b.left < 1 || m.rate.All > 0 && m.all.left < 1 {
		return false
	}
	b.left--
	m.all.left--
	return true
}

// fill adds what time has brought.
func (b *bucket) fill(rate int, now time.Time) {
	most := float64(rate * burst)
	if b.at.IsZero() {
		b.left = most
	} else if passed := now.Sub(b.at); passed > 0 {
		b.left = min(most, b.left+passed.Seconds()*float64(rate))
	}
	b.at = now
}
