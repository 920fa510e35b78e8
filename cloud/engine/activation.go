package engine

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

// activationLife is how long the code is good that a new authenticator is
// activated with. Wrong codes do not end it, or anybody who knows a name could
// keep its user from activating: each place has few tries, and there are 2^59
// codes.
const activationLife = 10 * time.Minute

// Those who are to prove who they are began these challenges. No application
// can have such a name.
const (
	ownerActivation = " activation"
	ownerManagement = " management"
)

// appActivation is what users are told that they log in to.
const appActivation = "Authenticator activation"

// activation is a code that was given out: not the code, but a MAC of it.
type activation struct {
	Device string    `json:"device"` // the invitation
	MAC    []byte    `json:"mac"`
	Until  time.Time `json:"until"`
	Word   []byte    `json:"word,omitempty"` // stands for the password that was proven for it, see wordOf; empty: none was
	Pass   bool      `json:"pass,omitempty"` // it was opened by a pass
}

// Purpose is what somebody proves who they are for.
type Purpose string

// Purposes.
const (
	ForActivation Purpose = "activate" // a code to activate an authenticator with
	ForManagement Purpose = "manage"   // to look after one's authenticators, see [Engine.AuthenticateOwner]
)

func (p Purpose) owner() (string, error) {
	switch p {
	case ForActivation, "":
		return ownerActivation, nil
	case ForManagement:
		return ownerManagement, nil
	}
	return "", refuse(cloud.Invalid, "a sign-in is for activate or manage")
}

// Activation is what somebody gets who has proven who they are. What is secret
// in it is shown once.
type Activation struct {
	User  string // the name to give with the code
	Code  secret.Bytes
	Token secret.Bytes // of the owner, in place of a code
	Until time.Time

	PIN       bool // the new authenticator needs a PIN
	PINLength int  // of at least so many digits
}

// SignIn is what somebody gives who signs in on a page.
type SignIn struct {
	Name     string
	Password secret.Bytes
	For      Purpose
	Method   cloud.Preference // how to be asked for the second factor; empty: as ever
	Client   cloud.Client
}

// SignIn begins what somebody has to prove: the password, now, and then a second
// factor that is there already, which the challenge asks for; neither a push nor
// a bypass is one. Denied: the name or the password is wrong, or the user may
// not do what it is for, or cannot be asked.
func (e *Engine) SignIn(ctx context.Context, n SignIn) (cloud.Challenge, error) {
	owner, err := n.For.owner()
	if err != nil {
		return cloud.Challenge{}, err
	}
	n.Client.App = appActivation
	word, err := e.wordNow(ctx, n.Name) // before it is compared: another one is not what was proven
	if err != nil {
		return cloud.Challenge{}, err
	}
	user, err := e.primary(ctx, &n)
	if err != nil {
		return cloud.Challenge{}, err
	}
	if owner == ownerActivation {
		if err := e.store.View(ctx, func(r Reader) error { return e.mayActivate(r, user) }); err != nil {
			return cloud.Challenge{}, asError(err)
		}
	}
	c, err := e.begin(ctx, owner, cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(user)}, Client: n.Client, Method: n.Method, Tries: 3, Context: word})
	if err == nil && c.State != cloud.Pending {
		err = because(c.Reason, cloud.Denied, "there is no second factor to prove yourself by now ("+string(c.Reason)+"): ask the helpdesk for a pass")
	}
	return c, err
}

// wordNow stands for the password that somebody has at this moment, see wordOf.
func (e *Engine) wordNow(ctx context.Context, name string) (word []byte, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		u, err := lookUp(r, cloud.Key{Kind: cloud.ByName, Value: name})
		if err == nil {
			word, err = e.wordOf(u)
		}
		return err
	})
	return word, asError(err)
}

// hasWord tells whether the password that stands behind something is still the
// user's; true where none does. Whoever changes a password has reason to think
// that somebody else knows it: nothing that was begun with it goes on.
func (e *Engine) hasWord(u *User, word []byte) (bool, error) {
	if len(word) == 0 {
		return true, nil
	}
	now, err := e.wordOf(u)
	return subtle.ConstantTimeCompare(now, word) == 1, err
}

func (e *Engine) mustHaveWord(u *User, word []byte) error {
	has, err := e.hasWord(u, word)
	if err == nil && !has {
		err = because(cloud.Ended, cloud.Denied, "the password was changed meanwhile: sign in again")
	}
	return err
}

// mayActivate tells whether a user who goes on proving who they are can activate
// an authenticator then: what refuses it is told before a code is sent or used.
func (e *Engine) mayActivate(r Reader, user cloud.UserID) error {
	s, err := settingsOf(r)
	switch {
	case err != nil:
		return err
	case !s.Activate:
		return selfActivates()
	}
	u, open, err := e.invited(r, user, s.Enrol)
	if err != nil || open != nil {
		return err
	}
	d, err := e.draftOf(r, u, e.now())
	if err != nil {
		return err
	}
	return d.roomForDevice(e, &s, 0)
}

// selfActivates refuses people to whom the settings do not leave it.
func selfActivates() error {
	return because(cloud.HelpdeskOnly, cloud.Denied, "authenticators are activated with a code or a pass of the helpdesk here")
}

// primary is who the name and the password prove somebody to be.
func (e *Engine) primary(ctx context.Context, n *SignIn) (cloud.UserID, error) {
	proof, err := e.checkPublic(ctx, n.Name, n.Client, n.Password)
	switch {
	case err != nil:
		return "", err
	case !proof.OK:
		return "", because(cloud.WrongPassword, cloud.Denied, "the name or the password is wrong, or was tried too often")
	}
	return proof.User, nil
}

// ProveCode answers the challenge of [Engine.SignIn]; with its approval comes
// what that was for. Denied: the code is not right, or it is over.
func (e *Engine) ProveCode(ctx context.Context, id cloud.ChallengeID, code secret.Bytes) (Activation, error) {
	owner, err := e.beganBy(ctx, id)
	if err != nil {
		return Activation{}, err
	}
	d, err := e.answerFor(ctx, owner, cloud.Answer{Challenge: id, Code: code})
	switch {
	case err != nil:
		return Activation{}, err
	case d.State == cloud.Pending:
		return Activation{}, because(d.Reason, cloud.Denied, fmt.Sprintf("the code is not right (%s); %d more can be tried", d.Reason, d.TriesLeft))
	case d.State != cloud.Approved:
		return Activation{}, because(cloud.Ended, cloud.Denied, "that is over ("+string(d.Reason)+"): sign in again")
	}
	subject := cloud.Key{Kind: cloud.ByID, Value: string(d.User)}
	if owner == ownerManagement {
		return e.owned(ctx, subject, "method="+string(d.Method), d.Context)
	}
	return e.openInvitation(ctx, opening{subject: subject, how: "method=" + string(d.Method), self: true, word: d.Context})
}

// beganBy is who began a challenge of a sign-in on a page.
func (e *Engine) beganBy(ctx context.Context, id cloud.ChallengeID) (owner string, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		c, err := r.Challenge(id)
		if err != nil {
			return err
		}
		if c == nil || c.Owner != ownerActivation && c.Owner != ownerManagement {
			return because(cloud.Ended, cloud.NotFound, "there is no such challenge")
		}
		owner = c.Owner
		return nil
	})
	return owner, asError(err)
}

// ProvePass takes a temporary access pass, which the helpdesk hands out, in
// place of password and second factor. A right one stays as good as it was where
// there is nothing to prove oneself for: no invitation, or no room for a device.
func (e *Engine) ProvePass(ctx context.Context, name string, pass secret.Bytes, purpose Purpose, client cloud.Client) (made Activation, err error) {
	owner, err := purpose.owner()
	if err != nil {
		return Activation{}, err
	}
	client.App = appActivation
	subject := cloud.Key{Kind: cloud.ByName, Value: name}
	word, err := randomPass()
	if err != nil {
		return Activation{}, err
	}
	reason, err := e.passFor(ctx, subject, pass, client, func(tx Tx) (err error) {
		if owner == ownerManagement {
			made, err = e.ownedIn(tx, subject, "method=pass", nil)
		} else {
			made, err = e.opened(tx, opening{subject: subject, how: "method=pass", pass: true}, word)
		}
		return err
	})
	switch {
	case err != nil:
		return Activation{}, err
	case reason != "":
		return Activation{}, because(cloud.WrongCode, cloud.Denied, "the name or the pass is wrong, or the pass was used or has ended, or it was tried too often")
	}
	return made, nil
}

// IssueActivation makes the code for a user on behalf of a helpdesk, which has
// made sure who asks: with an invitation that is there, or a new one.
func (e *Engine) IssueActivation(ctx context.Context, by Actor, id cloud.UserID) (Activation, error) {
	if err := by.check(); err != nil {
		return Activation{}, err
	}
	return e.openInvitation(ctx, opening{subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, how: "method=helpdesk", by: &by})
}

// invited returns a user who may activate an authenticator, and the invitation
// that ends first; open: there may be none.
func (e *Engine) invited(r Reader, id cloud.UserID, open bool) (*User, *Device, error) {
	u, err := r.User(id)
	if err != nil {
		return nil, nil, err
	}
	now := e.now()
	if why := usable(u, now); why != "" {
		return nil, nil, because(why, cloud.Denied, "the user is disabled or blocked")
	}
	may, err := e.allowed(r, id)
	if err != nil {
		return nil, nil, err
	}
	if !may.Authenticator {
		return nil, nil, because(cloud.NotAllowed, cloud.Denied, "the method policy does not allow this user an authenticator")
	}
	devices, err := devicesOf(r, u)
	if err != nil {
		return nil, nil, err
	}
	var first *Device
	for i := range devices {
		d := &devices[i]
		if d.State == deviceInvited && now.Before(d.Until) && (first == nil || d.Until.Before(first.Until)) {
			first = d
		}
	}
	if first == nil && !open {
		return nil, nil, because(cloud.NoInvitation, cloud.Denied, "there is no invitation, or it is over: ask the helpdesk for one")
	}
	return u, first, nil
}

// opening is an invitation that is to be opened.
type opening struct {
	subject cloud.Key
	how     string
	by      *Actor // of the helpdesk; nil: the user
	self    bool   // by password and second factor, and nobody of the helpdesk
	pass    bool   // by a pass
	word    []byte // stands for the password that was proven; empty: none was
}

// openInvitation makes the code for somebody who has proven to be the user. An
// earlier one is worth nothing from then on.
func (e *Engine) openInvitation(ctx context.Context, o opening) (made Activation, err error) {
	word, err := randomPass()
	if err != nil {
		return Activation{}, err
	}
	err = e.store.Update(ctx, func(tx Tx) (err error) {
		made, err = e.opened(tx, o, word)
		return err
	})
	if err != nil {
		return Activation{}, asError(err)
	}
	return made, nil
}

// opened is openInvitation inside its transaction.
func (e *Engine) opened(tx Tx, o opening, word secret.Bytes) (made Activation, err error) {
	now := e.now()
	found, err := lookUp(tx, o.subject)
	if err != nil {
		return made, err
	}
	if found == nil {
		return made, noSuchUser()
	}
	if err := e.mustHaveWord(found, o.word); err != nil {
		return made, err
	}
	entry := audit.Entry{Time: now, Node: e.node, Actor: appActivation, Action: "device.open", Subject: string(found.ID)}
	if o.by != nil {
		if err := o.by.mayChange(found); err != nil {
			return made, err
		}
		entry.Actor, entry.Reason = o.by.Who, o.by.Reason
	}
	s, err := settingsOf(tx)
	if err != nil {
		return made, err
	}
	if o.self && !s.Activate {
		return made, selfActivates()
	}
	u, d, err := e.invited(tx, found.ID, s.Enrol || o.by != nil)
	if err != nil {
		return made, err
	}
	if d == nil {
		if u, d, err = e.inviteNow(tx, u); err != nil {
			return made, err
		}
	}
	a, err := readAside(u)
	if err != nil {
		return made, err
	}
	made = Activation{User: u.UPN, Code: grouped(word), Until: now.UTC().Add(activationLife), PIN: s.PIN || a.PIN, PINLength: s.Length}
	d.Opened = now
	if d.Until.Before(made.Until) { // or its code would end before the time that is told
		d.Until = made.Until
	}
	a.Activation = &activation{Device: d.ID, MAC: e.activationMAC(u.ID, d.ID, string(word.Reveal())), Until: made.Until, Word: o.word, Pass: o.pass}
	if err := setAside(u, a); err != nil {
		return made, err
	}
	entry.Detail = "device=" + d.ID + " " + o.how
	return made, errors.Join(tx.PutUser(u), tx.PutDevice(d), tx.Append(entry))
}

// inviteNow makes an invitation for somebody who opens it at once.
func (e *Engine) inviteNow(tx Tx, u *User) (*User, *Device, error) {
	w := writing{e: e, tx: tx, now: e.now(), byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
	d, err := w.load(u)
	if err != nil {
		return nil, nil, err
	}
	id, err := d.invite(&w, cloud.Change{User: u.ID, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: deviceInvited}})
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(d.devices, func(v Device) bool { return v.ID == id })
	return &d.user, &d.devices[i], nil
}

// grouped is a word as people copy it: in fours.
func grouped(word secret.Bytes) secret.Bytes {
	b := word.Reveal()
	return secret.FromString(string(b[:4]) + "-" + string(b[4:8]) + "-" + string(b[8:]))
}

func (e *Engine) activationMAC(user cloud.UserID, device, code string) []byte {
	return e.sentMAC(cloud.ChallengeID("activation/"+device), string(user), []byte(signature.PlainCode(code)))
}
