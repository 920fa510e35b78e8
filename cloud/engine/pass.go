package engine

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
)

// Limits on temporary access passes, those of Entra ID.
const (
	MinPassLife = 10 * time.Minute
	MaxPassLife = 30 * 24 * time.Hour
	passLength  = 12
	maxPasses   = 10 // of one user; the oldest that is over makes room
)

// passText are the letters and digits of a pass: none that is mistaken for
// another.
const passText = "abcdefghjkmnpqrstuvwxyz23456789"

// wayPass is the Way of failures with passes.
const wayPass = "pass"

// pass is a temporary access pass as it is kept: not the pass, but a MAC of it.
type pass struct {
	ID      string    `json:"id"`
	MAC     []byte    `json:"mac"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	Once    bool      `json:"once,omitempty"`
	Used    time.Time `json:"used,omitzero"` // the first time
	Revoked bool      `json:"revoked,omitempty"`
}

// Pass is a temporary access pass as it is shown. The pass itself never is.
type Pass struct {
	ID          string
	From, Until time.Time
	Once        bool
	Used        time.Time // zero: not yet
	State       string    // "valid", "used", "expired", "revoked"
}

func (p *pass) state(now time.Time) string {
	switch {
	case p.Revoked:
		return "revoked"
	case p.Once && !p.Used.IsZero():
		return "used"
	case !now.Before(p.Until):
		return "expired"
	}
	return "valid"
}

func shownPasses(passes []pass, now time.Time) (shown []Pass) {
	for i := range passes {
		p := &passes[i]
		shown = append(shown, Pass{ID: p.ID, From: p.From, Until: p.Until, Once: p.Once, Used: p.Used, State: p.state(now)})
	}
	return shown
}

// IssuePass makes a temporary access pass for a user who is to register a
// method: valid from now for life, once or until it ends. The pass is returned
// and can never be shown again. It verifies through [Engine.CheckPass] only:
// nothing that asks by RADIUS takes it.
func (e *Engine) IssuePass(ctx context.Context, by Actor, id cloud.UserID, life time.Duration, once bool) (Pass, secret.Bytes, error) {
	if life < MinPassLife || life > MaxPassLife {
		return Pass{}, secret.Bytes{}, refuse(cloud.Invalid, fmt.Sprintf("a pass must live %v to %v", MinPassLife, MaxPassLife))
	}
	word, err := randomPass()
	if err != nil {
		return Pass{}, secret.Bytes{}, err
	}
	now := e.now().UTC()
	random := make([]byte, 6)
	rand.Read(random)
	made := pass{ID: hex.EncodeToString(random), From: now, Until: now.Add(life), Once: once}
	made.MAC = e.passMAC(id, made.ID, word.Reveal())
	detail := fmt.Sprintf("pass=%s until=%s once=%t", made.ID, made.Until.Format(time.RFC3339), once)
	err = e.change(ctx, by, id, "user.pass", detail, func(u *User) error {
		a, err := readAside(u)
		if err != nil {
			return err
		}
		if a.Passes, err = roomFor(a.Passes, now); err != nil {
			return err
		}
		a.Passes = append(a.Passes, made)
		return setAside(u, a)
	})
	if err != nil {
		return Pass{}, secret.Bytes{}, err
	}
	return shownPasses([]pass{made}, now)[0], word, nil
}

// roomFor drops what is over where there are too many passes.
func roomFor(passes []pass, now time.Time) ([]pass, error) {
	var kept []pass
	drop := len(passes) - maxPasses + 1
	for _, p := range passes {
		if drop > 0 && p.state(now) != "valid" {
			drop--
			continue
		}
		kept = append(kept, p)
	}
	if len(kept) >= maxPasses {
		return nil, refuse(cloud.Conflict, fmt.Sprintf("the user has %d valid passes: revoke one first", len(kept)))
	}
	return kept, nil
}

// RevokePass ends a pass, and what somebody may have begun with one: the code to
// activate an authenticator with, and tokens of the owner. One that was used up a
// moment ago is revoked for that. NotFound: there is none of that id that is valid.
func (e *Engine) RevokePass(ctx context.Context, by Actor, id cloud.UserID, passID string) error {
	return e.change(ctx, by, id, "user.pass-revoke", "pass="+clean(passID, 32), func(u *User) error {
		a, err := readAside(u)
		if err != nil {
			return err
		}
		now := e.now()
		i := slices.IndexFunc(a.Passes, func(p pass) bool { return p.ID == passID && p.revocable(now) })
		if i < 0 {
			return refuse(cloud.NotFound, "the user has no valid pass of that id")
		}
		a.Passes[i].Revoked = true
		if !a.Passes[i].Used.IsZero() {
			a.SignedOut = now.UTC()
			if a.Activation != nil && a.Activation.Pass {
				a.Activation = nil
			}
		}
		return setAside(u, a)
	})
}

// revocable tells whether a pass is good, or what it was good for may still be.
func (p *pass) revocable(now time.Time) bool {
	state := p.state(now)
	return state == "valid" || state == "used" && now.Before(p.Used.Add(activationLife))
}

// CheckPass verifies a user by a temporary access pass: for those who call
// where a pass may be used, which is wherever a person registers methods and
// never RADIUS. An empty reason: it was right, and is recorded as used.
// Failures count as those of codes do. A user who is not there answers as a
// wrong pass does.
func (e *Engine) CheckPass(ctx context.Context, subject cloud.Key, word secret.Bytes, client cloud.Client) (reason cloud.Reason, err error) {
	return e.passFor(ctx, subject, word, client, func(Tx) error { return nil })
}

// passFor is CheckPass for something that is done in the same transaction: what
// refuses that leaves the pass as it was, or it would be used up for nothing.
// Only whoever has typed a right pass hears of such a refusal.
func (e *Engine) passFor(ctx context.Context, subject cloud.Key, word secret.Bytes, client cloud.Client, do func(Tx) error) (reason cloud.Reason, err error) {
	client.Station, client.App = clean(client.Station, form.MaxName), clean(client.App, maxApp)
	var useless error
	err = e.store.Update(ctx, func(tx Tx) (err error) {
		useless = nil
		if reason, err = e.checkPass(tx, subject, word, client); err != nil || reason != "" {
			return err
		}
		useless = do(tx)
		return useless
	})
	if kind := cloud.KindOf(useless); kind == cloud.Denied || kind == cloud.Invalid {
		return "", firstOf(e.passKept(ctx, subject, client), useless)
	}
	return reason, asError(err)
}

// passKept records that a pass was right, and not used.
func (e *Engine) passKept(ctx context.Context, subject cloud.Key, client cloud.Client) error {
	return asError(e.store.Update(ctx, func(tx Tx) error {
		u, err := lookUp(tx, subject)
		if err != nil || u == nil {
			return err
		}
		return tx.Append(audit.Entry{Time: e.now(), Node: e.node, Actor: client.App, Action: "pass.kept", Subject: string(u.ID),
			Detail: fmt.Sprintf("app=%q from=%q", client.App, tries.Place(client))})
	}))
}

func (e *Engine) checkPass(tx Tx, subject cloud.Key, word secret.Bytes, client cloud.Client) (cloud.Reason, error) {
	now := e.now()
	u, err := lookUp(tx, subject)
	if err != nil {
		return "", err
	}
	if u == nil { // the same work as for somebody who is there
		if shut, err := e.stranger(tx, wayPass, tries.Place(client), now); shut || err != nil {
			return cloud.WrongCode, err
		}
	}
	g, err := e.tries.Gate(tx, tries.Where{User: counted(u, subject), Way: wayPass, Place: tries.Place(client), Proven: proven(subject)}, now)
	if err != nil {
		return "", err
	}
	if g.Shut { // nothing was checked, and nothing is recorded: it would have no end
		return cloud.TooManyTries, e.countNobody(tx, now)
	}
	reason, err := e.judgePass(tx, u, word, now)
	if err = firstOf(err, g.Count(tx, reason == "", now)); err != nil {
		return "", err
	}
	entry := audit.Entry{Time: now, Node: e.node, Actor: client.App, Action: "pass.ok", Detail: fmt.Sprintf("app=%q from=%q", client.App, tries.Place(client))}
	if u != nil {
		entry.Subject = string(u.ID)
	}
	if reason != "" {
		entry.Action, entry.Detail = "pass.refused", "reason="+string(reason)+" "+entry.Detail
	}
	return reason, tx.Append(entry)
}

// judgePass uses the pass that was typed, or tells why not.
func (e *Engine) judgePass(tx Tx, u *User, word secret.Bytes, now time.Time) (cloud.Reason, error) {
	if u == nil {
		e.findPass("", []pass{{}}, word.Reveal(), now) // for the time that it takes
		return cloud.WrongCode, nil
	}
	if reason := usable(u, now); reason != "" {
		return reason, nil
	}
	reason, err := e.usePass(u, word, now)
	if err == nil && reason == "" {
		err = tx.PutUser(u)
	}
	return reason, err
}

// usePass marks the pass that was typed as used.
func (e *Engine) usePass(u *User, word secret.Bytes, now time.Time) (cloud.Reason, error) {
	a, err := readAside(u)
	if err != nil {
		return "", err
	}
	i := e.findPass(u.ID, a.Passes, word.Reveal(), now)
	if i < 0 {
		return cloud.WrongCode, nil
	}
	if a.Passes[i].Used.IsZero() {
		a.Passes[i].Used = now.UTC()
	}
	return "", setAside(u, a)
}

// findPass is the index of the valid pass that was typed, or -1. It compares
// with all, whichever is right.
func (e *Engine) findPass(id cloud.UserID, passes []pass, typed []byte, now time.Time) int {
	found := -1
	for i := range passes {
		p := &passes[i]
		if subtle.ConstantTimeCompare(p.MAC, e.passMAC(id, p.ID, typed)) == 1 && p.state(now) == "valid" {
			found = i
		}
	}
	return found
}

// passMAC stands for a pass in the store, bound to the user and to itself.
func (e *Engine) passMAC(user cloud.UserID, id string, word []byte) []byte {
	return e.sentMAC(cloud.ChallengeID("pass/"+id), string(user), word)
}

func randomPass() (secret.Bytes, error) {
	b := make([]byte, passLength)
	for i := range b {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(passText))))
		if err != nil {
			return secret.Bytes{}, fmt.Errorf("no pass can be made: %w", err)
		}
		b[i] = passText[n.Int64()]
	}
	return secret.New(b), nil
}

// firstOf is the first error there is.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
