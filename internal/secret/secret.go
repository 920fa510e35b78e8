// Package secret holds values that must never be shown: seeds, passwords,
// codes, shared secrets. A [Bytes] cannot be printed by accident: every way
// that fmt, log/slog and the encoders have of looking at it yields
// "[redacted]", also when it sits in an unexported field of another struct.
//
// A value leaves the type only through [Bytes.Reveal], which is easy to find
// in a review.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Bytes is a secret value. The zero value is "no secret".
//
// The bytes stand behind a function: fmt follows unexported fields by
// reflection without calling their methods, and prints slices, strings and, for
// some verbs, what a pointer points to; of a function it prints the address.
type Bytes struct {
	reveal func() []byte
}

// New wraps b without copying it; the caller gives b up.
func New(b []byte) Bytes {
	if len(b) == 0 {
		return Bytes{}
	}
	return Bytes{reveal: func() []byte { return b }}
}

// FromString wraps a copy of s.
func FromString(s string) Bytes { return New([]byte(s)) }

// Reveal returns the value itself. It must not be changed, kept longer than
// needed, or put into an error, a log line or a report.
func (s Bytes) Reveal() []byte {
	if s.reveal == nil {
		return nil
	}
	return s.reveal()
}

// Len is the number of bytes.
func (s Bytes) Len() int { return len(s.Reveal()) }

// IsZero tells whether there is no secret.
func (s Bytes) IsZero() bool { return s.reveal == nil }

// Equal compares in constant time for values of one length.
func (s Bytes) Equal(t Bytes) bool {
	return subtle.ConstantTimeCompare(s.Reveal(), t.Reveal()) == 1
}

// Wipe overwrites the value in memory, for all copies of s.
func (s Bytes) Wipe() { clear(s.Reveal()) }

// String returns "[redacted]", whatever the value.
func (Bytes) String() string { return redacted }

// GoString returns "[redacted]", for %#v.
func (Bytes) GoString() string { return redacted }

// Format writes "[redacted]" for every verb and flag.
func (Bytes) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue is "[redacted]", for log/slog.
func (Bytes) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is "[redacted]", for encoding/json, XML and YAML.
func (Bytes) MarshalText() ([]byte, error) { return []byte(redacted), nil }
