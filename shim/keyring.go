package shim

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// A State is at most 95 octets, within the 96 that every client is known to
// carry:
//
//	1  version and step: 1 asks for a code, 2 shows a number and waits
//	2  which cluster key
//	24 nonce
//	.. sealed: 4 expiry (Unix seconds), 12 digest of client and user, 4 of the calling station, up to 32 challenge id
//	16 tag
const (
	stateHead     = 3
	digestLength  = 12
	stationLength = 4
	maxChallenge  = 32
	stateMin      = stateHead + chacha20poly1305.NonceSizeX + 4 + digestLength + stationLength + 1 + chacha20poly1305.Overhead
	stateMax      = stateMin - 1 + maxChallenge
)

// step is what a State's answer is: the first octet of a State.
type step byte

const (
	codeStep   step = 1 // the answer is a code
	numberStep step = 2 // the answer says that the number was seen
)

// keyring is what the shim derives from the cluster keys. All nodes that have
// the same keys open each other's States and name logins alike.
type keyring struct {
	seals []stateKey // the first seals, all open
	login *macKey    // names logins towards the engine
}

type stateKey struct {
	id      [2]byte
	aead    cipher.AEAD
	context cipher.AEAD
	digest  *macKey
}

func newKeyring(keys []secret.Bytes) (*keyring, error) {
	if len(keys) == 0 {
		return nil, hint.New("shim has no cluster key to seal State with", "set cluster_keys, or let a single node make one")
	}
	var k keyring
	for _, key := range keys {
		if key.Len() < chacha20poly1305.KeySize {
			return nil, fmt.Errorf("cluster key has %d octets, fewer than %d", key.Len(), chacha20poly1305.KeySize)
		}
		derived := make(map[string][]byte)
		for _, use := range []string{"state", "state key id", "state digest", "context", "login"} {
			b, err := hkdf.Expand(sha256.New, key.Reveal(), "mfabridge shim 1 "+use, chacha20poly1305.KeySize)
			if err != nil {
				return nil, fmt.Errorf("cluster key cannot be used: %w", err)
			}
			derived[use] = b
		}
		aead, err := chacha20poly1305.NewX(derived["state"])
		if err != nil {
			return nil, fmt.Errorf("cluster key cannot be used: %w", err)
		}
		context, err := chacha20poly1305.NewX(derived["context"])
		if err != nil {
			return nil, fmt.Errorf("cluster key cannot be used: %w", err)
		}
		k.seals = append(k.seals, stateKey{id: [2]byte(derived["state key id"]), aead: aead, context: context, digest: newMACKey(derived["state digest"])})
		if k.login == nil {
			k.login = newMACKey(derived["login"])
		}
	}
	return &k, nil
}

// owner is whose a State is: one client's, of one folded user name, and of the
// calling station that the first leg named; empty: of any.
type owner struct{ client, user, station string }

// digests are what a State has of its owner. Of no station there is none.
func (o owner) digests(key *macKey) (whose [digestLength]byte, where [stationLength]byte) {
	copy(whose[:], mac(key, o.client, o.user))
	if o.station != "" {
		copy(where[:], mac(key, o.client, o.user, o.station))
	}
	return whose, where
}

// seal makes the State of a challenge.
func (k *keyring) seal(at step, id cloud.ChallengeID, expires time.Time, o owner) ([]byte, error) {
	if id == "" || len(id) > maxChallenge {
		return nil, fmt.Errorf("challenge id has %d octets, not 1 to %d", len(id), maxChallenge)
	}
	key := k.seals[0]
	state := make([]byte, stateHead+chacha20poly1305.NonceSizeX, stateMax)
	state[0], state[1], state[2] = byte(at), key.id[0], key.id[1]
	nonce := state[stateHead:]
	_, _ = rand.Read(nonce) // never fails, see crypto/rand
	whose, where := o.digests(key.digest)
	plain := binary.BigEndian.AppendUint32(nil, uint32(expires.Unix()))
	plain = append(append(plain, whose[:]...), where[:]...)
	plain = append(plain, id...)
	return key.aead.Seal(state, nonce, plain, state[:stateHead]), nil
}

// open returns the challenge and the step of a State. The reason is empty if the
// State was sealed for this owner and has not expired. Some clients name the
// calling station in the first leg alone (pam_radius 1.3.17 did), so that a second leg
// without one counts; one with another is somebody else's.
func (k *keyring) open(state []byte, o owner, now time.Time) (cloud.ChallengeID, step, reason) {
	if len(state) < stateMin || len(state) > stateMax || step(state[0]) != codeStep && step(state[0]) != numberStep {
		return "", 0, stateMalformed
	}
	head, nonce := state[:stateHead], state[stateHead:stateHead+chacha20poly1305.NonceSizeX]
	for _, key := range k.seals {
		if key.id != [2]byte(state[1:3]) {
			continue
		}
		plain, err := key.aead.Open(nil, nonce, state[stateHead+len(nonce):], head)
		if err != nil {
			continue
		}
		expires, rest := plain[:4], plain[4:]
		whose, where := o.digests(key.digest)
		there := rest[digestLength : digestLength+stationLength]
		switch {
		case subtle.ConstantTimeCompare(rest[:digestLength], whose[:]) != 1:
			return "", 0, stateForeign
		case now.Unix() >= int64(binary.BigEndian.Uint32(expires)):
			return "", 0, stateExpired
		case o.station != "" && [stationLength]byte(there) != [stationLength]byte{} && subtle.ConstantTimeCompare(there, where[:]) != 1:
			return "", 0, stationDiffers
		}
		return cloud.ChallengeID(rest[digestLength+stationLength:]), step(state[0]), ""
	}
	return "", 0, stateAltered
}

// name is a [cloud.Request.Key]: equal for equal fields, and on every node.
func (k *keyring) name(fields ...string) string {
	return base64.RawURLEncoding.EncodeToString(mac(k.login, fields...))
}

// macKey is a key with the hash states that it keys: to make one costs more than
// to use it.
type macKey struct{ states sync.Pool }

// macState is what one call uses.
type macState struct {
	hash hash.Hash
	text []byte
}

func newMACKey(key []byte) *macKey {
	key = slices.Clone(key)
	return &macKey{sync.Pool{New: func() any { return &macState{hash: hmac.New(sha256.New, key)} }}}
}

// mac is HMAC-SHA256 over fields, each with its length before it.
func mac(key *macKey, fields ...string) []byte {
	s := key.states.Get().(*macState)
	for _, f := range fields {
		s.text = append(binary.BigEndian.AppendUint32(s.text, uint32(len(f))), f...)
	}
	s.hash.Reset()
	s.hash.Write(s.text)
	sum := s.hash.Sum(make([]byte, 0, sha256.Size))
	clear(s.text) // a password may be in it
	s.text = s.text[:0]
	if cap(s.text) <= 1024 {
		key.states.Put(s)
	}
	return sum
}
