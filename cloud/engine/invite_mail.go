package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// mailAgain is how long after a mail of an invitation there is no other: a
// command that is run again must not write to everybody again.
const mailAgain = 10 * time.Minute

// MailInvitation sends a user the address of their open invitation, which holds
// no secret: to their address of mail, or to their name where that is an address
// in a domain of the organisation. Unsupported: nothing here delivers mail, or
// nobody has said where the pages are; NotFound: there is no open invitation;
// Invalid: there is no address; Throttled: it was sent a moment ago.
func (e *Engine) MailInvitation(ctx context.Context, by Actor, id cloud.UserID) error {
	if err := by.check(); err != nil {
		return err
	}
	var m Message
	var device string
	err := e.store.Update(ctx, func(tx Tx) (err error) {
		m, device, err = e.invitationMail(tx, by, id)
		return err
	})
	if err != nil {
		return asError(err)
	}
	if err := e.senders[m.Way].Send(ctx, m); err != nil {
		forgotten := e.store.Update(context.WithoutCancel(ctx), func(tx Tx) error { return e.mailed(tx, id, device, time.Time{}) })
		return errors.Join(&cloud.Error{Kind: cloud.Unavailable, Message: "the mail was not sent: " + err.Error()}, asError(forgotten))
	}
	return nil
}

// invitationMail is MailInvitation inside its transaction.
func (e *Engine) invitationMail(tx Tx, by Actor, id cloud.UserID) (m Message, device string, err error) {
	now := e.now()
	if _, err := by.findUser(tx, id); err != nil {
		return m, "", err
	}
	switch {
	case e.senders[cloud.EmailCode] == nil:
		return m, "", refuse(cloud.Unsupported, "nothing here delivers mail")
	case e.link == nil:
		return m, "", refuse(cloud.Unsupported, "nobody has said at which address the pages are: set public_url")
	}
	u, d, err := e.invited(tx, id, true)
	switch {
	case err != nil:
		return m, "", err
	case d == nil:
		return m, "", refuse(cloud.NotFound, "there is no invitation that is open")
	}
	a, err := d.aside()
	if err != nil {
		return m, "", err
	}
	if since := now.Sub(a.Mailed); since >= 0 && since < mailAgain {
		return m, "", &cloud.Error{Kind: cloud.Throttled, Reason: cloud.MailedBefore, Message: "the mail was sent a moment ago", RetryAfter: mailAgain - since}
	}
	to := e.writesTo(u)
	if to == "" {
		return m, "", refuse(cloud.Invalid, "the user has no address of mail, and their name is none in a domain of the organisation")
	}
	s, err := settingsOf(tx)
	if err != nil {
		return m, "", err
	}
	subject, text := invitationText(s.LanguageName(), u.UPN, e.link(u.UPN), d.Until)
	m = Message{ID: string(newChallengeID(now)), Time: now, To: to, Way: cloud.EmailCode, User: id, Subject: subject, Text: secret.FromString(text)}
	entry := e.entry(by, "user.invite-mail", string(id), "device="+d.ID, now)
	return m, d.ID, errors.Join(e.mailed(tx, id, d.ID, now), tx.Append(entry))
}

// mailed remembers when the mail of an invitation went out; zero: it did not.
func (e *Engine) mailed(tx Tx, id cloud.UserID, device string, at time.Time) error {
	devices, err := tx.Devices(id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(devices, func(d Device) bool { return d.ID == device })
	if i < 0 {
		return nil // used or revoked meanwhile
	}
	return devices[i].editAside(tx, func(a *deviceAside) { a.Mailed = at })
}

// writesTo is the address to which a user is written when nothing depends on who
// reads it; empty: there is none.
func (e *Engine) writesTo(u *User) string {
	if u.Email != "" {
		return u.Email
	}
	_, domain, found := strings.Cut(u.UPN, "@")
	if found && slices.Contains(e.setup.Domains, strings.ToLower(domain)) {
		return u.UPN
	}
	return ""
}

// invitationText is the mail of an invitation. What it says of itself is what
// tells it from one that fishes: it asks for nothing, and names who may be asked.
func invitationText(language, upn, link string, until time.Time) (subject, text string) {
	if language == "de" {
		return "Richten Sie Ihren Authenticator ein", "Sie sind eingeladen, den Authenticator einzurichten, mit dem Sie die Anmeldungen von " + upn + " bestätigen.\n\n" +
			"Öffnen Sie diese Adresse auf dem Telefon, das Sie dafür nehmen wollen, bis zum " + until.UTC().Format("02.01.2006, 15:04 MST") + ":\n\n" + link + "\n\n" +
			"Dort weisen Sie sich aus wie bei der Arbeit. Diese E-Mail enthält kein Geheimnis, und niemand fragt Sie in einer Antwort danach.\n" +
			"Haben Sie sie nicht erwartet, rufen Sie Ihren Helpdesk an, bevor Sie die Adresse öffnen.\n"
	}
	return "Set up your authenticator", "You are invited to set up the authenticator with which you will approve the sign-ins of " + upn + ".\n\n" +
		"Open this address on the telephone that you want to use, until " + until.UTC().Format("2 January 2006, 15:04 MST") + ":\n\n" + link + "\n\n" +
		"There you prove who you are, as at work. This mail holds no secret, and nobody will ask you for one in an answer to it.\n" +
		"If you did not expect it, call your helpdesk before you open the address.\n"
}
