package engine

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/alexedwards/argon2id"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/internal/secret"
)

// BeginReset begins to set a new password for somebody who forgot it. Only a
// code to the confirmed address may do that; nobody with an administrative role
// may. Unsupported: the application does not offer it. NotFound: there is no
// such user, of an application that tells so.
func (e *Engine) BeginReset(ctx context.Context, app NativeApp, name string, offer Offer) (Flow, error) {
	f := e.newFlow(&app, AtReset, name, offer)
	if !app.Reset || e.mailer() == nil || !e.keepsPasswords() {
		return f, refuse(cloud.Unsupported, "the application lets nobody set a new password")
	}
	err := e.store.View(ctx, func(r Reader) error {
		f.User = ""
		u, err := lookUp(r, cloud.Key{Kind: cloud.ByName, Value: name})
		if err != nil {
			return err
		}
		if u == nil && app.Reveal {
			return noSuchUser()
		}
		may, err := e.mayReset(r, u)
		if err == nil && may {
			f.User = u.ID
		}
		return err
	})
	return f, asError(err)
}

// mayReset tells whether a user can set a new password by a code.
func (e *Engine) mayReset(r Reader, u *User) (bool, error) {
	if usable(u, e.now()) != "" || u.Password == nil || len(u.Roles) > 0 || e.confirmedMail(u) == "" {
		return false, nil
	}
	may, err := e.allowed(r, u.ID)
	return may.Email, err
}

// resetTo is the address of a flow's user; that of nobody is the name.
func (e *Engine) resetTo(ctx context.Context, f *Flow) (to string, err error) {
	if f.User == "" {
		return f.Name, nil
	}
	err = e.store.View(ctx, func(r Reader) error {
		u, err := r.User(f.User)
		if err != nil || u == nil {
			return err
		}
		to = e.confirmedMail(u)
		return nil
	})
	return to, asError(err)
}

// AskReset sends the code that proves the address.
func (e *Engine) AskReset(ctx context.Context, app NativeApp, f Flow, client NativeClient) (Flow, Asked, error) {
	to, err := e.resetTo(ctx, &f)
	if err != nil {
		return f, Asked{}, err
	}
	next, asked, err := e.post(ctx, posting{app: &app, f: f, channel: channelMail, to: to, step: AtResetCode, client: client, hides: true, nobody: f.User == "" || to == "", late: !app.Reveal})
	if asked.Redirect != "" && !app.Reveal && e.mailer() != nil && err == nil { // of nobody nothing can fail: that would tell
		next, asked = f.on(AtResetCode, e.now()), Asked{Channel: channelMail, Digits: longDigits}
	}
	if asked.Redirect == "" {
		asked.Label = maskMail(f.Name) // of the name that was typed: the address of somebody is not told
	}
	return next, asked, err
}

// AnswerReset takes the code.
func (e *Engine) AnswerReset(ctx context.Context, f Flow, code secret.Bytes, client NativeClient) (Flow, error) {
	to, err := e.resetTo(ctx, &f)
	if err != nil {
		return f, err
	}
	right := false
	next := f
	err = e.store.Update(ctx, func(tx Tx) (err error) {
		next = f
		if right, err = e.proves(tx, &f, to, code, client); err != nil || !right {
			return err
		}
		if f.User == "" { // guessed
			right = false
			return nil
		}
		next.Target = to
		return e.goesOn(tx, &next, AtNewWord)
	})
	switch {
	case err != nil:
		return f, asError(err)
	case !right:
		return f, wrongCode()
	}
	return next, nil
}

// SetWord sets the new password. Everything that was signed in with the old one
// ends with it. Refusals: see [RefusedRecent].
func (e *Engine) SetWord(ctx context.Context, app NativeApp, f Flow, password secret.Bytes, client NativeClient) (Flow, error) {
	if err := e.isNew(ctx, &f, password, client.Address); err != nil {
		return f, err
	}
	hash, err := e.hashWord(ctx, password, f.Name, client.Address)
	if err != nil {
		return f, err
	}
	next := f
	var told *User
	var ended []Verdict
	err = e.store.Update(ctx, func(tx Tx) error {
		next = f
		if _, err := flowAt(tx, &f); err != nil {
			return err
		}
		current, err := readNativeApp(tx, app.ID)
		if err != nil {
			return err
		}
		u, err := tx.User(f.User)
		if err != nil {
			return err
		}
		may, err := e.mayReset(tx, u)
		if err != nil {
			return err
		}
		if !may || current == nil || current.Disabled || !current.Reset || Fold(f.Target) != Fold(e.confirmedMail(u)) {
			return refuse(cloud.Denied, "a new password cannot be set")
		}
		sealed, err := e.key.Seal([]byte(hash), passwordBinding(u.ID))
		if err != nil {
			return err
		}
		if ended, err = e.reword(tx, u, sealed, e.now()); err != nil {
			return err
		}
		told = u
		next.Ways, next.Target = []string{WayReset}, ""
		if next.Word, err = e.wordOf(u); err != nil {
			return err
		}
		if err := e.goesOn(tx, &next, AtResetDone); err != nil {
			return err
		}
		if err := tx.PutUser(u); err != nil {
			return err
		}
		return tx.Append(audit.Entry{Time: e.now(), Node: e.node, Actor: app.Name, Action: "native.reset", Subject: string(u.ID),
			Detail: fmt.Sprintf("app=%s from=%q", app.ID, tries.Place(client.as(&app)))})
	})
	if err != nil {
		return f, asError(err)
	}
	e.publish(ended...)
	e.notify(ctx, told, "The password of "+told.UPN+" was changed. If that was not you, call your helpdesk.")
	return next, nil
}

// isNew refuses the password that is there already.
func (e *Engine) isNew(ctx context.Context, f *Flow, password secret.Bytes, from netip.Addr) error {
	if err := checkWord(password, f.Name); err != nil {
		return err
	}
	var hash string
	err := e.store.View(ctx, func(r Reader) error {
		if _, err := flowAt(r, f); err != nil {
			return err
		}
		u, err := r.User(f.User)
		if err != nil {
			return err
		}
		hash, err = e.hashOf(u)
		return err
	})
	if err != nil {
		return asError(err)
	}
	if err := e.passwords.enterPublic(ctx, from); err != nil {
		return err
	}
	defer e.passwords.leavePublic(from)
	if err := e.passwords.enter(ctx); err != nil {
		return err
	}
	defer e.passwords.leave()
	same, err := argon2id.ComparePasswordAndHash(string(password.Reveal()), hash)
	if err != nil {
		return refuse(cloud.Internal, "the stored password hash cannot be read")
	}
	if same {
		return refuseAs(RefusedRecent)
	}
	return nil
}

// ResetDone is the flow to sign in with once the password is set.
func (e *Engine) ResetDone(ctx context.Context, f Flow) (Flow, error) {
	if err := e.still(ctx, &f); err != nil {
		return f, err
	}
	return f.on(AtReady, e.now()), nil
}
