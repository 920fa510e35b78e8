package pskctest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"mfabridge/legacy/pskc"
)

// sealer encrypts and authenticates; nil leaves values in the clear.
type sealer struct {
	block  cipher.Block
	name   string // of the encryption
	salt   []byte
	rounds int
	macKey []byte
}

func newSealer(p Protection) (*sealer, error) {
	given := 0
	for _, is := range []bool{!p.Passphrase.IsZero(), !p.Key.IsZero(), p.Plain} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, errors.New("a token file is protected by a pass phrase, by a key, or by decision not at all: exactly one of them")
	}
	if p.Plain {
		return nil, nil
	}
	s := &sealer{macKey: make([]byte, 32)}
	_, _ = rand.Read(s.macKey) // never fails
	key := p.Key.Reveal()
	if p.Key.IsZero() {
		s.salt, s.rounds = make([]byte, 16), p.Iterations
		_, _ = rand.Read(s.salt)
		if s.rounds == 0 {
			s.rounds = DefaultIterations
		}
		if s.rounds < 1 || s.rounds > pskc.MaxIterations {
			return nil, fmt.Errorf("the iterations of PBKDF2 must be from 1 to %d", pskc.MaxIterations)
		}
		var err error
		if key, err = pbkdf2.Key(sha256.New, string(p.Passphrase.Reveal()), s.salt, s.rounds, 32); err != nil {
			return nil, err
		}
		defer clear(key)
	}
	var err error
	if s.block, err = aes.NewCipher(key); err != nil {
		return nil, errors.New("a pre-shared key must have 16, 24 or 32 bytes")
	}
	s.name = fmt.Sprintf("%saes%d-cbc", spaceEnc, 8*len(key))
	return s, nil
}

func (s *sealer) wipe() {
	if s != nil {
		clear(s.macKey)
	}
}

// seal returns the initialisation vector with the ciphertext.
func (s *sealer) seal(plain []byte) []byte {
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	b := make([]byte, aes.BlockSize+len(plain)+padding)
	iv, body := b[:aes.BlockSize], b[aes.BlockSize:]
	_, _ = rand.Read(iv)
	copy(body, plain)
	for i := len(plain); i < len(body); i++ {
		body[i] = byte(padding) // all octets alike: some readers look at all
	}
	cipher.NewCBCEncrypter(s.block, iv).CryptBlocks(body, body)
	return b
}

func (s *sealer) mac(b []byte) []byte {
	h := hmac.New(sha256.New, s.macKey)
	h.Write(b)
	return h.Sum(nil)
}
