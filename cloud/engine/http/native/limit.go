package native

import (
	"net/netip"
	"sync"
	"time"
)

// Rate bounds requests in a second. Zero fields are defaults.
type Rate struct {
	Address int // from one address, of IPv6 from one /64; 20
	All     int // 200
}

// maxBuckets bounds the addresses that are remembered.
const maxBuckets = 10_000

// burst is how many seconds' worth may come at once.
const burst = 2

// meter counts requests by address and altogether.
type meter struct {
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

func newMeter(r Rate, now func() time.Time) *meter {
	if r.Address <= 0 {
		r.Address = 20
	}
	if r.All <= 0 {
		r.All = 200
	}
	return &meter{rate: r, now: now, buckets: map[netip.Prefix]*bucket{}}
}

// take counts a request, or tells that there are too many. What one address has
// too many of does not count for all.
func (m *meter) take(from netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	key := netip.Prefix{}
	if a := from.Unmap().WithZone(""); a.IsValid() {
		bits := 64
		if a.Is4() {
			bits = 32
		}
		key, _ = a.Prefix(bits)
	}
	b := m.buckets[key]
	if b == nil {
		if len(m.buckets) >= maxBuckets {
			clear(m.buckets) // the limit on all stays
		}
		b = &bucket{}
		m.buckets[key] = b
	}
	b.fill(m.rate.Address, now)
	m.all.fill(m.rate.All, now)
	if b.left < 1 || m.all.left < 1 {
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
