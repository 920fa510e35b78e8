package shim

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
)

// hiddenHead stands before what keep writes if there are keys. No attribute has
// the type 0.
const hiddenHead = 0

// keep seals what a challenge carries of a proof for its second leg: at most
// [cloud.MaxContext] octets when sealed. Nothing stays nothing. Sealed are the
// attributes as they are, or where there are keys
//
//	1  0
//	2  length of the attributes
//	.. the attributes
//	.. of each key: 1 type, 4 vendor, 1 kind, 1 tag, 1 length, the key
func (k *keyring) keep(p Proof, client, user string) ([]byte, error) {
	plain := pack(p)
	if len(plain) == 0 {
		return nil, nil
	}
	defer clear(plain)
	key := k.seals[0]
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	_, _ = rand.Read(nonce) // never fails, see crypto/rand
	sealed := key.context.Seal(nonce, nonce, plain, mac(key.digest, client, user))
	if len(sealed) > cloud.MaxContext {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: "the first factor's answer has too many attributes to be kept through a challenge"}
	}
	return sealed, nil
}

func pack(p Proof) []byte {
	if len(p.Hidden) == 0 {
		return bytes.Clone(p.Reply)
	}
	plain := binary.BigEndian.AppendUint16([]byte{hiddenHead}, uint16(len(p.Reply))) // a packet's at most, see compose
	plain = append(plain, p.Reply...)
	for _, h := range p.Hidden {
		plain = binary.BigEndian.AppendUint32(append(plain, byte(h.Type)), h.Vendor)
		plain = append(plain, h.Kind, h.Tag, byte(h.Value.Len())) // as it came in an attribute
		plain = append(plain, h.Value.Reveal()...)
	}
	return plain
}

// kept opens what keep has sealed for this client and user: attributes and keys
// of a proof.
func (k *keyring) kept(sealed []byte, client, user string) (Proof, error) {
	if len(sealed) > chacha20poly1305.NonceSizeX {
		nonce, box := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
		for _, key := range k.seals {
			if plain, err := key.context.Open(nil, nonce, box, mac(key.digest, client, user)); err == nil {
				return unpack(plain)
			}
		}
	}
	return Proof{}, errors.New("what the challenge carries was not sealed for this login, or with a key that is gone")
}

// unpack takes apart what keep has put together.
func unpack(plain []byte) (p Proof, err error) {
	if len(plain) == 0 || plain[0] != hiddenHead {
		return Proof{Reply: plain}, nil
	}
	torn := errors.New("what the challenge carries is not whole")
	if len(plain) < 3 || len(plain) < 3+int(binary.BigEndian.Uint16(plain[1:])) {
		return Proof{}, torn
	}
	n := 3 + int(binary.BigEndian.Uint16(plain[1:]))
	p.Reply = bytes.Clone(plain[3:n])
	for rest := plain[n:]; len(rest) > 0; {
		const head = 8
		if len(rest) < head || len(rest) < head+int(rest[7]) {
			return Proof{}, torn
		}
		end := head + int(rest[7])
		p.Hidden = append(p.Hidden, Hidden{Type: radius.Type(rest[0]), Vendor: binary.BigEndian.Uint32(rest[1:]), Kind: rest[5], Tag: rest[6],
			Value: secret.New(bytes.Clone(rest[head:end]))})
		rest = rest[end:]
	}
	clear(plain)
	return p, nil
}
