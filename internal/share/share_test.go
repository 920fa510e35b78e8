package share_test

import (
	"net/netip"
	"testing"

	"mfabridge/internal/share"
)

// However many addresses take all they can get, the next one gets a place.
func TestSomebodyElseGetsAPlace(t *testing.T) {
	p := share.New(100)
	had := map[netip.Prefix]int{}
	for i := range 9 {
		from := share.Single(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
		for p.Take(from) {
			had[from]++
		}
		if want := []int{50, 25, 13, 6, 3, 2, 1}; i < len(want) && had[from] != want[i] {
			t.Errorf("address %d got %d places, want %d", i, had[from], want[i])
		}
	}
	if p.Taken() != 100 {
		t.Fatalf("%d places are taken", p.Taken())
	}
	if p.Take(netip.Prefix{}) {
		t.Error("a place beyond all of them")
	}
	for from, n := range had {
		for range n {
			p.Leave(from)
		}
	}
	if p.Taken() != 0 {
		t.Errorf("%d places are taken afterwards", p.Taken())
	}
	for i := range 100 {
		if !p.Take(netip.Prefix{}) {
			t.Fatalf("nobody in particular got %d places", i)
		}
	}
}

func TestWhoIsOneCaller(t *testing.T) {
	for given, want := range map[string]string{"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "127.0.0.1": "", "::1": "", "::ffff:127.0.0.1": ""} {
		got := share.Single(netip.MustParseAddr(given))
		if got.IsValid() != (want != "") || got.IsValid() && got.String() != want {
			t.Errorf("%s: %v, want %s", given, got, want)
		}
	}
	if share.Home(netip.MustParseAddr("127.0.0.1")).String() != "127.0.0.1/32" || share.Home(netip.Addr{}).IsValid() {
		t.Error("home of this machine, or of nobody")
	}
}
