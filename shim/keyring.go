package shim

import (
	"crypto/aes"
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

// A State is text, base64url, of at most 96 octets, which every client is
// known to carry. It is text because there are clients that keep it
// as a string and send back what stands before its first NUL: some releases of
// Cisco's IOS and CatOS (so FreeRADIUS's rlm_otp says), ocserv 1.1.6. In it:
//
//	1  version and step: 1 asks for a code, 2 shows a number and waits
//	2  which cluster key
//	5  random: each first leg has a State of its own
//	16 tag
//	.. under it: 4 expiry (Unix seconds), 8 digest of client and user, 4 of the calling station, up to 32 challenge id
//
// There is no room for a nonce, so the tag is one: SIV (RFC 5297 section 2) of
// HMAC-SHA256, cut to 16 octets, and AES-256 in counter mode.
const (
	stateHead     = 8
	tagLength     = aes.BlockSize
	digestLength  = 8
	stationLength = 4
	maxChallenge  = 32
	stateMin      = stateHead + tagLength + 4 + digestLength + stationLength + 1
	stateMax      = stateMin - 1 + maxChallenge
)

// stateText is how a State is written.
var stateText = base64.RawURLEncoding.Strict()

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
	block   cipher.Block
	tag     *macKey
	digest  *macKey
	context cipher.AEAD
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
		for _, use := range []string{"state", "state key id", "state tag", "state digest", "context", "login"} {
			b, err := hkdf.Expand(sha256.New, key.Reveal(), "mfabridge shim 1 "+use, chacha20poly1305.KeySize)
			if err != nil {
				return nil, fmt.Errorf("cluster key cannot be used: %w", err)
			}
			derived[use] = b
		}
		block, err := aes.NewCipher(derived["state"])
		if err != nil {
			return nil, fmt.Errorf("cluster key cannot be used: %w", err)
		}
		context, err := chacha20poly1305.NewX(derived["context"])
		if err != nil {
			return nil, fmt.Errorf("cluster key cannot be used: %w", err)
		}
		k.seals = append(k.seals, stateKey{id: [2]byte(derived["state key id"]), block: block, context: context,
			tag: newMACKey(derived["state tag"]), digest: newMACKey(derived["state digest"])})
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
	whose, where := o.digests(key.digest)
	plain := binary.BigEndian.AppendUint32(make([]byte, 0, stateMax), uint32(expires.Unix()))
	plain = append(append(plain, whose[:]...), where[:]...)
	plain = append(plain, id...)
	state := append(make([]byte, 0, stateMax), byte(at), key.id[0], key.id[1])
	_, _ = rand.Read(state[len(state):stateHead]) // never fails, see crypto/rand
	state = state[:stateHead]
	tag := key.tagOf(state, plain)
	state = append(append(state, tag...), plain...)
	cipher.NewCTR(key.block, tag).XORKeyStream(state[stateHead+tagLength:], plain)
	return stateText.AppendEncode(nil, state), nil
}

// tagOf is what a State's head and what is under its tag have for one.
func (k stateKey) tagOf(head, plain []byte) []byte {
	return mac(k.tag, string(head), string(plain))[:tagLength]
}

// open returns the challenge and the step of a State. The reason is empty if the
// State was sealed for this owner and has not expired. Some clients name the
// calling station in the first leg alone (pam_radius 1.3.17 did), so that a second leg
// without one counts; one with another is somebody else's.
func (k *keyring) open(text []byte, o owner, now time.Time) (cloud.ChallengeID, step, reason) {
	state, why := stateOctets(text)
	if why != "" {
		return "", 0, why
	}
	head, tag, sealed := state[:stateHead], state[stateHead:stateHead+tagLength], state[stateHead+tagLength:]
	plain := make([]byte, len(sealed))
	for _, key := range k.seals {
		if key.id != [2]byte(head[1:3]) {
			continue
		}
		cipher.NewCTR(key.block, tag).XORKeyStream(plain, sealed)
		if subtle.ConstantTimeCompare(key.tagOf(head, plain), tag) != 1 {
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

// showsNumber tells whether a State says that it is one of a number; it may be a
// forgery.
func showsNumber(text []byte) bool {
	state, why := stateOctets(text)
	return why == "" && step(state[0]) == numberStep
}

// stateOctets is what the text of a State stands for. Each has one text: base64
// of Go would also take line ends in it.
func stateOctets(text []byte) ([]byte, reason) {
	if len(text) > stateText.EncodedLen(stateMax) {
		return nil, stateMalformed
	}
	state, err := stateText.AppendDecode(make([]byte, 0, stateMax), text)
	if err != nil || len(state) < stateMin || stateText.EncodedLen(len(state)) != len(text) ||
		step(state[0]) != codeStep && step(state[0]) != numberStep {
		return nil, stateMalformed
	}
	return state, ""
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
