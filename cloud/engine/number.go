package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/form"
)

// Signing in with a mobile number and a code that is sent there is a first
// factor, for people who have no password: it is off unless the policy's line
// [PolicyTextSignIn] names a group, and an administrator has opened it for each
// user. A number opens it for one user alone. It is never for those with an
// administrative role. The telephone of whoever signs in so is no second factor
// any more, by text or by call, whatever they sign in to and however.
//
// Whoever asks learns nothing of whether a number is anybody's: answers are the
// same, and messages go out after them.

// ownerNumber stands before the name of the application that began a sign-in by
// number: as no application can be called so, its challenges are no second
// factors of anybody.
const ownerNumber = " number of "

// wayNumber is the Way of failures with codes of sign-ins by number, and with
// numbers that are nobody's.
const wayNumber = "number"

// numberTries is how many wrong codes a sign-in by number survives.
const numberTries = 3

// NumberAsked is the answer to somebody who has typed a number.
type NumberAsked struct {
	ID        cloud.ChallengeID
	ExpiresAt time.Time
}

// SetNumberSignIn opens sign-in with the mobile number for a user, or closes it.
// Conflict: the number is another user's already. Denied: the user has an
// administrative role.
func (e *Engine) SetNumberSignIn(ctx context.Context, by Actor, id cloud.UserID, open bool) error {
	if err := by.check(); err != nil {
		return err
	}
	if open && e.setup.Kind != KindEngine {
		return refuse(cloud.Unsupported, "a store that rehearses Entra ID has sign-in by text in the policy of sms")
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		u, err := by.findUser(tx, id)
		if err != nil {
			return err
		}
		action := "user.number-close"
		if open {
			action, err = "user.number-open", openNumber(tx, u)
		} else {
			err = closeNumber(tx, u)
		}
		if err != nil {
			return err
		}
		return errors.Join(tx.PutUser(u), tx.Append(e.entry(by, action, string(id), "", e.now())))
	}))
}

// openNumber claims a user's number; the user is to be stored.
func openNumber(tx Tx, u *User) error {
	number := signInNumber(u.Mobile)
	switch {
	case number == "":
		return refuse(cloud.Invalid, "the user has no mobile number that texts can go to")
	case len(u.Roles) > 0:
		return refuse(cloud.Denied, "a user with an administrative role cannot sign in with a number and a code")
	}
	a, err := readAside(u)
	if err != nil || a.Number == number {
		return err
	}
	owner, err := tx.Claim(Numbers, number, u.ID)
	switch {
	case err != nil:
		return err
	case owner != u.ID:
		return refuse(cloud.Conflict, "another user signs in with this number")
	}
	a.Number = number
	return setAside(u, a)
}

// closeNumber gives a user's number back, if they sign in with one; the user is
// to be stored. Whoever changes or removes a mobile or a user does it too: the
// next holder of a number is somebody else.
func closeNumber(tx Tx, u *User) error {
	a, err := readAside(u)
	if err != nil || a.Number == "" {
		return err
	}
	if err := tx.Release(Numbers, a.Number); err != nil {
		return err
	}
	a.Number = ""
	return setAside(u, a)
}

// SignsInByNumber tells whether sign-in by number was opened for a user; the
// policy may forbid it all the same.
func (u *User) SignsInByNumber() bool {
	a, err := readAside(u)
	return err != nil || a.Number != "" // what cannot be read closes the telephone
}

// signInNumber is a mobile number as it is typed and compared: +CC and digits. A
// number with an extension is none.
func signInNumber(s string) string {
	number := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -.()", r) {
			return -1
		}
		return r
	}, s)
	digits, plus := strings.CutPrefix(number, "+")
	if !plus || len(digits) < 7 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" || digits[0] == '0' {
		return ""
	}
	return number
}

// mayNumber tells why a user may not sign in by number at this moment, or "".
func (e *Engine) mayNumber(r Reader, u *User, now time.Time) (cloud.Reason, Allowed, error) {
	if reason := usable(u, now); reason != "" {
		return reason, Allowed{}, nil
	}
	a, err := readAside(u)
	if err != nil {
		return "", Allowed{}, err
	}
	may, err := e.allowed(r, u.ID)
	if err != nil {
		return "", may, err
	}
	switch {
	case e.setup.Kind != KindEngine, a.Number == "", a.Number != signInNumber(u.Mobile), e.senders[cloud.SMS] == nil:
		return cloud.NoMethod, may, nil
	case !may.SMS, !may.TextSignIn, len(u.Roles) > 0:
		return cloud.NotAllowed, may, nil
	}
	return "", may, nil
}

// BeginNumber sends a code to whoever signs in with a number, if there is
// somebody. Invalid: it is no number with a country code. Throttled: too many
// messages are under way.
func (e *Engine) BeginNumber(ctx context.Context, app, number string, client cloud.Client) (NumberAsked, error) {
	number = signInNumber(number)
	if number == "" {
		return NumberAsked{}, refuse(cloud.Invalid, "write the number with its country code: +44 20 7946 0000")
	}
	after, err := e.lateTexts.take(ctx)
	if err != nil {
		return NumberAsked{}, err
	}
	defer after.hand()
	client.Station, client.App = clean(client.Station, form.MaxName), clean(client.App, maxApp)
	var b *beginning
	err = e.store.Update(ctx, func(tx Tx) error {
		r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: number}, Method: cloud.SMS, Client: client, Tries: numberTries}
		b = &beginning{e: e, tx: tx, r: &r, owner: ownerNumber + app, now: e.now(), text: e.text}
		return b.number(number)
	})
	if err != nil {
		return NumberAsked{}, asError(err)
	}
	if b.message != nil {
		after.send = e.delivering(b)
	}
	return NumberAsked{b.c.ID, b.c.Expires}, nil
}

// number begins a sign-in by number inside its transaction. Where nothing is to
// be sent the challenge is made up, and not kept.
func (b *beginning) number(number string) (err error) {
	b.c = &Challenge{ID: newChallengeID(b.now), Owner: b.owner, State: cloud.Pending, Method: cloud.SMS, App: b.r.Client.App, Place: tries.Place(b.r.Client),
		Tries: b.r.Tries, Created: b.now, Expires: b.now.Add(waitText)}
	if b.user, err = b.tx.UserNamed(Numbers, number); err != nil {
		return err
	}
	reason, may, err := cloud.NoMethod, Allowed{}, error(nil)
	if b.user != nil {
		if reason, may, err = b.e.mayNumber(b.tx, b.user, b.now); err != nil {
			return err
		}
	}
	if reason != "" {
		_, err := b.e.stranger(b.tx, wayNumber, b.c.Place, b.now)
		return err
	}
	b.c.User = b.user.ID
	g, err := b.e.tries.Gate(b.tx, ofCode(b.c), b.now)
	if err != nil {
		return err
	}
	limit := "failures"
	if !g.Shut {
		if limit, err = b.e.mayText(b.tx, b.quotasFor(cloud.SMS, b.user.Mobile), b.now); err != nil {
			return err
		}
	}
	if limit != "" { // nobody is told: it would tell that the number is somebody's
		b.e.log.Info("no code was sent to sign in with a number: a limit is met", "user", b.user.ID, "limit", limit)
		return b.e.countNobody(b.tx, b.now)
	}
	if err := b.clear(); err != nil {
		return err
	}
	if err := b.prepareCode(cloud.SMS, may); err != nil {
		return err
	}
	return b.tx.PutChallenge(b.c)
}

// AnswerNumber takes the code of a sign-in by number, once: a proof as of a
// password. Whatever is wrong, the reason is WrongCode, but for a user who is
// disabled, blocked or not allowed any more and has the right code. An equal
// a.Key within RepeatWindow gets the same answer.
func (e *Engine) AnswerNumber(ctx context.Context, app string, a cloud.Answer, client cloud.Client) (cloud.Proof, error) {
	d, err := e.answerFor(ctx, ownerNumber+app, a)
	if cloud.KindOf(err) == cloud.NotFound && err != nil {
		e.takeAsLong(ctx)
		return cloud.Proof{Reason: cloud.WrongCode}, nil
	}
	if err != nil {
		return cloud.Proof{}, err
	}
	proof := cloud.Proof{Reason: cloud.WrongCode}
	client.Station, client.App = clean(client.Station, form.MaxName), clean(client.App, maxApp)
	err = e.store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
		proof = cloud.Proof{Reason: cloud.WrongCode}
		now := e.now()
		if d.State != cloud.Approved {
			return e.countNobody(tx, now)
		}
		u, err := tx.User(d.User)
		if err != nil {
			return err
		}
		reason, _, err := e.mayNumber(tx, u, now)
		switch {
		case err != nil:
			return err
		case reason != "":
			proof.Reason = reason
		default:
			if proof, err = e.proofOf(tx, u, now); err != nil {
				return err
			}
		}
		return e.appendNumber(tx, u, app, client, proof, now)
	})
	if err != nil {
		return cloud.Proof{}, asError(err)
	}
	return proof, nil
}

// appendNumber records that a right code came, and what followed.
func (e *Engine) appendNumber(tx Tx, u *User, app string, client cloud.Client, proof cloud.Proof, now time.Time) error {
	entry := audit.Entry{Time: now, Node: e.node, Actor: app, Action: "number.ok", Detail: fmt.Sprintf("app=%q from=%q", client.App, tries.Place(client))}
	if !proof.OK {
		entry.Action, entry.Detail = "number.refused", "reason="+string(proof.Reason)+" "+entry.Detail
	}
	if u != nil {
		entry.Subject = string(u.ID)
	}
	return tx.Append(entry)
}
