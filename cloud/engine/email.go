package engine

import (
	"context"
	"crypto/hmac"
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/tries"
	"mfabridge/internal/secret"
)

// confirmLife is how long a code is good that proves an address, confirmTries
// how many wrong ones it survives.
const (
	confirmLife  = 15 * time.Minute
	confirmTries = 5
)

// wayConfirm is the Way of failures with codes that prove an address.
const wayConfirm = "confirm"

// appConfirm is what users are told that a code is for which proves an address.
const appConfirm = "the confirmation of this address"

// confirming is a code that was sent to an address: not the code, but a MAC of
// it and the address.
type confirming struct {
	ID    cloud.ChallengeID `json:"id"`
	MAC   []byte            `json:"mac"`
	Until time.Time         `json:"until"`
	Tries int               `json:"tries"` // wrong ones that are left
}

// emailProof stands for a confirmed address in the user's row: it binds the
// user and the address, so that another address is never confirmed by it.
func (e *Engine) emailProof(id cloud.UserID, address string) []byte {
	mac := hmac.New(newHash, e.codeKey.Reveal())
	mac.Write([]byte("email\x00" + string(id) + "\x00" + strings.ToLower(address)))
	return mac.Sum(nil)
}

// confirmed tells whether the address of a user is one that they read mail at.
// Who imported it knows where mail goes to, and not who reads it: until then
// nothing verifies by it.
func (e *Engine) confirmed(u *User) bool {
	return u.Email != "" && len(u.Proof) > 0 && subtle.ConstantTimeCompare(u.Proof, e.emailProof(u.ID, u.Email)) == 1
}

// ConfirmEmail says that the address of a user was confirmed by other means,
// which the reason names. From then on codes may go there.
func (e *Engine) ConfirmEmail(ctx context.Context, by Actor, id cloud.UserID) error {
	return e.change(ctx, by, id, "user.email-confirm", "how=operator", func(u *User) error {
		if u.Email == "" {
			return refuse(cloud.Invalid, "the user has no address of mail")
		}
		u.Proof = e.emailProof(u.ID, u.Email)
		return dropConfirming(u)
	})
}

// UnconfirmEmail takes a confirmation back: only notices go to the address.
func (e *Engine) UnconfirmEmail(ctx context.Context, by Actor, id cloud.UserID) error {
	return e.change(ctx, by, id, "user.email-unconfirm", "", func(u *User) error {
		u.Proof = nil
		return dropConfirming(u)
	})
}

func dropConfirming(u *User) error {
	a, err := readAside(u)
	if err != nil || a.Confirming == nil {
		return err
	}
	a.Confirming = nil
	return setAside(u, a)
}

// SendEmailCode sends a code to the address of a user that proves who reads it;
// an earlier one is worth nothing from then on. It logs nobody in. Unsupported:
// nothing delivers mail; Throttled: too many were sent.
func (e *Engine) SendEmailCode(ctx context.Context, by Actor, id cloud.UserID) (until time.Time, err error) {
	sender := e.senders[cloud.EmailCode]
	if sender == nil {
		return time.Time{}, refuse(cloud.Unsupported, "nothing here delivers mail")
	}
	if err := by.check(); err != nil {
		return time.Time{}, err
	}
	code, err := randomCode(sentDigits)
	if err != nil {
		return time.Time{}, err
	}
	var m Message
	var say string
	err = e.store.Update(ctx, func(tx Tx) error {
		m, say, until, err = e.confirmByCode(tx, by, id, code)
		return err
	})
	switch {
	case err != nil:
		return time.Time{}, asError(err)
	case say != "":
		return time.Time{}, refuse(cloud.Throttled, say)
	}
	defer m.wipe()
	if err := sender.Send(ctx, m); err != nil {
		return time.Time{}, &cloud.Error{Kind: cloud.Unavailable, Message: "the code was not sent: " + err.Error()}
	}
	return until, nil
}

// confirmByCode is SendEmailCode inside its transaction.
func (e *Engine) confirmByCode(tx Tx, by Actor, id cloud.UserID, code string) (m Message, say string, until time.Time, err error) {
	now := e.now()
	u, err := by.findUser(tx, id)
	if err != nil {
		return m, "", until, err
	}
	if u.Email == "" {
		return m, "", until, refuse(cloud.Invalid, "the user has no address of mail")
	}
	if say, err = e.mayText(tx, e.mailQuotas(id, u.Email, "", true, now), now); say != "" || err != nil {
		return m, say, until, err
	}
	a, err := readAside(u)
	if err != nil {
		return m, "", until, err
	}
	c := confirming{ID: newChallengeID(now), Until: now.UTC().Add(confirmLife), Tries: confirmTries}
	c.MAC = e.sentMAC(c.ID, u.Email, []byte(code))
	a.Confirming = &c
	if err := setAside(u, a); err != nil {
		return m, "", until, err
	}
	m = message(&Challenge{ID: c.ID, User: id, App: appConfirm, Created: now, Method: cloud.EmailCode}, e.text, u.Email, code)
	return m, "", c.Until, errors.Join(tx.PutUser(u), tx.Append(e.entry(by, "user.email-code", string(id), "", now)))
}

// ProveEmail takes the code that [Engine.SendEmailCode] sent, as the user read
// it: the address is confirmed. Denied: the code is wrong, used or over, or too
// many were tried.
func (e *Engine) ProveEmail(ctx context.Context, by Actor, id cloud.UserID, code secret.Bytes) error {
	if err := by.check(); err != nil {
		return err
	}
	ok := false
	err := e.store.Update(ctx, func(tx Tx) (err error) {
		ok, err = e.proveEmail(tx, by, id, code)
		return err
	})
	if err == nil && !ok {
		return refuse(cloud.Denied, "the code is wrong, used or over, or too many were tried")
	}
	return asError(err)
}

func (e *Engine) proveEmail(tx Tx, by Actor, id cloud.UserID, code secret.Bytes) (ok bool, err error) {
	now := e.now()
	u, err := by.findUser(tx, id)
	if err != nil {
		return false, err
	}
	g, err := e.tries.Gate(tx, tries.Where{User: string(id), Way: wayConfirm}, now)
	if err != nil || g.Shut {
		return false, err
	}
	a, err := readAside(u)
	if err != nil {
		return false, err
	}
	detail := "how=code"
	if c := a.Confirming; c != nil {
		typed := cleanCode(code.Reveal())
		defer clear(typed)
		ok = u.Email != "" && now.Before(c.Until) && subtle.ConstantTimeCompare(c.MAC, e.sentMAC(c.ID, u.Email, typed)) == 1
		if c.Tries--; ok || c.Tries <= 0 {
			a.Confirming = nil
		}
	}
	action := "user.email-refused"
	if ok {
		action, u.Proof = "user.email-confirm", e.emailProof(u.ID, u.Email)
	}
	return ok, errors.Join(setAside(u, a), g.Count(tx, ok, now), tx.PutUser(u), tx.Append(e.entry(by, action, string(id), detail, now)))
}
