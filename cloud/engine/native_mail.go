package engine

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// preferMail is the way of codes by mail.
const preferMail = cloud.Preference("email")

// mailer delivers mail; nil: nobody does.
func (e *Engine) mailer() Sender { return e.senders[preferMail] }

// mailProof stands for a confirmed address in the user's row.
func (e *Engine) mailProof(u *User) []byte {
	mac := hmac.New(sha256.New, e.codeKey.Reveal())
	mac.Write([]byte("email\x00" + string(u.ID) + "\x00" + strings.ToLower(u.Email)))
	return mac.Sum(nil)
}

// confirmedMail is the address at which the user has proven to read mail, or "".
func (e *Engine) confirmedMail(u *User) string {
	if u.Email == "" || len(u.Proof) == 0 || subtle.ConstantTimeCompare(u.Proof, e.mailProof(u)) != 1 {
		return ""
	}
	return u.Email
}

// confirm records that the user has proven to read mail at the address.
func (e *Engine) confirm(u *User) { u.Proof = e.mailProof(u) }

// tell tells a user what was done in their name, by text or by mail. That
// nobody takes the message undoes nothing.
func (e *Engine) tell(ctx context.Context, u *User, text string) {
	m := Message{ID: string(newChallengeID(e.now())), Time: e.now(), User: u.ID, Text: secret.FromString(text)}
	sender := e.senders[cloud.SMS]
	if m.To = u.Mobile; m.To == "" || sender == nil {
		sender, m.To = e.mailer(), e.confirmedMail(u)
	}
	if m.To == "" || sender == nil {
		return
	}
	if err := sender.Send(context.WithoutCancel(ctx), m); err != nil {
		e.log.WarnContext(ctx, "the user was not told", "user", u.ID, "err", err)
	}
}
