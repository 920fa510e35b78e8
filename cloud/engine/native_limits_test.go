package engine_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// Every limit on codes of native authentication says no, and says yes again in
// the next window: those of one place, of one number, and of all.
func TestLimitsOnCodes(t *testing.T) {
	const quarter, day = 15 * time.Minute, 24 * time.Hour
	here := netip.MustParseAddr("192.0.2.10")
	anybody := func(i int) (string, netip.Addr) { return fmt.Sprintf("+1 42555%05d", i), here }
	somebody := func(i int) (string, netip.Addr) {
		return "+1 4255550100", netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
	}
	all := func(i int) (string, netip.Addr) {
		return fmt.Sprintf("+1 42555%05d", i), netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	type turn struct {
		after time.Duration
		want  int
	}
	for name, c := range map[string]struct {
		of    func(int) (string, netip.Addr)
		turns []turn
	}{
		"from one place": {anybody, []turn{{0, 100}, {quarter, 100}, {quarter, 100}, {quarter, 0}, {quarter, 100}, {quarter, 100}, {quarter, 0}, {time.Hour, 0}, {day, 100}}},
		"to one number":  {somebody, []turn{{0, 15}, {quarter, 5}, {quarter, 0}, {2 * quarter, 10}, {time.Hour, 0}, {day, 15}, {quarter, 5}, {day, 0}, {day, 0}, {7 * day, 15}}},
		"in all":         {all, []turn{{0, 500}, {quarter, 500}, {quarter, 500}, {quarter, 0}, {quarter, 500}, {quarter, 500}, {quarter, 500}, {2 * quarter, 500}, {quarter, 500}, {quarter, 500}, {2 * quarter, 500}, {quarter, 0}, {day, 500}}},
	} {
		h := build(t)
		h.Advance(time.Date(2026, 11, 12, 0, 0, 0, 0, time.UTC).Sub(h.Now())) // a Thursday: weeks of Unix time begin so
		for i, turn := range c.turns {
			h.Advance(turn.after)
			if got := h.SpendCodes(t, "sms", turn.want+1, c.of); got != turn.want {
				t.Errorf("%s, turn %d at %s: %d, want %d", name, i+1, h.Now().Format(time.DateTime), got, turn.want)
			}
		}
	}
}
