package shim

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"mfabridge/shim/radius"
)

// Whatever lengths replies have, a retransmission gets its very reply or counts
// as a fresh request: the oldest are given up first, and the last one never.
func TestRepliesAreTheirOwn(t *testing.T) {
	const slots, each = 300, 20_000
	now := time.Unix(1_790_000_000, 0)
	c := newReplyCache(slots, slots)
	random := rand.New(rand.NewPCG(1, 2))
	sent := map[int][]byte{}
	of := func(n int) source {
		zone := ""
		if n%2 == 0 {
			zone = "eth0"
		}
		return source{from: netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(zone), uint16(n)), identifier: byte(n >> 16)}
	}
	authenticator := func(n int) []byte { return append(make([]byte, 14), byte(n>>8), byte(n)) }
	lost, found := 0, 0
	for n := range each {
		kind, _, k := c.begin(of(n), authenticator(n), now)
		if kind != fresh {
			t.Fatalf("request %d is %v", n, kind)
		}
		reply := bytes.Repeat([]byte{byte(n)}, radius.HeaderLength+random.IntN(80))
		if n%50 == 0 {
			reply = bytes.Repeat([]byte{byte(n)}, radius.MaxLength-n%7)
		}
		if !c.complete(k, reply, now) {
			t.Fatalf("request %d cannot be answered", n)
		}
		sent[n] = reply
		for _, back := range []int{0, 1, random.IntN(slots), random.IntN(2 * slots)} {
			if back > n {
				continue
			}
			switch kind, got, k := c.begin(of(n-back), authenticator(n-back), now); {
			case kind == answered && !bytes.Equal(got, sent[n-back]):
				t.Fatalf("request %d got another's reply", n-back)
			case kind == answered:
				found++
			case back < 2:
				t.Fatalf("the reply to request %d of %d is lost", n-back, n)
			default:
				lost++
				c.forget(k)
			}
		}
	}
	if lost == 0 || found < each {
		t.Errorf("%d replies found, %d given up", found, lost)
	}
	// The same address elsewhere, or at another interface, is another source.
	for _, other := range []source{
		{from: netip.AddrPortFrom(netip.MustParseAddr("fe80::1%eth1"), of(each-1).from.Port()), identifier: of(each - 1).identifier},
		{from: netip.AddrPortFrom(netip.MustParseAddr("fe80::2"), of(each-1).from.Port()), identifier: of(each - 1).identifier},
		{from: of(each - 1).from, identifier: of(each-1).identifier + 1},
	} {
		if kind, _, _ := c.begin(other, authenticator(each-1), now); kind != fresh {
			t.Errorf("%v is taken for somebody else", other)
		}
	}
}

// An IPv4 address and the IPv6 address that maps it are two sources.
func TestMappedAddressesAreOtherSources(t *testing.T) {
	c := newReplyCache(8, 8)
	now := time.Unix(1_790_000_000, 0)
	plain := source{from: netip.MustParseAddrPort("192.0.2.1:1812")}
	_, _, k := c.begin(plain, make([]byte, 16), now)
	c.complete(k, []byte("reply"), now)
	if kind, _, _ := c.begin(source{from: netip.MustParseAddrPort("[::ffff:192.0.2.1]:1812")}, make([]byte, 16), now); kind != fresh {
		t.Error("they are one")
	}
	if kind, got, _ := c.begin(plain, make([]byte, 16), now); kind != answered || string(got) != "reply" {
		t.Errorf("%v, %q", kind, got)
	}
}
