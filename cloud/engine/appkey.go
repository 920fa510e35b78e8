package engine

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
)

// Names of Meta values of an application.
const (
	metaAppKeys = "app-keys/"
	metaAppSeen = "app-assertions/"
)

// Limits on what an application proves itself with.
const (
	maxAppKeys = 8
	minRSA     = 2048 // bits
	maxRSA     = 8192
	maxSeen    = 4096 // assertions of one application that are remembered
)

// AppKey is a public key with which an application may sign assertions
// (RFC 7523) instead of showing a secret.
type AppKey struct {
	ID    string    `json:"kid"`
	DER   []byte    `json:"spki"`            // SubjectPublicKeyInfo of an RSA key
	Until time.Time `json:"until,omitempty"` // zero: as long as the application
}

// AddAppKey registers a public key of an application and returns its id: the
// one given, or Base64 of the SHA-256 of the key.
func (e *Engine) AddAppKey(ctx context.Context, by Actor, app string, key *rsa.PublicKey, id string, until time.Time) (string, error) {
	if err := by.check(); err != nil {
		return "", err
	}
	if key == nil || key.N.BitLen() < minRSA || key.N.BitLen() > maxRSA {
		return "", refuse(cloud.Invalid, fmt.Sprintf("a key must be RSA of %d to %d bits", minRSA, maxRSA))
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", refuse(cloud.Invalid, "the public key cannot be encoded")
	}
	if id == "" {
		sum := sha256.Sum256(der)
		id = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if err := form.CheckText("the id of a key", id, 128); err != nil {
		return "", err
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		keys, err := appKeys(tx, app)
		if err != nil {
			return err
		}
		if len(keys) >= maxAppKeys || slices.ContainsFunc(keys, func(k AppKey) bool { return k.ID == id }) {
			return refuse(cloud.Conflict, "the application has that key already, or too many")
		}
		value, err := json.Marshal(append(keys, AppKey{ID: id, DER: der, Until: until}))
		if err != nil {
			return err
		}
		if err := tx.SetMeta(metaAppKeys+app, value); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "app.key", app, "kid="+id, e.now()))
	})
	return id, asError(err)
}

// appKeys are the keys of an application that exists.
func appKeys(r Reader, app string) (keys []AppKey, err error) {
	found, err := r.App(app)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, refuse(cloud.NotFound, "there is no such application")
	}
	value, err := r.Meta(metaAppKeys + app)
	if err != nil || len(value) == 0 {
		return nil, err
	}
	if err := json.Unmarshal(value, &keys); err != nil {
		return nil, refuse(cloud.Internal, "the keys of an application cannot be read")
	}
	return keys, nil
}

// AppKeys returns an application with its public keys that hold now; the zero
// App if there is none that may call.
func (e *Engine) AppKeys(ctx context.Context, app string) (a App, keys []AppKey, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		found, err := r.App(app)
		if err != nil || found == nil || !found.Usable(e.now()) {
			return err
		}
		a = *found
		keys, err = appKeys(r, app)
		return err
	})
	now := e.now()
	keys = slices.DeleteFunc(keys, func(k AppKey) bool { return !k.Until.IsZero() && !now.Before(k.Until) })
	return a, keys, asError(err)
}

// UseAssertion records that an assertion of an application was shown, until it
// ends by itself; before since nobody took it. One that was shown before is
// Denied, and so is one that could have been before the store was restored.
func (e *Engine) UseAssertion(ctx context.Context, app, id string, since, until time.Time) error {
	mark := digest(id)
	return asError(e.store.Update(ctx, func(tx Tx) error {
		fenced, err := fencedUntil(tx)
		if err != nil {
			return err
		}
		if fenced > 0 && since.Unix() <= fenced {
			return refuse(cloud.Denied, "the assertion could have been used before the store was restored")
		}
		seen := map[string]int64{}
		value, err := tx.Meta(metaAppSeen + app)
		if err != nil {
			return err
		}
		if len(value) > 0 {
			if err := json.Unmarshal(value, &seen); err != nil {
				return refuse(cloud.Internal, "the assertions of an application cannot be read")
			}
		}
		now := e.now().Unix()
		for old, end := range seen {
			if end < now {
				delete(seen, old)
			}
		}
		switch _, again := seen[mark]; {
		case again:
			return refuse(cloud.Denied, "the assertion was used before")
		case len(seen) >= maxSeen:
			return &cloud.Error{Kind: cloud.Throttled, Message: "the application shows too many assertions", RetryAfter: time.Minute}
		}
		seen[mark] = until.Unix() + 1
		if value, err = json.Marshal(seen); err != nil {
			return err
		}
		return tx.SetMeta(metaAppSeen+app, value)
	}))
}
