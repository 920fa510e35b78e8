package serve

import (
	"container/list"
	"net"
	"net/netip"
	"testing"
	"time"
)

// Addresses are as many as somebody likes: none of those that have gone is
// remembered of connections, and no more than a bounded number of requests.
func TestAddressesAreForgotten(t *testing.T) {
	b := &bounder{places: make(chan struct{}, 2), held: map[netip.Prefix]*list.List{}}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	from := netip.MustParsePrefix("192.0.2.1/32")
	for range 2 {
		b.places <- struct{}{}
	}
	one, two := b.placed(ours, from), b.placed(ours, from)
	for _, p := range []*placed{one, one, two} { // whoever closes twice gives one place back
		if len(b.held) != 1 {
			t.Fatalf("%d addresses", len(b.held))
		}
		_ = p.Close()
	}
	if len(b.held) != 0 || len(b.places) != 0 {
		t.Errorf("%d addresses, %d places", len(b.held), len(b.places))
	}
	m := NewMeter(Rate{Address: 1}, func() time.Time { return time.Unix(1_900_000_000, 0) })
	for i := range maxBuckets + 2 {
		if !m.Take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})) || len(m.buckets) > maxBuckets {
			t.Fatalf("address %d, %d are remembered", i, len(m.buckets))
		}
	}
}
