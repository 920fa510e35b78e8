package planfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"mfabridge/migrate"
)

// sealer seals and opens the values of users with AES-256-GCM. The key is
// derived for one plan from a data key that no other plan has, and each user
// of a plan is sealed once: so the ordinal is a nonce that never repeats.
type sealer struct {
	aead  cipher.AEAD
	plan  string
	plain []byte // reused
	bound []byte // reused
}

func newSealer(k key) (*sealer, error) {
	derived, err := hkdf.Key(sha256.New, k.data.Reveal(), []byte(k.plan), "mfabridge plan values 1", keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &sealer{aead: aead, plan: k.plan}, nil
}

func (s *sealer) nonce(ordinal int) []byte {
	var n [12]byte
	binary.BigEndian.PutUint64(n[4:], uint64(ordinal))
	return n[:]
}

// seal returns d's values sealed, nil where there are none.
func (s *sealer) seal(d *migrate.Decision) ([]byte, error) {
	if len(d.Changes) == 0 && len(d.Facts) == 0 {
		return nil, nil
	}
	s.plain = encodeValues(s.plain[:0], d)
	defer clear(s.plain)
	if len(s.plain)+s.aead.Overhead() > MaxSealed {
		return nil, fmt.Errorf("the values of user %q are larger than %d bytes", d.Username, MaxSealed)
	}
	s.bound = s.bind(s.bound[:0], d)
	return s.aead.Seal(nil, s.nonce(d.Ordinal), s.plain, s.bound), nil
}

// open fills in the values of d from their seal. The rest of d must be what
// it was when they were sealed.
func (s *sealer) open(sealed []byte, d *migrate.Decision) error {
	if len(d.Changes) == 0 && len(d.Facts) == 0 && len(sealed) == 0 {
		return nil
	}
	if len(sealed) > MaxSealed {
		return errSealed
	}
	s.bound = s.bind(s.bound[:0], d)
	plain, err := s.aead.Open(s.plain[:0], s.nonce(d.Ordinal), sealed, s.bound)
	if err != nil {
		return errors.New("the sealed values do not belong to this user and these changes")
	}
	s.plain = plain
	defer clear(plain)
	return decodeValues(plain, d)
}

// bind appends what the seal binds the values to: the plan, the user, and
// what is to be done with each value.
func (s *sealer) bind(b []byte, d *migrate.Decision) []byte {
	b = appendText(b, s.plan)
	b = binary.AppendUvarint(b, uint64(d.Ordinal))
	b = appendText(b, d.Username)
	b = appendText(b, d.UPN)
	b = appendText(b, d.Target)
	b = appendText(b, d.Action)
	b = binary.AppendUvarint(b, uint64(len(d.Changes)))
	for i := range d.Changes {
		c := &d.Changes[i]
		b = appendText(b, c.Op)
		b = appendText(b, c.Method)
		b = appendText(b, c.ID)
		b = append(b, flag(c.Irreversible))
	}
	b = binary.AppendUvarint(b, uint64(len(d.Facts)))
	for i := range d.Facts {
		b = appendText(b, d.Facts[i].Name)
	}
	return b
}
