package oath

import (
	"time"

	"mfabridge/cloud"
)

// Windows of the search for a code's step, in steps to each side.
const (
	WindowProven = 1  // once a code was accepted: around the remembered drift
	windowNear   = 2  // before that: accepted at once
	WindowFar    = 20 // before that: two consecutive codes

	// windowResync is how far off a clock may be that somebody brings in line: a
	// day of 30 seconds, as at activation in Entra ID.
	windowResync = 2880
)

// Clock is what is known of a generator's clock and of its use. Steps count
// periods since the epoch (RFC 6238 §4.2).
type Clock struct {
	Proven bool  // a code was accepted since the generator was registered
	Drift  int   // steps that the device is ahead of us; until Proven, as imported
	Last   int64 // the last accepted step; none at or below is accepted again
	Seen   int64 // until Proven: far-off step whose code was right; 0: none
}

// Check is the whole rule of one code and one generator: it says whether typed
// is right (an empty Reason), and what is known of the clock after it.
// The clock is to be stored where it differs from before.
//
// A proven generator is searched one step to each side of its drift, and its
// drift follows by at most one step. One that was never used is searched
// WindowFar steps to each side: near matches are accepted at once, far ones
// when the code of the very next step follows. No step at or before the last
// accepted one is accepted again (RFC 6238 §5.2).
func (g Generator) Check(typed []byte, c Clock, now time.Time) (Clock, cloud.Reason, error) {
	if len(typed) != g.opts.Digits.Length() || !areDigits(typed) {
		return c, cloud.WrongCode, nil
	}
	step := g.Step(now)
	centre := step + int64(c.Drift)
	reach, near := int64(WindowFar), int64(windowNear)
	if c.Proven {
		reach, near = WindowProven, WindowProven
	}
	used := false
	var far int64
	for i := range 2*reach + 1 {
		at := centre + outward(i)
		right, err := g.is(typed, at)
		switch {
		case err != nil:
			return c, "", err
		case !right:
		case at <= c.Last:
			used = true
		case at-centre <= near && centre-at <= near, c.Seen != 0 && at == c.Seen+1:
			return Clock{Proven: true, Drift: int(at - step), Last: at}, "", nil
		case far == 0:
			far = at
		}
	}
	switch {
	case used:
		return c, cloud.UsedCode, nil
	case far != 0:
		c.Seen = far
		return c, cloud.NeedNextCode, nil
	default:
		return c, cloud.WrongCode, nil
	}
}

// Resync looks for two codes that the generator showed one after the other,
// nearest first, up to windowResync steps away. Both are used with it; those at or
// before one that was accepted prove nothing.
func (g Generator) Resync(one, two []byte, c Clock, now time.Time) (Clock, bool, error) {
	step := g.Step(now)
	for i := range int64(2*windowResync + 1) {
		at := step + outward(i)
		if at <= c.Last {
			continue
		}
		right, err := g.is(one, at)
		if err != nil {
			return c, false, err
		}
		if !right {
			continue
		}
		if right, err = g.is(two, at+1); err != nil {
			return c, false, err
		}
		if right {
			return Clock{Proven: true, Drift: int(at + 1 - step), Last: at + 1}, true, nil
		}
	}
	return c, false, nil
}

// outward counts 0, -1, 1, -2, 2, …: nearest steps first, of two equally near
// ones the earlier, whose code the user was more likely shown.
func outward(i int64) int64 {
	if i%2 == 1 {
		return -(i + 1) / 2
	}
	return i / 2
}

func areDigits(typed []byte) bool {
	for _, c := range typed {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(typed) > 0
}
