package audit

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"mfabridge/internal/secret"
)

// Parts of Entry.Link, in bytes: hash, MAC, then salt, or once the entry was
// erased the digest of what it said.
const (
	linkHash   = 32
	linkMAC    = 16
	linkSalt   = 16
	linkWhole  = linkHash + linkMAC + linkSalt
	linkErased = linkHash + linkMAC + sha256.Size
)

// What the digests of the audit begin with, so that none is taken for another.
const (
	domainContent    = "mfabridge audit content 1\n"
	domainEntry      = "mfabridge audit entry 1\n"
	domainMAC        = "mfabridge audit mac 1\n"
	domainCheckpoint = "mfabridge audit checkpoint 1\n"
	domainFloor      = "mfabridge audit floor 1\n"
)

// Key is what an engine writes its audit with: a MAC in every entry, so
// that nobody without it can append one, and signatures of checkpoints, which
// anybody can check with the public key.
type Key struct {
	macs   sync.Pool // of hash.Hash: to make one costs more than to use it
	signer ed25519.PrivateKey
}

// NewKey derives both from a seed of ed25519.SeedSize bytes.
func NewKey(seed secret.Bytes) *Key {
	k := &Key{signer: ed25519.NewKeyFromSeed(seed.Reveal())}
	m := hmac.New(sha256.New, seed.Reveal())
	m.Write([]byte(domainMAC))
	key := m.Sum(nil)
	k.macs.New = func() any { return hmac.New(sha256.New, key) }
	return k
}

// Public is the key that checks signatures.
func (k *Key) Public() ed25519.PublicKey { return k.signer.Public().(ed25519.PublicKey) }

func (k *Key) tag(of []byte) []byte {
	m := k.macs.Get().(hash.Hash)
	defer k.macs.Put(m)
	m.Reset()
	m.Write(of)
	return m.Sum(nil)[:linkMAC]
}

// Chain makes e the entry of that number behind the one whose Link is prev
// (nil: e is the first of its node). The store calls it when it appends e, and
// keeps Number and Link.
func (e *Entry) Chain(number int64, prev []byte) {
	e.Number = number
	e.Link = make([]byte, linkWhole)
	salt := e.Link[linkHash+linkMAC:]
	rand.Read(salt)
	content := e.content(salt)
	sum := e.hash(prev, content[:])
	copy(e.Link, sum[:])
	if e.Key != nil {
		copy(e.Link[linkHash:], e.Key.tag(sum[:]))
	}
}

// content is the digest of what an entry says about somebody.
func (e *Entry) content(salt []byte) [sha256.Size]byte {
	b := make([]byte, 0, 512)
	b = append(append(b, domainContent...), salt...)
	for _, s := range []string{e.Subject, e.Detail, e.Reason} {
		b = appendText(b, s)
	}
	return sha256.Sum256(b)
}

// hash is the hash of an entry behind prev.
func (e *Entry) hash(prev, content []byte) [sha256.Size]byte {
	b := append(make([]byte, 0, 256), domainEntry...)
	if len(prev) < linkHash {
		prev = make([]byte, linkHash)
	}
	b = append(b, prev[:linkHash]...)
	at := int64(0)
	if !e.Time.IsZero() {
		at = e.Time.UnixNano()
	}
	b = appendNumber(appendNumber(b, e.Number), at)
	for _, s := range []string{e.Node, e.Actor, e.Action} {
		b = appendText(b, s)
	}
	return sha256.Sum256(append(b, content...))
}

func appendNumber(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

func appendText(b []byte, s string) []byte { return append(appendNumber(b, int64(len(s))), s...) }

// Erased tells whether what the entry said of a person was erased.
func (e *Entry) Erased() bool { return len(e.Link) == linkErased }

// Erase takes out what the entry says, and puts a name that means nothing in
// the place of its subject. Its hash, and so the chain, stays.
func (e *Entry) Erase(as string) {
	if len(e.Link) == linkWhole {
		content := e.content(e.Link[linkHash+linkMAC:])
		e.Link = append(e.Link[:linkHash+linkMAC:linkHash+linkMAC], content[:]...)
	}
	e.Subject, e.Detail, e.Reason = as, "", ""
}

// digested is the digest of what the entry says, or said; nil: the link is none.
func (e *Entry) digested() []byte {
	switch len(e.Link) {
	case linkWhole:
		sum := e.content(e.Link[linkHash+linkMAC:])
		return sum[:]
	case linkErased:
		return e.Link[linkHash+linkMAC:]
	}
	return nil
}
