package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
)

// wantTaken marks a sign-up with an address that has an account: it goes on as
// others do, and its code is never right.
const wantTaken = "taken"

// metaAttributes comes before the id of a user who gave attributes at sign-up.
const metaAttributes = "native-attributes/"

// BeginSignUp begins a sign-up with an address. Unsupported: the application
// does not offer it; otherwise see [RefusedExists].
func (e *Engine) BeginSignUp(ctx context.Context, app NativeApp, name string, password secret.Bytes, attributes map[string]string, offer Offer, client NativeClient) (Flow, error) {
	f := e.newFlow(&app, AtSignUp, name, offer)
	byCode := app.Takes(FirstEmail) && offer.Code
	if !app.SignUp || e.mailer() == nil || !byCode && !e.keepsPasswords() {
		return f, refuse(cloud.Unsupported, "the application does not let people make themselves an account")
	}
	if err := form.CheckEmail(name); err != nil {
		return f, err
	}
	if err := app.takes(attributes); err != nil {
		return f, err
	}
	f.Extra = attributes
	if !password.IsZero() {
		if !app.Takes(FirstPassword) || !offer.Password || !e.keepsPasswords() {
			return f, refuse(cloud.Unsupported, "the application has no passwords")
		}
		var err error
		if f.Hash, err = e.hashWord(ctx, password, name, client.Address); err != nil {
			return f, err
		}
	}
	err := e.store.View(ctx, func(r Reader) error {
		u, err := lookUp(r, cloud.Key{Kind: cloud.ByName, Value: name})
		if err != nil || u == nil {
			return err
		}
		if app.Reveal {
			return refuseAs(RefusedExists)
		}
		f.Want = wantTaken
		return nil
	})
	return f, asError(err)
}

// hashWord checks a password that somebody chose and hashes it, as one of the
// crowd.
func (e *Engine) hashWord(ctx context.Context, password secret.Bytes, name string, from netip.Addr) (string, error) {
	if err := checkWord(password, name); err != nil {
		return "", err
	}
	if err := e.passwords.enterPublic(ctx, from); err != nil {
		return "", err
	}
	defer e.passwords.leavePublic(from)
	return e.passwords.hash(ctx, string(password.Reveal()))
}

// takes says which attributes are not the application's, or cannot be kept.
func (a *NativeApp) takes(attributes map[string]string) error {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		known := slices.ContainsFunc(a.Attributes, func(at NativeAttribute) bool { return at.Name == name })
		if value := attributes[name]; !known || value == "" || len(value) > maxAttributeText || !form.IsPlain(value) {
			wrong = append(wrong, clean(name, form.MaxName))
		}
	}
	if len(wrong) > 0 {
		return refuseAs(RefusedAttributes, wrong[:min(len(wrong), maxAttributes)]...)
	}
	return nil
}

// AskSignUp sends the code that proves the address. Where there is an account
// already its owner is told so, and nobody else.
func (e *Engine) AskSignUp(ctx context.Context, app NativeApp, f Flow, client NativeClient) (Flow, Asked, error) {
	p := posting{app: &app, f: f, channel: channelMail, to: f.Name, step: AtSignCode, client: client, hides: true}
	if f.Want == wantTaken {
		p.notice = "Somebody tried to make an account at " + app.Name + " with this address, which has one already. Sign in with it, or ignore this message."
	}
	return e.post(ctx, p)
}

// AnswerSignUp takes the code of a sign-up: with it comes the account, unless
// [RefusedPassword] or [RefusedMissing] says what is missing; the flow goes on then.
func (e *Engine) AnswerSignUp(ctx context.Context, app NativeApp, f Flow, code secret.Bytes, client NativeClient) (Flow, error) {
	right := false
	next := f
	err := e.store.Update(ctx, func(tx Tx) (err error) {
		next = f
		if right, err = e.proves(tx, &f, f.Name, code, client); err != nil || !right {
			return err
		}
		if f.Want == wantTaken { // guessed
			right = false
			return nil
		}
		return e.goesOn(tx, &next, AtProven)
	})
	switch {
	case err != nil:
		return f, asError(err)
	case !right:
		return f, wrongCode()
	}
	return e.signUp(ctx, app, next, client)
}

// PasswordForSignUp adds the password that was missing.
func (e *Engine) PasswordForSignUp(ctx context.Context, app NativeApp, f Flow, password secret.Bytes, client NativeClient) (Flow, error) {
	if !app.Takes(FirstPassword) || !e.keepsPasswords() {
		return f, refuse(cloud.Unsupported, "the application has no passwords")
	}
	if err := e.still(ctx, &f); err != nil { // before the work
		return f, err
	}
	hash, err := e.hashWord(ctx, password, f.Name, client.Address)
	if err != nil {
		return f, err
	}
	f.Hash = hash
	return e.signUp(ctx, app, f, client)
}

// AttributesForSignUp adds attributes that were missing.
func (e *Engine) AttributesForSignUp(ctx context.Context, app NativeApp, f Flow, attributes map[string]string, client NativeClient) (Flow, error) {
	if err := e.still(ctx, &f); err != nil {
		return f, err
	}
	if err := app.takes(attributes); err != nil {
		return f, err
	}
	f.Extra = maps.Clone(f.Extra)
	if f.Extra == nil {
		f.Extra = map[string]string{}
	}
	maps.Copy(f.Extra, attributes)
	return e.signUp(ctx, app, f, client)
}

// signUp makes the account of a proven address, or says what is missing.
func (e *Engine) signUp(ctx context.Context, app NativeApp, f Flow, client NativeClient) (Flow, error) {
	f = f.on(AtProven, e.now())
	if f.Hash == "" && (!app.Takes(FirstEmail) || !f.Offer.Code) {
		return f, refuseAs(RefusedPassword)
	}
	var missing []string
	for _, at := range app.Attributes {
		if at.Required && f.Extra[at.Name] == "" {
			missing = append(missing, at.Name)
		}
	}
	if len(missing) > 0 {
		return f, refuseAs(RefusedMissing, missing...)
	}
	next := f
	err := e.store.Update(ctx, func(tx Tx) error {
		next = f
		if _, err := flowAt(tx, &f); err != nil {
			return err
		}
		current, err := readNativeApp(tx, app.ID)
		if err != nil {
			return err
		}
		if current == nil || current.Disabled || !current.SignUp {
			return refuse(cloud.Denied, "the application does not let people make themselves an account")
		}
		id, err := e.makeAccount(tx, &f)
		if err != nil {
			return err
		}
		next.User, next.Mail, next.Ways = id, true, []string{WayEmail}
		if f.Hash != "" {
			next.Ways = []string{WayPassword}
		}
		u, err := tx.User(id)
		if err != nil {
			return err
		}
		if next.Word, err = e.wordOf(u); err != nil {
			return err
		}
		next.Hash, next.Extra = "", nil
		if err := e.goesOn(tx, &next, AtReady); err != nil {
			return err
		}
		return tx.Append(audit.Entry{Time: e.now(), Node: e.node, Actor: app.Name, Action: "native.signup", Subject: string(id),
			Detail: fmt.Sprintf("app=%s from=%q", app.ID, tries.Place(client.as(&app)))})
	})
	return next, asError(err)
}

// makeAccount makes the user of a sign-up.
func (e *Engine) makeAccount(tx Tx, f *Flow) (cloud.UserID, error) {
	p := cloud.Profile{UPN: f.Name, DisplayName: f.Extra[AttributeDisplayName], Enabled: true}
	if err := form.CheckProfile(&p); err != nil {
		return "", err
	}
	w := writing{e: e, tx: tx, now: e.now(), byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
	d := &draft{}
	if err := d.create(&w, &p); err != nil {
		if cloud.KindOf(asError(err)) == cloud.Conflict {
			return "", refuseAs(RefusedExists)
		}
		return "", err
	}
	u := &d.user
	u.Email = f.Name
	e.confirm(u)
	if f.Hash != "" {
		sealed, err := e.key.Seal([]byte(f.Hash), passwordBinding(u.ID))
		if err != nil {
			return "", err
		}
		u.Password = sealed
	}
	rest := maps.Clone(f.Extra)
	delete(rest, AttributeDisplayName)
	var kept error
	if len(rest) > 0 {
		value, err := json.Marshal(rest)
		if err != nil {
			return "", fmt.Errorf("attributes cannot be written: %w", err)
		}
		kept = tx.SetMeta(metaAttributes+string(u.ID), value)
	}
	return u.ID, errors.Join(tx.PutUser(u), kept)
}

// SignUpAttributes are what a user gave at sign-up, beside the display name.
func (e *Engine) SignUpAttributes(ctx context.Context, id cloud.UserID) (given map[string]string, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		given, err = attributesOf(r, id)
		return err
	})
	return given, asError(err)
}

func attributesOf(r Reader, id cloud.UserID) (given map[string]string, err error) {
	value, err := r.Meta(metaAttributes + string(id))
	if err != nil || len(value) == 0 {
		return nil, err
	}
	if err := json.Unmarshal(value, &given); err != nil {
		return nil, refuse(cloud.Internal, "the attributes of a user cannot be read")
	}
	return given, nil
}
