package pskc

import (
	"errors"
	"io"
	"iter"
	"time"

	"mfabridge/internal/secret"
)

// Limits of a file that is read.
const (
	MaxFile       = 128 << 20 // bytes
	MaxKeys       = 100_000   // in one file
	MaxDepth      = 24        // elements within each other
	MaxElements   = 1000      // within one child of the container, such as a KeyPackage
	MaxValue      = 64 << 10  // bytes of the text of one element
	MaxField      = 1024      // bytes of a name, serial number or other text that is kept
	MaxSecret     = 1024      // bytes of a secret, decoded
	MaxIterations = 5_000_000 // rounds of PBKDF2 that a file may ask for
)

// ErrKey says that values do not open: the key or pass phrase is not the one
// that they were encrypted with, or the file is not as it was written. Nothing
// tells the two apart.
var ErrKey = errors.New("the key or pass phrase is wrong, or the file was changed")

// ErrKeyNeeded says that a file is encrypted and Options hold nothing to open
// it with, or a key where a pass phrase is needed or the other way round.
var ErrKeyNeeded = errors.New("the token file is encrypted")

// Options of Read. The zero value reads plain files.
type Options struct {
	// Key is the pre-shared key itself, 16, 24 or 32 bytes; decoding whatever
	// it was sent as is for the caller.
	Key secret.Bytes

	// Passphrase is what the key is derived from, where the file says so.
	Passphrase secret.Bytes
}

// Key is one key of a token file, values as they stand there, trimmed. What is
// not said is zero.
type Key struct {
	Line int // of its element, from 1

	ID           string // within the file and across exchanges
	Issuer       string
	UserID       string // often a distinguished name; of the key, else of the device
	Serial       string
	Manufacturer string
	Model        string

	Secret    secret.Bytes // zero if there is a Problem
	HOTP      bool         // counts events (RFC 4226); otherwise it counts time (RFC 6238)
	Algorithm string       // "SHA1", "SHA256" or "SHA512"
	Digits    int          // 0: not said
	Interval  int          // seconds; 0: not said
	Drift     int          // intervals that the token's clock is ahead (RFC 6030 §4.1)
	Counter   uint64       // of the next HOTP code

	Start, Expiry time.Time // the narrower of what device and policy say; zero: not said

	Encrypted bool // the secret was, and is proven unchanged
	Signed    bool // the file has an XML signature, which nobody has verified

	// Problem says why the key cannot be used, as a phrase that quotes no
	// secret; "" if it can.
	Problem string
}

// Read reads a token file and yields its keys in their order, once. If
// anything is wrong with the file as a whole, or any value does not open, it
// yields one error and no key: ErrKey, ErrKeyNeeded, or a sentence with the
// line.
func Read(r io.Reader, o Options) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		c := container{locks: locks{opt: o}}
		defer c.locks.wipe()
		if err := c.read(r); err != nil {
			for _, k := range c.keys {
				k.Secret.Wipe()
			}
			yield(Key{}, err)
			return
		}
		for _, k := range c.keys {
			k.Signed = c.signed
			if !yield(k, nil) {
				return
			}
		}
	}
}
