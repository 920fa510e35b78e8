package engine

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/internal/secret"
)

// OwnerTokenPrefix begins the token of somebody who has just proven to be the
// owner of authenticators, which no token of an application or device does.
const OwnerTokenPrefix = "mfo1."

// ownerLife is how long such a token lets in.
const ownerLife = 10 * time.Minute

// owned is what somebody gets who has proven who they are to look after their
// authenticators; word stands for the password that they did it with.
func (e *Engine) owned(ctx context.Context, subject cloud.Key, how string, word []byte) (made Activation, err error) {
	err = e.store.Update(ctx, func(tx Tx) (err error) {
		made, err = e.ownedIn(tx, subject, how, word)
		return err
	})
	return made, asError(err)
}

// ownedIn is owned inside its transaction.
func (e *Engine) ownedIn(tx Tx, subject cloud.Key, how string, word []byte) (made Activation, err error) {
	now := e.now()
	u, err := lookUp(tx, subject)
	switch {
	case err != nil:
		return made, err
	case usable(u, now) != "":
		return made, because(usable(u, now), cloud.Denied, "the user is disabled or blocked")
	}
	if err := e.mustHaveWord(u, word); err != nil {
		return made, err
	}
	made = Activation{User: u.UPN, Until: now.UTC().Add(ownerLife)}
	until := strconv.FormatInt(made.Until.Unix(), 10)
	mac, err := e.ownerMAC(u, until)
	if err != nil {
		return made, err
	}
	made.Token = secret.FromString(OwnerTokenPrefix + strings.Join([]string{string(u.ID), until, base64.RawURLEncoding.EncodeToString(mac)}, "."))
	return made, tx.Append(audit.Entry{Time: now, Node: e.node, Actor: appActivation, Action: "owner.sign-in", Subject: string(u.ID), Detail: how})
}

// ownerMAC is over the password that the user has, too: with another one the
// token is worth nothing.
func (e *Engine) ownerMAC(u *User, until string) ([]byte, error) {
	word, err := e.wordOf(u)
	return e.sentMAC("owner", string(u.ID), append([]byte(until+"."), word...)), err
}

// AuthenticateOwner says who a token of an owner was given to. It lets in for ten
// minutes, only whoever is neither disabled nor blocked at this moment, and not
// where the password was changed, an administrator has taken an authenticator
// away, or the store was restored, since it was given.
// Denied: it does not let in.
func (e *Engine) AuthenticateOwner(ctx context.Context, token string) (user cloud.UserID, err error) {
	denied := because(cloud.Ended, cloud.Denied, "the sign-in is over: sign in again")
	rest, ok := strings.CutPrefix(token, OwnerTokenPrefix)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 {
		return "", denied
	}
	user = cloud.UserID(parts[0])
	mac, err := base64.RawURLEncoding.DecodeString(parts[2])
	until, err2 := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || err2 != nil {
		return "", denied
	}
	left := time.Unix(until, 0).Sub(e.now())
	if left <= 0 || left > ownerLife+time.Second {
		return "", denied
	}
	err = e.store.View(ctx, func(r Reader) error {
		u, err := r.User(user)
		if err != nil {
			return err
		}
		if u == nil {
			return denied
		}
		right, err := e.ownerMAC(u, parts[1])
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(mac, right) != 1 || usable(u, e.now()) != "" {
			return denied
		}
		a, err := readAside(u)
		if err != nil {
			return err
		}
		fenced, err := fencedUntil(r)
		if given := time.Unix(until, 0).Add(-ownerLife); err == nil && (!given.After(a.SignedOut) || given.Unix() <= fenced) { // to the second: one of the same second is out, too
			err = denied
		}
		return err
	})
	return user, asError(err)
}

// Owned is a user as the owner of authenticators.
type Owned struct {
	User     cloud.UserID
	UPN      string
	Default  cloud.Preference
	Methods  []cloud.Preference // that are registered
	Settings Settings           // Select: what may be made the default, of what is registered
	PIN      bool               // approvals need a PIN
	Devices  []OwnedDevice      // active ones, oldest first
}

// OwnedDevice is one authenticator.
type OwnedDevice struct {
	ID, Name string
	Created  time.Time
	Used     time.Time // the last answer; zero: none
	Push     bool      // it hears of pushes from a push service
	PIN      bool      // it has a PIN
	Locked   bool      // for wrong PINs
}

// Owned shows somebody their authenticators.
func (e *Engine) Owned(ctx context.Context, user cloud.UserID) (o Owned, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		u, err := findUser(r, user)
		if err != nil {
			return err
		}
		a, err := readAside(u)
		if err != nil {
			return err
		}
		o = Owned{User: u.ID, UPN: u.UPN, Default: u.Default}
		if o.Settings, err = settingsOf(r); err != nil {
			return err
		}
		o.PIN = o.Settings.PIN || a.PIN
		d := &draft{user: *u}
		if d.tokens, err = r.Tokens(user); err != nil {
			return err
		}
		if d.devices, err = r.Devices(user); err != nil {
			return err
		}
		for _, method := range Selectable() {
			if d.has(method) {
				o.Methods = append(o.Methods, method)
			}
		}
		o.Settings.Select = slices.DeleteFunc(o.Settings.Select, func(p cloud.Preference) bool { return !slices.Contains(o.Methods, p) })
		o.Devices, err = shownDevices(d.devices)
		return err
	})
	return o, asError(err)
}

// Authenticators are the active ones of a user, oldest first, for who
// administers. NotFound: there is no such user.
func (e *Engine) Authenticators(ctx context.Context, user cloud.UserID) (all []OwnedDevice, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		if _, err := findUser(r, user); err != nil {
			return err
		}
		devices, err := r.Devices(user)
		if err != nil {
			return err
		}
		all, err = shownDevices(devices)
		return err
	})
	return all, asError(err)
}

// shownDevices are the active ones of some.
func shownDevices(devices []Device) (all []OwnedDevice, err error) {
	for i := range devices {
		d := &devices[i]
		if d.State != deviceActive {
			continue
		}
		a, err := d.aside()
		if err != nil {
			return nil, err
		}
		all = append(all, OwnedDevice{ID: d.ID, Name: d.Name, Created: d.Created, Used: a.Used, Push: a.Push != nil,
			PIN: a.PIN != nil, Locked: a.PIN != nil && a.PIN.Tries <= 0})
	}
	return all, nil
}

// Owner is who looks after authenticators of their own.
type Owner struct {
	User   cloud.UserID
	Device string // by which they do; empty: after a sign-in
}

func (o Owner) actor() string {
	if o.Device == "" {
		return "owner"
	}
	return "device " + o.Device
}

// may refuses a device that is not an active one any more, and a user who may
// not verify.
func (o Owner) may(r Reader, now time.Time) (*User, error) {
	u, err := r.User(o.User)
	switch {
	case err != nil:
		return nil, err
	case usable(u, now) != "":
		return nil, because(usable(u, now), cloud.Denied, "the user is disabled or blocked")
	}
	if o.Device != "" {
		_, err = deviceOf(r, o.User, o.Device)
	}
	return u, err
}

// RenameDevice calls an authenticator something else.
func (e *Engine) RenameDevice(ctx context.Context, o Owner, device, name string) error {
	if err := CheckDeviceName(name); err != nil {
		return err
	}
	return e.ownDevice(ctx, o, device, "device.rename", func(tx Tx, d *Device) error {
		d.Name = name
		return tx.PutDevice(d)
	})
}

// UnlockDevice takes the PIN of a device away, which then asks for a new one.
// Denied: a device asks, not somebody who has just signed in.
func (e *Engine) UnlockDevice(ctx context.Context, o Owner, device string) error {
	if o.Device != "" {
		return refuse(cloud.Denied, "sign in to unlock an authenticator")
	}
	return e.ownDevice(ctx, o, device, "device.unlock", func(tx Tx, d *Device) error {
		return d.editAside(tx, func(a *deviceAside) { a.PIN = nil })
	})
}

func (e *Engine) ownDevice(ctx context.Context, o Owner, device, action string, do func(Tx, *Device) error) error {
	return asError(e.store.Update(ctx, func(tx Tx) error {
		if _, err := o.may(tx, e.now()); err != nil {
			return err
		}
		d, err := ownedDevice(tx, o.User, device)
		if err != nil {
			return err
		}
		if err := do(tx, d); err != nil {
			return err
		}
		return tx.Append(audit.Entry{Time: e.now(), Node: e.node, Actor: o.actor(), Action: action, Subject: string(o.User), Detail: "device=" + d.ID})
	}))
}

// ownedDevice is a device that somebody looks after. NotFound: they have none of that id.
func ownedDevice(r Reader, user cloud.UserID, device string) (*Device, error) {
	d, err := deviceOf(r, user, device)
	if cloud.KindOf(err) == cloud.Denied {
		return nil, refuse(cloud.NotFound, "there is no such authenticator")
	}
	return d, err
}

// SetDefault makes one of a user's methods the one that they are asked by.
// Denied: the settings do not let people choose it; NotFound: it is not
// registered.
func (e *Engine) SetDefault(ctx context.Context, o Owner, method cloud.Preference) error {
	return asError(e.store.Update(ctx, func(tx Tx) error {
		u, err := o.may(tx, e.now())
		if err != nil {
			return err
		}
		s, err := settingsOf(tx)
		if err != nil {
			return err
		}
		if !slices.Contains(s.Select, method) {
			return because(cloud.NotAllowed, cloud.Denied, "people do not choose that method here: ask the helpdesk")
		}
		w := writing{e: e, tx: tx, now: e.now(), byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
		d, err := w.load(u)
		if err != nil {
			return err
		}
		if !d.has(method) {
			return refuse(cloud.NotFound, "that method is not registered")
		}
		u.Default = method
		return errors.Join(tx.PutUser(u), tx.Append(audit.Entry{Time: w.now, Node: e.node, Actor: o.actor(), Action: "user.default", Subject: string(o.User),
			Detail: "method=" + string(method)}))
	}))
}
