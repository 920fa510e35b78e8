package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
)

// Dismissed says how a user stands whose authenticator was taken away.
type Dismissed struct {
	Name  string           // what it was called
	Left  cloud.Preference // how the user is asked from now on, of what is registered and allowed; empty: no second factor is left
	Ended int              // sign-ins that waited for an approval, and are over
}

// RemoveDevice takes an authenticator away from a user who has lost it, on behalf
// of somebody who administers: its key, its codes and where it hears of pushes go
// at once, whatever is left to the user. Nothing that it may have begun goes on:
// sign-ins that wait for an approval end, on whatever device; the code that was
// given out last to activate another one is void; and who has signed in to look
// after authenticators has to do so again. The user is told by their other
// methods. NotFound: the user has no such authenticator, also where it was removed
// before. Conflict: it is an invitation. Denied: see [Actor].
func (e *Engine) RemoveDevice(ctx context.Context, by Actor, user cloud.UserID, device string) (Dismissed, error) {
	if err := by.check(); err != nil {
		return Dismissed{}, err
	}
	var s *dismissing
	err := e.store.Update(ctx, func(tx Tx) error {
		u, err := by.findUser(tx, user)
		if err != nil {
			return err
		}
		if err := removable(tx, user, device); err != nil {
			return err
		}
		now := e.now()
		s = &dismissing{e: e, tx: tx, now: now, user: u, device: device, last: true, lost: true, signOut: true,
			entry: e.entry(by, "device.remove", string(user), "device="+device, now)}
		if err := s.run(); err != nil {
			return err
		}
		s.did.Left, err = s.left()
		return err
	})
	if err != nil {
		return Dismissed{}, asError(err)
	}
	s.tell(ctx, "was removed by your organisation. If you did not ask for that, call your helpdesk.")
	return s.did, nil
}

// removable refuses what is no active device of the user.
func removable(r Reader, user cloud.UserID, device string) error {
	devices, err := r.Devices(user)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(devices, func(d Device) bool { return d.ID == device })
	switch {
	case i < 0:
		return refuse(cloud.NotFound, "the user has no such authenticator: it was removed before, or never was theirs")
	case devices[i].State != deviceActive:
		return refuse(cloud.Conflict, "that is an invitation which nobody has used: it is revoked, not removed")
	}
	return nil
}

// DismissDevice removes an authenticator of the user's own, its key and its
// codes at once; lost: also if it is the last thing that verifies the user, and
// unless the device itself asks, somebody else may have it: what that may have
// begun ends, too, as RemoveDevice says, but for sign-ins of the owner, of which
// this may be one. Conflict: it is the last one, and not lost.
func (e *Engine) DismissDevice(ctx context.Context, o Owner, device string, lost bool) error {
	action := "device.remove"
	if lost {
		action = "device.lost"
	}
	var s *dismissing
	err := e.store.Update(ctx, func(tx Tx) error {
		now := e.now()
		u, err := o.may(tx, now)
		if err != nil {
			return err
		}
		if _, err := ownedDevice(tx, o.User, device); err != nil {
			return err
		}
		s = &dismissing{e: e, tx: tx, now: now, user: u, device: device, last: lost, lost: lost && o.Device != device,
			entry: audit.Entry{Time: now, Node: e.node, Actor: o.actor(), Action: action, Subject: string(o.User), Detail: "device=" + device}}
		return s.run()
	})
	if err != nil {
		return asError(err)
	}
	s.tell(ctx, "was removed. If that was not you, call your helpdesk.")
	return nil
}

// dismissing is an active authenticator that is taken away, inside its transaction.
type dismissing struct {
	e       *Engine
	tx      Tx
	now     time.Time
	user    *User
	device  string
	last    bool // it may be the last that verifies the user
	lost    bool // somebody else may have it
	signOut bool // sign-ins of the owner end, too
	entry   audit.Entry

	d     *draft // of the user, without it
	did   Dismissed
	ended []Verdict
}

func (s *dismissing) run() (err error) {
	w := writing{e: s.e, tx: s.tx, now: s.now, byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
	if s.d, err = w.load(s.user); err != nil {
		return err
	}
	c := cloud.Change{User: s.user.ID, Op: cloud.Remove, Method: cloud.Authenticator, ID: s.device}
	s.did.Name = s.d.devices[s.d.device(c)].Name
	left := s.d.without(s.device)
	if left == "" && !s.last {
		return because(cloud.LastMethod, cloud.Conflict, "it is the last way to prove yourself: activate another authenticator first, or report this one as lost")
	}
	if s.d.user.Default == cloud.Push || s.d.user.Default == cloud.OATHCode {
		s.d.user.Default, s.d.changed = left, true
	}
	if err := errors.Join(s.d.dismiss(&w, c), s.tx.Append(s.entry)); err != nil {
		return err
	}
	if s.lost {
		if err := s.shut(); err != nil {
			return err
		}
	}
	return s.tx.PutUser(&s.d.user)
}

// shut ends what whoever has the authenticator may have begun, or be about to
// approve elsewhere.
func (s *dismissing) shut() error {
	a, err := readAside(&s.d.user)
	if err != nil {
		return err
	}
	if s.ended, err = s.e.endPushes(s.tx, &a, cloud.Expired, cloud.TimedOut, s.now); err != nil {
		return err
	}
	s.did.Ended = len(s.ended)
	a.Activation = nil
	if s.signOut {
		a.SignedOut = s.now.UTC()
	}
	return setAside(&s.d.user, a)
}

// left is how the user is asked from now on. Whether anybody delivers that is
// not looked at: a command on the store cannot know what the engine that runs has.
func (s *dismissing) left() (cloud.Preference, error) {
	u := &s.d.user
	q := Question{Push: s.e.setup.Kind == KindEngine && s.d.has(cloud.Push), Texts: true, Mail: s.e.confirmed(u)}
	for _, way := range []cloud.Preference{cloud.VoiceMobile, cloud.VoiceOffice, cloud.VoiceAlternateMobile} {
		if u.number(way) != "" {
			q.Calls = append(q.Calls, way)
		}
	}
	q.leaveOutNumber(u)
	var err error
	if q.Tokens, err = s.e.usableTokens(s.tx, u.ID); err != nil {
		return "", err
	}
	may, err := s.e.allowed(s.tx, u.ID)
	if err != nil {
		return "", err
	}
	way, _ := choose(u, q, may)
	return way, nil
}

// tell lets everybody know who has to, once it is durable.
func (s *dismissing) tell(ctx context.Context, what string) {
	s.e.publish(s.ended...)
	s.e.announce(ctx, s.user, "The authenticator "+quotedName(s.did.Name)+" of "+s.user.UPN+" "+what)
}

// without is how the user is asked once a device has gone: as before where that
// needs none, else the most secure way that is left; empty: none is.
func (d *draft) without(device string) cloud.Preference {
	rest := &draft{user: d.user}
	rest.devices = slices.DeleteFunc(slices.Clone(d.devices), func(v Device) bool { return v.ID == device })
	rest.tokens = slices.DeleteFunc(slices.Clone(d.tokens), func(t Token) bool { return t.ID == device })
	for _, method := range append([]cloud.Preference{d.user.Default}, Selectable()...) {
		if method != "" && rest.has(method) {
			return method
		}
	}
	return ""
}
