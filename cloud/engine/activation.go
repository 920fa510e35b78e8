package engine

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// activationLife is how long the code is good that a new authenticator is
// activated with, activationTries how many wrong ones it survives.
const (
	activationLife  = 10 * time.Minute
	activationTries = 10
)

// appSecret is the size of the secret of an app's generator, in bytes: RFC 4226
// §4 recommends 160 bits.
const appSecret = 20

// wayActivation is the Way of failures with activation codes.
const wayActivation = "activate"

// ownerActivation began the challenges of those who are to prove who they are
// before they get a code. No application can have that name.
const ownerActivation = " activation"

// appActivation is what users are told that they log in to.
const appActivation = "Authenticator activation"

// activation is a code that was given out: not the code, but a MAC of it.
type activation struct {
	Device string    `json:"device"` // the invitation
	MAC    []byte    `json:"mac"`
	Until  time.Time `json:"until"`
	Tries  int       `json:"tries"` // wrong ones that are left
}

// Activation is a code to activate an authenticator with. It is shown once.
type Activation struct {
	User  string // the name to give with it
	Code  secret.Bytes
	Until time.Time
}

// SignIn begins what somebody has to prove before a code is given out: the
// password, now, and then a second factor that is there already, which the
// challenge asks for; neither a push nor a bypass is one. Denied: the name or
// the password is wrong, or the user is not invited or cannot be asked.
func (e *Engine) SignIn(ctx context.Context, name string, password secret.Bytes, client cloud.Client) (cloud.Challenge, error) {
	client.App = appActivation
	if err := e.passwords.enterPublic(ctx); err != nil {
		return cloud.Challenge{}, err
	}
	proof, err := e.CheckPassword(ctx, cloud.Key{Kind: cloud.ByName, Value: name}, password, client)
	e.passwords.leavePublic()
	if err != nil {
		return cloud.Challenge{}, err
	}
	if !proof.OK {
		return cloud.Challenge{}, refuse(cloud.Denied, "the name or the password is wrong, or was tried too often")
	}
	err = e.store.View(ctx, func(r Reader) error {
		_, _, err := e.invited(r, proof.User)
		return err
	})
	if err != nil {
		return cloud.Challenge{}, asError(err)
	}
	c, err := e.begin(ctx, ownerActivation, cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(proof.User)}, Client: client, Tries: 3})
	if err == nil && c.State != cloud.Pending {
		err = refuse(cloud.Denied, "there is no second factor to prove yourself by now ("+string(c.Reason)+"): ask the helpdesk for a pass")
	}
	return c, err
}

// ProveCode answers the challenge of [Engine.SignIn]; with its approval comes
// the code to activate with. Denied: the code is not right, or it is over.
func (e *Engine) ProveCode(ctx context.Context, id cloud.ChallengeID, code secret.Bytes) (Activation, error) {
	d, err := e.answerFor(ctx, ownerActivation, cloud.Answer{Challenge: id, Code: code})
	switch {
	case err != nil:
		return Activation{}, err
	case d.State == cloud.Pending:
		return Activation{}, refuse(cloud.Denied, fmt.Sprintf("the code is not right (%s); %d more can be tried", d.Reason, d.TriesLeft))
	case d.State != cloud.Approved:
		return Activation{}, refuse(cloud.Denied, "that is over ("+string(d.Reason)+"): sign in again")
	}
	return e.openInvitation(ctx, cloud.Key{Kind: cloud.ByID, Value: string(d.User)}, "method="+string(d.Method))
}

// ProvePass takes a temporary access pass, which the helpdesk hands out, in
// place of password and second factor.
func (e *Engine) ProvePass(ctx context.Context, name string, pass secret.Bytes, client cloud.Client) (Activation, error) {
	client.App = appActivation
	subject := cloud.Key{Kind: cloud.ByName, Value: name}
	reason, err := e.CheckPass(ctx, subject, pass, client)
	switch {
	case err != nil:
		return Activation{}, err
	case reason != "":
		return Activation{}, refuse(cloud.Denied, "the name or the pass is wrong, or was tried too often")
	}
	return e.openInvitation(ctx, subject, "method=pass")
}

// invited returns a user who may activate an authenticator, and the invitation
// that ends first.
func (e *Engine) invited(r Reader, id cloud.UserID) (*User, *Device, error) {
	u, err := r.User(id)
	if err != nil {
		return nil, nil, err
	}
	now := e.now()
	if usable(u, now) != "" {
		return nil, nil, refuse(cloud.Denied, "the user is disabled or blocked")
	}
	may, err := e.allowed(r, id)
	if err != nil {
		return nil, nil, err
	}
	if !may.Authenticator {
		return nil, nil, refuse(cloud.Denied, "the method policy does not allow this user an authenticator")
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
	if first == nil {
		return nil, nil, refuse(cloud.Denied, "there is no invitation, or it is over: ask the helpdesk for one")
	}
	return u, first, nil
}

// openInvitation makes the code for somebody who has proven to be the user. An
// earlier one is worth nothing from then on.
func (e *Engine) openInvitation(ctx context.Context, subject cloud.Key, how string) (made Activation, err error) {
	word, err := randomPass()
	if err != nil {
		return Activation{}, err
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		now := e.now()
		found, err := lookUp(tx, subject)
		if err != nil {
			return err
		}
		if found == nil {
			return refuse(cloud.NotFound, "there is no such user")
		}
		u, d, err := e.invited(tx, found.ID)
		if err != nil {
			return err
		}
		a, err := readAside(u)
		if err != nil {
			return err
		}
		d.Opened = now
		made = Activation{User: u.UPN, Code: grouped(word), Until: now.UTC().Add(activationLife)}
		a.Activation = &activation{Device: d.ID, MAC: e.activationMAC(u.ID, d.ID, string(word.Reveal())), Until: made.Until, Tries: activationTries}
		if err := setAside(u, a); err != nil {
			return err
		}
		return errors.Join(tx.PutUser(u), tx.PutDevice(d), tx.Append(Entry{Time: now, Node: e.node, Actor: appActivation,
			Action: "device.open", Subject: string(u.ID), Detail: "device=" + d.ID + " " + how}))
	})
	if err != nil {
		return Activation{}, asError(err)
	}
	return made, nil
}

// grouped is a word as people copy it: in fours.
func grouped(word secret.Bytes) secret.Bytes {
	b := word.Reveal()
	return secret.FromString(string(b[:4]) + "-" + string(b[4:8]) + "-" + string(b[8:]))
}

// cleanActivation is a code as it was made, however it was typed.
func cleanActivation(typed string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, typed))
}

func (e *Engine) activationMAC(user cloud.UserID, device, code string) []byte {
	return e.sentMAC(cloud.ChallengeID("activation/"+device), string(user), []byte(cleanActivation(code)))
}

// Enrolment is what a new authenticator says of itself.
type Enrolment struct {
	User      string // a name of the user, as in Activation
	Code      secret.Bytes
	Name      string // what its user calls it
	Key       []byte // public, DeviceKeySize bytes
	Signature []byte // of ActivationText, by that key
}

// Enrolled is what a new authenticator is told. It is told once.
type Enrolled struct {
	User   cloud.UserID
	UPN    string
	Device string
	OATH   cloud.OATH // its generator with the secret; none where policy does not allow one
}

// Enrol makes an invitation into an active authenticator, which signs with the
// key from then on and has a generator of codes. Codes that are wrong, used or
// over, and users who are not there, are refused alike (Denied) and count; a
// key without its signature is refused before and counts nothing.
func (e *Engine) Enrol(ctx context.Context, n Enrolment, client cloud.Client) (Enrolled, error) {
	if _, err := parseDeviceKey(n.Key); err != nil {
		return Enrolled{}, err
	}
	if err := checkText("the name of an authenticator", n.Name, maxLabel); err != nil {
		return Enrolled{}, err
	}
	if n.Code.Len() > maxLabel || len(n.User) > maxName || !signedBy(n.Key, ActivationText(n.User, string(n.Code.Reveal()), n.Name, n.Key), n.Signature) {
		return Enrolled{}, refuse(cloud.Invalid, "the signature is not one by this key")
	}
	var s *enrolling
	err := e.store.Update(ctx, func(tx Tx) error {
		s = &enrolling{e: e, tx: tx, n: &n, now: e.now(), place: place(client)}
		return s.run()
	})
	if err != nil {
		return Enrolled{}, asError(err)
	}
	if !s.ok {
		return Enrolled{}, refuse(cloud.Denied, "the activation code is wrong, used or over, or too many were tried")
	}
	e.announce(ctx, s.user, &n)
	return s.made, nil
}

// enrolling is one Enrol inside its transaction.
type enrolling struct {
	e     *Engine
	tx    Tx
	n     *Enrolment
	now   time.Time
	place string
	user  *User
	ok    bool // the code was right
	made  Enrolled
}

func (s *enrolling) run() (err error) {
	subject := cloud.Key{Kind: cloud.ByName, Value: s.n.User}
	if s.user, err = lookUp(s.tx, subject); err != nil {
		return err
	}
	g, err := s.e.gate(s.tx, where{user: counted(s.user, subject), way: wayActivation, place: s.place}, s.now)
	if err != nil || g.shut {
		return err
	}
	var device string
	if s.user != nil {
		if device, err = s.redeem(); err != nil {
			return err
		}
	}
	s.ok = device != ""
	if err := g.count(s.tx, s.ok, s.now); err != nil {
		return err
	}
	if !s.ok {
		entry := Entry{Time: s.now, Node: s.e.node, Actor: appActivation, Action: "device.refused", Detail: fmt.Sprintf("from=%q", s.place)}
		if s.user != nil {
			entry.Subject = string(s.user.ID)
		} else if err := s.e.prune(s.tx, s.now); err != nil { // whoever guesses names must not fill the disk with their counts
			return err
		}
		return s.tx.Append(entry)
	}
	return s.enrol(device)
}

// redeem uses the code up, or one of its tries; empty: it is not right.
func (s *enrolling) redeem() (device string, err error) {
	a, err := readAside(s.user)
	if err != nil || a.Activation == nil {
		return "", err
	}
	c := a.Activation
	right := subtle.ConstantTimeCompare(c.MAC, s.e.activationMAC(s.user.ID, c.Device, string(s.n.Code.Reveal()))) == 1
	if c.Tries--; right || c.Tries <= 0 || !s.now.Before(c.Until) {
		a.Activation = nil
	}
	if right && s.now.Before(c.Until) && usable(s.user, s.now) == "" {
		device = c.Device
	}
	if err := setAside(s.user, a); err != nil {
		return "", err
	}
	return device, s.tx.PutUser(s.user)
}

// enrol makes the device and its generator.
func (s *enrolling) enrol(device string) error {
	if err := s.e.activate(s.tx, s.user.ID, device, s.n.Name, s.n.Key, s.now); err != nil {
		return err
	}
	u, err := s.tx.User(s.user.ID)
	if err != nil {
		return err
	}
	s.made = Enrolled{User: u.ID, UPN: u.UPN, Device: device}
	may, err := s.e.allowed(s.tx, u.ID)
	if err != nil || !may.SoftwareOATH {
		return err
	}
	random := make([]byte, appSecret)
	rand.Read(random)
	key := secret.New(random)
	print := cloud.Fingerprint(s.e.setup.Instance, key)
	o := cloud.OATH{Name: s.n.Name, Serial: "MFB-" + print, Manufacturer: "mfabridge", Model: "app", Algorithm: cloud.SHA1, Digits: 6, Period: 30,
		Fingerprint: print, Secret: key}
	w := writing{e: s.e, tx: s.tx, now: s.now, byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
	d, err := w.load(u)
	if err != nil {
		return err
	}
	t := Token{User: u.ID, OATHEntry: cloud.OATHEntry{ID: device, Method: cloud.SoftwareOATH}}
	s.made.OATH = o
	return d.putToken(&w, &t, &o)
}

// announce tells the user by another method that an authenticator was
// activated: whoever did not do that must hear of it. It is no reason to undo
// the activation if nobody takes the message.
func (e *Engine) announce(ctx context.Context, u *User, n *Enrolment) {
	e.log.InfoContext(ctx, "an authenticator was activated", "user", u.ID)
	sender := e.senders[cloud.SMS]
	if sender == nil || u.Mobile == "" {
		return
	}
	text := "The authenticator " + n.Name + " can approve sign-ins for " + u.UPN + " from now on. If that was not you, call your helpdesk."
	m := Message{ID: string(newChallengeID(e.now())), Time: e.now(), To: u.Mobile, Text: secret.FromString(text), Application: appActivation}
	if err := sender.Send(context.WithoutCancel(ctx), m); err != nil {
		e.log.WarnContext(ctx, "the user was not told of a new authenticator", "user", u.ID, "err", err)
	}
}

// activate makes an invitation into an active device.
func (e *Engine) activate(tx Tx, user cloud.UserID, device, name string, key []byte, now time.Time) error {
	u, err := tx.User(user)
	if err != nil {
		return err
	}
	devices, err := tx.Devices(user)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(devices, func(d Device) bool {
		return d.ID == device && d.State == deviceInvited && now.Before(d.Until)
	})
	switch {
	case u == nil || i < 0:
		return refuse(cloud.NotFound, "there is no such invitation, or it is over")
	case usable(u, now) != "":
		return refuse(cloud.Denied, "the user is disabled or blocked")
	}
	may, err := e.allowed(tx, user)
	if err != nil {
		return err
	}
	if !may.Authenticator {
		return refuse(cloud.Denied, "the method policy does not allow this user an authenticator")
	}
	d := devices[i]
	d.State, d.Name, d.Until, d.Key = deviceActive, name, time.Time{}, key
	if err := tx.PutDevice(&d); err != nil {
		return err
	}
	if u.Default == "" || u.Default == cloud.OATHCode {
		u.Default = cloud.Push
		if err := tx.PutUser(u); err != nil {
			return err
		}
	}
	return tx.Append(Entry{Time: now, Node: e.node, Actor: "device " + d.ID, Action: "device.activate", Subject: string(user)})
}
