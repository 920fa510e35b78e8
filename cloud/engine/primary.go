package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/internal/secret"
)

// OwnPasswords is the name of the primary that is the engine itself: the
// passwords that it keeps.
const OwnPasswords = "engine"

// maxAsked is how many passwords primaries are asked about at once.
const maxAsked = 64

// Primary proves passwords that the engine does not keep: somebody else's
// directory. All methods may be called concurrently.
type Primary interface {
	// Prove checks the password of whoever is called name there. A definite no
	// is a [Proven] that is not OK, also where nobody is called so; an error
	// means that nobody could say just now.
	Prove(ctx context.Context, name string, password secret.Bytes, client cloud.Client) (Proven, error)
}

// Proven is what a [Primary] says of a password.
type Proven struct {
	OK     bool
	Reason cloud.Reason // if not OK

	// Subject is whose password it is, by what the primary knows and not by
	// the name that was typed. Where the engine has nobody of that key,
	// Otherwise is looked for if it is set.
	Subject, Otherwise cloud.Key

	// SID is the security identifier, if it is known: a user who has another
	// one is not that person.
	SID string
}

// primaries are who can be asked for passwords, by name, and who of them is
// where the caller does not say.
type primaries struct {
	byName map[string]Primary
	use    string
}

// SetPrimaries says who else can prove passwords, by name, and who is asked
// where nobody is named; empty: the engine itself, [OwnPasswords]. It may be
// called while the engine works; questions that run end as they began.
func (e *Engine) SetPrimaries(all map[string]Primary, use string) error {
	p := &primaries{byName: maps.Clone(all), use: use}
	if _, taken := all[OwnPasswords]; taken {
		return refuse(cloud.Invalid, "a primary cannot be called "+OwnPasswords)
	}
	if p.use == "" {
		p.use = OwnPasswords
	}
	if _, err := p.named(""); err != nil {
		return err
	}
	e.primaries.Store(p)
	return nil
}

// named is who proves passwords; nil: the engine itself.
func (p *primaries) named(name string) (Primary, error) {
	if name == "" {
		name = p.use
	}
	if name == OwnPasswords {
		return nil, nil
	}
	asked, ok := p.byName[name]
	if !ok {
		return nil, refuse(cloud.Invalid, "there is no primary of that name")
	}
	return asked, nil
}

// askPrimary has somebody else prove a password. The limits are those of own
// passwords and come first: beyond them nobody is asked, so that guessing here
// locks no account there.
func (e *Engine) askPrimary(ctx context.Context, asked Primary, subject cloud.Key, password secret.Bytes, client cloud.Client) (cloud.Proof, error) {
	name, shut, err := e.nameThere(ctx, subject, client)
	if err != nil {
		return cloud.Proof{}, err
	}
	if shut {
		return cloud.Proof{Reason: cloud.TooManyTries}, nil
	}
	proven := Proven{Reason: cloud.WrongPassword}
	if name != "" && password.Len() > 0 { // an empty password is never bound
		if proven, err = e.prove(ctx, asked, name, password, client); err != nil {
			return cloud.Proof{}, err
		}
	}
	var proof cloud.Proof
	err = e.store.Update(context.WithoutCancel(ctx), func(tx Tx) (err error) { // what was tried there counts here
		proof, err = e.recordProof(tx, subject, client, proven)
		return err
	})
	if err != nil {
		return cloud.Proof{}, asError(err)
	}
	return proof, nil
}

// nameThere is what to call somebody at a primary: the name as typed, else the
// user's own.
func (e *Engine) nameThere(ctx context.Context, subject cloud.Key, client cloud.Client) (name string, shut bool, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		u, err := lookUp(r, subject)
		if err != nil {
			return err
		}
		switch {
		case subject.Kind == cloud.ByName || subject.Kind == cloud.ByUPN:
			name = subject.Value
		case u != nil:
			name = u.UPN
		}
		g, err := e.tries.Gate(r, ofPassword(u, subject, client), e.now())
		shut = g.Shut
		return err
	})
	return name, shut, asError(err)
}

// prove asks a primary, unless too many questions are under way.
func (e *Engine) prove(ctx context.Context, asked Primary, name string, password secret.Bytes, client cloud.Client) (Proven, error) {
	select {
	case e.asking <- struct{}{}:
		defer func() { <-e.asking }()
	default:
		return Proven{}, &cloud.Error{Kind: cloud.Throttled, Message: "too many passwords are being checked", RetryAfter: time.Second}
	}
	proven, err := asked.Prove(ctx, name, password, client)
	if err == nil && !proven.OK && proven.Reason == "" {
		proven.Reason = cloud.WrongPassword
	}
	return proven, asError(err)
}

// recordProof counts and records what a primary said, and finds the user whose
// password it is.
func (e *Engine) recordProof(tx Tx, subject cloud.Key, client cloud.Client, proven Proven) (cloud.Proof, error) {
	now := e.now()
	if _, err := e.rules(tx); err != nil { // a store that was replaced proves nothing
		return cloud.Proof{}, err
	}
	typed, err := lookUp(tx, subject)
	if err != nil {
		return cloud.Proof{}, err
	}
	if typed == nil && !proven.OK {
		if shut, err := e.stranger(tx, wayPassword, tries.Place(client), now); shut || err != nil {
			return cloud.Proof{Reason: cloud.WrongPassword}, err
		}
	}
	g, err := e.tries.Gate(tx, ofPassword(typed, subject, client), now)
	if err != nil {
		return cloud.Proof{}, err
	}
	proof, u := cloud.Proof{Reason: proven.Reason}, typed
	switch {
	case g.Shut:
		proof.Reason = cloud.TooManyTries
	case !proven.OK:
		err = g.Count(tx, false, now)
	default:
		if u, err = proven.user(tx); err != nil {
			return cloud.Proof{}, err
		}
		if proof, err = e.proofOf(tx, u, now); err == nil {
			err = g.Count(tx, true, now)
		}
	}
	if err != nil {
		return cloud.Proof{}, err
	}
	return proof, e.appendProof(tx, u, client, proof, now)
}

// user is the engine's user whose password was proven; nil: there is none.
func (p *Proven) user(r Reader) (*User, error) {
	for _, key := range []cloud.Key{p.Subject, p.Otherwise} {
		if key.Value == "" {
			continue
		}
		u, err := lookUp(r, key)
		switch {
		case err != nil:
			return nil, err
		case u != nil && p.SID != "" && u.SID != "" && Fold(u.SID) != Fold(p.SID):
			return nil, nil // that name is somebody else's here
		case u != nil:
			return u, nil
		}
	}
	return nil, nil
}

// proofOf is the answer to a right password.
func (e *Engine) proofOf(r Reader, u *User, now time.Time) (cloud.Proof, error) {
	if u == nil { // the password was right, and nobody here has it
		return cloud.Proof{Reason: cloud.WrongPassword}, nil
	}
	if reason := usable(u, now); reason != "" {
		return cloud.Proof{Reason: reason}, nil
	}
	ids, err := groupsAround(r, string(u.ID))
	if err != nil {
		return cloud.Proof{}, err
	}
	groups, err := groupsOf(r, ids)
	proof := cloud.Proof{OK: true, User: u.ID, UPN: u.UPN}
	for i := range groups {
		proof.Groups = append(proof.Groups, groups[i].Name)
	}
	slices.Sort(proof.Groups)
	return proof, err
}

// appendProof records an answer about a user; nil: it is about nobody.
func (e *Engine) appendProof(tx Tx, u *User, client cloud.Client, proof cloud.Proof, now time.Time) error {
	entry := audit.Entry{Time: now, Node: e.node, Actor: client.App, Action: "password.ok", Detail: fmt.Sprintf("app=%q from=%q", client.App, tries.Place(client))}
	if !proof.OK {
		entry.Action = "password.refused"
		entry.Detail = "reason=" + string(proof.Reason) + " " + entry.Detail
	}
	if u != nil {
		entry.Subject = string(u.ID)
	}
	return tx.Append(entry)
}
