package shim

import (
	"encoding/binary"
	"testing"
	"time"
)

// Conversations that nobody goes on with do not add up: the oldest goes, and
// those that are at work stay.
func TestBoundOfPins(t *testing.T) {
	p := newPins(newMACKey(make([]byte, 32)))
	a := attempt{client: &client{}, user: "ada"}
	now := time.Unix(1_900_000_000, 0)
	known := func(n int) bool {
		a.state = binary.BigEndian.AppendUint32(nil, uint32(n))
		_, ok := p.find(a, now)
		return ok
	}
	for n := range recentMax + 10 {
		for range 2 { // the second round of a conversation takes no other place
			p.put(a, binary.BigEndian.AppendUint32(nil, uint32(n)), pin{server: "old:1812"}, now)
		}
	}
	if len(p.kept.kept) != recentMax || len(p.kept.turn) != recentMax || known(0) || known(9) || !known(10) || !known(recentMax+9) {
		t.Errorf("%d conversations are kept, in %d places", len(p.kept.kept), len(p.kept.turn))
	}
	now = now.Add(pinLife)
	if known(recentMax + 9) {
		t.Error("a conversation goes on after its time")
	}
}
