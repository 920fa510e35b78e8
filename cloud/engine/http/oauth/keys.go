package oauth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/secret"
)

// keptKeys is the name under which the engine keeps the keys.
const keptKeys = "oauth-keys"

// lead is how long a key is published before it signs, and kept after: longer
// than any token lives and any key set is remembered.
const lead = MaxLife + 10*time.Minute

// keySetAge is how long others may remember the key set.
const keySetAge = 5 * time.Minute

// key is a signing key; it signs from From until the next one does.
type key struct {
	ID      string    `json:"kid"`
	From    time.Time `json:"from"`
	PKCS8   []byte    `json:"pkcs8"`
	private *ecdsa.PrivateKey
}

// ring is the key set as it lies in the store.
type ring struct {
	sealed []byte
	keys   []key // ascending by From
}

func (r *ring) find(id string) *key {
	for i := range r.keys {
		if r.keys[i].ID == id {
			return &r.keys[i]
		}
	}
	return nil
}

// signer is the key that signs at a time.
func (r *ring) signer(now time.Time) *key {
	at := &r.keys[0]
	for i := range r.keys {
		if !r.keys[i].From.After(now) {
			at = &r.keys[i]
		}
	}
	return at
}

// rotated is what a key set should be at a time: without keys whose tokens
// have all ended, and with a successor of the last key once its turn comes
// near. make returns a new key.
func rotated(keys []key, now time.Time, period time.Duration, make func(from time.Time) (key, error)) ([]key, bool, error) {
	kept, changed := slices.Clone(keys), false
	for i := range kept {
		if latest := now.Add(lead); kept[i].From.After(latest.Add(slack)) { // the clock was set back since, or no key would follow until it gets there
			kept[i].From, changed = latest.UTC(), true
		}
	}
	for len(kept) > 1 && !now.Before(kept[1].From.Add(lead)) {
		kept, changed = kept[1:], true
	}
	from := now
	if len(kept) > 0 {
		if now.Before(kept[len(kept)-1].From.Add(period - lead)) {
			return kept, changed, nil
		}
		from = now.Add(lead) // others hear of it before it signs
	}
	k, err := make(from)
	return append(kept, k), true, err
}

func newKey(from time.Time) (key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return key{}, fmt.Errorf("a signing key cannot be made: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return key{}, errors.New("a signing key cannot be encoded")
	}
	return key{ID: rand.Text()[:16], From: from.UTC(), PKCS8: der, private: private}, nil
}

func parseKeys(b secret.Bytes) ([]key, error) {
	if b.IsZero() {
		return nil, nil
	}
	var keys []key
	if err := json.Unmarshal(b.Reveal(), &keys); err != nil {
		return nil, errors.New("the signing keys cannot be read")
	}
	for i := range keys {
		parsed, err := x509.ParsePKCS8PrivateKey(keys[i].PKCS8)
		private, ok := parsed.(*ecdsa.PrivateKey)
		if err != nil || !ok || private.Curve != elliptic.P256() {
			return nil, errors.New("a signing key cannot be read")
		}
		keys[i].private = private
	}
	return keys, nil
}

// opened is the key set that the store holds now; it is opened once.
func (f *Face) opened(sealed []byte) (*ring, error) {
	if last := f.ring.Load(); last != nil && bytes.Equal(last.sealed, sealed) {
		return last, nil
	}
	value, err := f.core.Unseal(keptKeys, sealed)
	if err != nil {
		return nil, err
	}
	defer value.Wipe()
	keys, err := parseKeys(value)
	if err != nil {
		return nil, err
	}
	r := &ring{sealed: sealed, keys: keys}
	f.ring.Store(r)
	return r, nil
}

// current is the key set after the rotation that is due, if one is.
func (f *Face) current(ctx context.Context) (*ring, error) {
	s, err := f.core.Standing(ctx, "", keptKeys)
	if err != nil {
		return nil, err
	}
	r, err := f.opened(s.Sealed)
	if err != nil {
		return nil, err
	}
	period := f.times.Load().period
	idle := func(time.Time) (key, error) { return key{}, nil }
	if _, due, _ := rotated(r.keys, f.now(), period, idle); !due {
		return r, nil
	}
	err = f.core.Keep(ctx, keptKeys, func(old secret.Bytes) (secret.Bytes, error) {
		keys, err := parseKeys(old)
		if err != nil {
			return secret.Bytes{}, err
		}
		keys, changed, err := rotated(keys, f.now(), period, newKey)
		if err != nil || !changed {
			return secret.Bytes{}, err // another node was first
		}
		value, err := json.Marshal(keys)
		return secret.New(value), err
	})
	if err != nil {
		return nil, err
	}
	f.log.InfoContext(ctx, "signing keys were rotated")
	if s, err = f.core.Standing(ctx, "", keptKeys); err != nil {
		return nil, err
	}
	return f.opened(s.Sealed)
}

// keySet answers with the public keys.
func (f *Face) keySet(w http.ResponseWriter, r *http.Request) error {
	set, err := f.PublicKeys(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(keySetAge/time.Second)))
	return serve.Answer(w, http.StatusOK, set)
}

// PublicKeys is the key set as it is published (RFC 7517).
func (f *Face) PublicKeys(ctx context.Context) (json.RawMessage, error) {
	ring, err := f.current(ctx)
	if err != nil {
		return nil, err
	}
	set := jose.JSONWebKeySet{}
	for _, k := range ring.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &k.private.PublicKey, KeyID: k.ID, Algorithm: string(jose.ES256), Use: "sig"})
	}
	return json.Marshal(set)
}

// Sign makes a JWT of a type that says claims, for other faces of the engine.
// It must not live longer than [MaxLife]: the key is published no longer. Its
// issuer must be another than this face's, whose own tokens let programs in.
func (f *Face) Sign(ctx context.Context, typ string, claims any) (string, error) {
	ring, err := f.current(ctx)
	if err != nil {
		return "", err
	}
	signer, err := ring.signer(f.now()).signing(typ)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// signing signs with a key.
func (k *key) signing(typ string) (jose.Signer, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: k.private, KeyID: k.ID}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return nil, errors.New("the signing key cannot sign")
	}
	return signer, nil
}
