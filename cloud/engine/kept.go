package engine

import (
	"context"
	"fmt"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// metaKept comes before the name of a kept value.
const metaKept = "kept/"

// maxKept bounds a kept value, in bytes.
const maxKept = 256 << 10

// Keep changes a secret value that a face of the engine keeps in the store
// under a name, sealed: edit gets what is kept (zero: nothing) and returns what
// to keep instead; zero leaves it. It runs inside one transaction and may run
// more than once.
func (e *Engine) Keep(ctx context.Context, name string, edit func(old secret.Bytes) (secret.Bytes, error)) error {
	return asError(e.store.Update(ctx, func(tx Tx) error {
		old, err := e.kept(tx, name)
		if err != nil {
			return err
		}
		value, err := edit(old)
		if err != nil || value.IsZero() {
			return err
		}
		if value.Len() > maxKept {
			return refuse(cloud.Invalid, fmt.Sprintf("a kept value must be at most %d bytes", maxKept))
		}
		sealed, err := e.key.Seal(value.Reveal(), e.keptBinding(name))
		if err != nil {
			return err
		}
		return tx.SetMeta(metaKept+name, sealed)
	}))
}

func (e *Engine) kept(r Reader, name string) (secret.Bytes, error) {
	sealed, err := r.Meta(metaKept + name)
	if err != nil || len(sealed) == 0 {
		return secret.Bytes{}, err
	}
	return e.key.Open(sealed, e.keptBinding(name))
}

func (e *Engine) keptBinding(name string) string { return "kept/" + name + "/" + e.setup.Instance }

// Standing is how an application stands at this moment, and the kept value
// that goes with it, still sealed: equal bytes are the same value.
type Standing struct {
	App    App // zero: there is no such application
	Sealed []byte
}

// Standing reads an application and a kept value in one look at the store.
// Whoever lets a caller in asks it anew for every request.
func (e *Engine) Standing(ctx context.Context, app, kept string) (s Standing, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		s = Standing{}
		found, err := r.App(app)
		if err != nil {
			return err
		}
		if found != nil {
			s.App = *found
		}
		s.Sealed, err = r.Meta(metaKept + kept)
		return err
	})
	return s, asError(err)
}

// Unseal opens what [Engine.Standing] returned for a kept value. Nothing
// sealed is the zero value.
func (e *Engine) Unseal(name string, sealed []byte) (secret.Bytes, error) {
	if len(sealed) == 0 {
		return secret.Bytes{}, nil
	}
	return e.key.Open(sealed, e.keptBinding(name))
}

// Usable says whether an application may call at a time.
func (a *App) Usable(now time.Time) bool {
	return a.Name != "" && !a.Disabled && (a.Until.IsZero() || now.Before(a.Until))
}
