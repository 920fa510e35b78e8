// Package oath computes the codes that generators show, and says when one of
// them is taken (RFC 4226, RFC 6238).
//
// A [Generator] is a secret with what its codes depend on; it lives as long as
// one question. What is known of the clock of the device, and which of its codes
// were used, is a [Clock]: a rule ([Generator.Check], [Generator.Resync]) is given
// one and returns the next, and whoever asks keeps it. Nothing here is stored, and
// time is an argument.
package oath

import (
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"mfabridge/cloud"
)

// Generator makes the codes of one app or token.
type Generator struct {
	secret string // Base32, as the otp package wants it
	opts   hotp.ValidateOpts
	period int64
}

// New takes the secret apart from its entry, which does not hold it where it is
// stored. It looks at algorithm, digits and period only.
func New(key []byte, o *cloud.OATH) (Generator, error) {
	g := Generator{secret: base32.StdEncoding.EncodeToString(key), opts: hotp.ValidateOpts{Digits: otp.Digits(o.Digits)}, period: int64(o.Period)}
	switch o.Algorithm {
	case cloud.SHA1:
		g.opts.Algorithm = otp.AlgorithmSHA1
	case cloud.SHA256:
		g.opts.Algorithm = otp.AlgorithmSHA256
	case cloud.SHA512:
		g.opts.Algorithm = otp.AlgorithmSHA512
	default:
		return Generator{}, fmt.Errorf("unknown OATH algorithm %q", string(o.Algorithm))
	}
	if g.period <= 0 {
		return Generator{}, fmt.Errorf("a generator cannot have steps of %d seconds", o.Period)
	}
	return g, nil
}

// Step is the step that a time is in, in periods since the epoch (RFC 6238 §4.2).
func (g Generator) Step(t time.Time) int64 { return t.Unix() / g.period }

// Code is the code of a step, or of a count (RFC 4226 §5.3).
func (g Generator) Code(step int64) (string, error) {
	return hotp.GenerateCodeCustom(g.secret, uint64(step), g.opts)
}

// is tells whether typed is the code of step, in constant time.
func (g Generator) is(typed []byte, step int64) (bool, error) {
	if step < 0 {
		return false, nil
	}
	code, err := g.Code(step)
	return err == nil && subtle.ConstantTimeCompare([]byte(code), typed) == 1, err
}
