package engine

import (
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/form"
)

// Windows of the search for a code's step, in steps to each side.
const (
	windowProven = 1  // once a code was accepted: around the remembered drift
	windowNear   = 2  // before that: accepted at once
	windowFar    = 20 // before that: two consecutive codes
)

// generator makes the codes of one token.
type generator struct {
	secret string // Base32, as the otp package wants it
	opts   hotp.ValidateOpts
}

func newGenerator(key []byte, o *cloud.OATH) (generator, error) {
	g := generator{secret: base32.StdEncoding.EncodeToString(key), opts: hotp.ValidateOpts{Digits: otp.Digits(o.Digits)}}
	switch o.Algorithm {
	case cloud.SHA1:
		g.opts.Algorithm = otp.AlgorithmSHA1
	case cloud.SHA256:
		g.opts.Algorithm = otp.AlgorithmSHA256
	case cloud.SHA512:
		g.opts.Algorithm = otp.AlgorithmSHA512
	default:
		return generator{}, fmt.Errorf("unknown OATH algorithm %q", string(o.Algorithm))
	}
	return g, nil
}

// code is the code of a step (RFC 6238 §4.2).
func (g generator) code(step int64) (string, error) {
	return hotp.GenerateCodeCustom(g.secret, uint64(step), g.opts)
}

// is tells whether typed is the code of step, in constant time.
func (g generator) is(typed []byte, step int64) (bool, error) {
	if step < 0 {
		return false, nil
	}
	code, err := g.code(step)
	return err == nil && subtle.ConstantTimeCompare([]byte(code), typed) == 1, err
}

// cleanCode drops the spaces that people type between groups of digits.
func cleanCode(typed []byte) []byte {
	return []byte(strings.Map(func(r rune) rune {
		if r == ' ' {
			return -1
		}
		return r
	}, string(typed)))
}

// checkCode is the whole rule of one code and one generator: it says whether
// typed is right (an empty Reason), and what is known of the clock after it.
// The clock is to be stored where it differs from before.
//
// A proven generator is searched one step to each side of its drift, and its
// drift follows by at most one step. One that was never used is searched
// windowFar steps to each side: near matches are accepted at once, far ones
// when the code of the very next step follows. No step at or before the last
// accepted one is accepted again (RFC 6238 §5.2).
func checkCode(g generator, typed []byte, period int, c Clock, now time.Time) (Clock, cloud.Reason, error) {
	if len(typed) != g.opts.Digits.Length() || !form.IsDigits(string(typed)) {
		return c, cloud.WrongCode, nil
	}
	step := now.Unix() / int64(period)
	centre := step + int64(c.Drift)
	reach, near := int64(windowFar), int64(windowNear)
	if c.Proven {
		reach, near = windowProven, windowProven
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

// outward counts 0, -1, 1, -2, 2, …: nearest steps first, of two equally near
// ones the earlier, whose code the user was more likely shown.
func outward(i int64) int64 {
	if i%2 == 1 {
		return -(i + 1) / 2
	}
	return i / 2
}
