package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
)

// AddApp registers a program that may call the API, until a time or for good
// (zero), and returns its secret: 256 random bits in URL-safe Base64. Only a
// digest of it is kept; it cannot be shown again.
func (e *Engine) AddApp(ctx context.Context, by Actor, name string, role Role, until time.Time) (secret.Bytes, error) {
	if err := by.check(); err != nil {
		return secret.Bytes{}, err
	}
	if err := form.CheckText("the name of an application", name, 64); err != nil {
		return secret.Bytes{}, err
	}
	now := e.now()
	switch {
	case !slices.Contains(Roles(), role):
		return secret.Bytes{}, refuse(cloud.Invalid, "a role must be migrate, shim, helpdesk, auditor or admin")
	case !until.IsZero() && !until.After(now):
		return secret.Bytes{}, refuse(cloud.Invalid, "an application must end in the future")
	case role == RoleMigrate && until.IsZero():
		return secret.Bytes{}, refuse(cloud.Invalid, "the role migrate needs an end")
	}
	random := make([]byte, 32)
	rand.Read(random)
	word := base64.RawURLEncoding.EncodeToString(random)
	sum := sha256.Sum256([]byte(word))
	err := e.store.Update(ctx, func(tx Tx) error {
		old, err := tx.App(name)
		if err != nil {
			return err
		}
		if old != nil {
			return refuse(cloud.Conflict, "there is an application of that name: remove it first")
		}
		if err := tx.PutApp(&App{Name: name, Role: role, Digest: sum[:], Created: now, Until: until}); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "app.add", name, "role="+string(role), now))
	})
	if err != nil {
		return secret.Bytes{}, asError(err)
	}
	return secret.FromString(word), nil
}

// Apps lists all applications by name.
func (e *Engine) Apps(ctx context.Context) (apps []App, err error) {
	err = e.store.View(ctx, func(r Reader) (err error) {
		apps, err = r.Apps()
		return err
	})
	return apps, asError(err)
}

// RemoveApp forgets an application: its secret is worth nothing from then on.
func (e *Engine) RemoveApp(ctx context.Context, by Actor, name string) error {
	if err := by.check(); err != nil {
		return err
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		old, err := tx.App(name)
		if err != nil {
			return err
		}
		if old == nil {
			return refuse(cloud.NotFound, "there is no such application")
		}
		if err := errors.Join(tx.RemoveApp(name), tx.SetMeta(metaAppKeys+name, []byte{})); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "app.remove", name, "", e.now()))
	}))
}

// Authenticate checks an application's secret. Unknown, ended, disabled and
// wrong answer alike: Denied.
func (e *Engine) Authenticate(ctx context.Context, name string, word secret.Bytes) (App, error) {
	var app *App
	err := e.store.View(ctx, func(r Reader) (err error) {
		app, err = r.App(name)
		return err
	})
	if err != nil {
		return App{}, asError(err)
	}
	if app == nil {
		app = &App{Disabled: true}
	}
	sum := sha256.Sum256(word.Reveal())
	right := subtle.ConstantTimeCompare(sum[:], app.Digest) == 1
	if !right || app.Disabled || !app.Until.IsZero() && !e.now().Before(app.Until) {
		return App{}, refuse(cloud.Denied, "the application is unknown or its secret is wrong")
	}
	return *app, nil
}
