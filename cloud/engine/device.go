package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"mfabridge/cloud"
)

// States of an authenticator. Stored are invited and active; an invitation is
// expired by its time.
const (
	deviceInvited = "invited"
	deviceExpired = "expired"
	deviceActive  = "active"
)

// invitationLife is how long an invitation to activate an authenticator can
// be used.
const invitationLife = 14 * 24 * time.Hour

// devicesOf reads the devices of a user who has any.
func devicesOf(r Reader, u *User) ([]Device, error) {
	if u.Devices == 0 {
		return nil, nil
	}
	return r.Devices(u.ID)
}

// invitations shows devices as they are now.
func invitations(devices []Device, now time.Time) []cloud.AuthenticatorEntry {
	var entries []cloud.AuthenticatorEntry
	for _, d := range devices {
		entry := cloud.AuthenticatorEntry{ID: d.ID, Name: d.Name, State: d.State, Until: d.Until}
		switch {
		case d.State == deviceActive:
			entry.Until = time.Time{}
		case !now.Before(d.Until):
			entry.State = deviceExpired
		}
		entries = append(entries, entry)
	}
	return entries
}

// live counts authenticators and invitations that can still become one.
func (d *draft) live() (n int) {
	for _, a := range d.user.Authenticators {
		if a.State != deviceExpired {
			n++
		}
	}
	return n
}

// slots are how many of the OATH methods and apps the user has that a limit
// counts: an app with its generator is one.
func (d *draft) slots() (n int) {
	for _, t := range d.tokens {
		if !slices.ContainsFunc(d.devices, func(v Device) bool { return v.ID == t.ID }) {
			n++
		}
	}
	return n + d.live()
}

// device is the index of the authenticator that a change is about, or -1.
func (d *draft) device(c cloud.Change) int {
	return slices.IndexFunc(d.devices, func(v Device) bool { return c.ID == "" || v.ID == c.ID })
}

// invite makes an invitation, or gives one its whole life again.
func (d *draft) invite(w *writing, c cloud.Change) (string, error) {
	if c.After.State != deviceInvited {
		return "", refused(cloud.Invalid, "an authenticator becomes active on the user's telephone: it can only be invited")
	}
	v, own := Device{User: d.user.ID, State: deviceInvited, Created: w.now}, 0
	if c.Op == cloud.Update {
		if v = d.devices[d.device(c)]; v.State == deviceActive {
			return "", refused(cloud.Conflict, "the authenticator is active: remove it first")
		}
		if w.now.Before(v.Until) {
			own = 1
		}
		v.Opened = time.Time{}
	} else {
		id, err := uuid.NewV7()
		if err != nil {
			return "", fmt.Errorf("no method id can be made: %w", err)
		}
		v.ID = id.String()
	}
	s, err := settingsOf(w.tx)
	if err != nil {
		return "", err
	}
	if err := d.roomForDevice(w.e, &s, own); err != nil {
		return "", err
	}
	v.Until = w.now.Add(invitationLife)
	if err := w.tx.PutDevice(&v); err != nil {
		return "", err
	}
	if i := slices.IndexFunc(d.devices, func(have Device) bool { return have.ID == v.ID }); i >= 0 {
		d.devices[i] = v
	} else {
		d.devices = append(d.devices, v)
	}
	d.redeviced(w)
	return v.ID, nil
}

// roomForDevice refuses one authenticator more than the settings allow, or than
// a user can have methods; own of those that there are give way to it.
func (d *draft) roomForDevice(e *Engine, s *Settings, own int) error {
	if d.live()-own >= s.Devices {
		return &refusal{because(cloud.DeviceLimit, cloud.Invalid, fmt.Sprintf("the authenticators of a user are at most %d here", s.Devices))}
	}
	return d.roomForMethod(e, -own)
}

// roomForMethod refuses one OATH method or app more than a user can have, beside
// those that d knows and others.
func (d *draft) roomForMethod(e *Engine, others int) error {
	if d.slots()+others >= e.caps.OATH.Limit {
		return &refusal{because(cloud.MethodLimit, cloud.Invalid, fmt.Sprintf("a user can have at most %d OATH methods and apps", e.caps.OATH.Limit))}
	}
	return nil
}

// dismiss removes an authenticator or revokes an invitation.
func (d *draft) dismiss(w *writing, c cloud.Change) error {
	i := d.device(c)
	v := d.devices[i]
	if v.State == deviceActive && d.user.Default == cloud.Push && !slices.ContainsFunc(d.devices, func(o Device) bool {
		return o.ID != v.ID && o.State == deviceActive
	}) {
		if err := d.dropDefault(w.e); err != nil {
			return err
		}
	}
	if err := d.dropGenerator(w, v.ID); err != nil { // first: it may refuse
		return err
	}
	if err := w.tx.RemoveDevice(v.User, v.ID); err != nil {
		return err
	}
	d.devices = slices.Delete(d.devices, i, i+1)
	d.redeviced(w)
	return nil
}

// dropGenerator removes the generator of an authenticator that goes: whoever
// has found the telephone has its codes.
func (d *draft) dropGenerator(w *writing, device string) error {
	i := slices.IndexFunc(d.tokens, func(t Token) bool { return t.ID == device })
	if i < 0 {
		return nil
	}
	if d.user.Default == cloud.OATHCode && len(d.tokens) == 1 {
		if err := d.dropDefault(w.e); err != nil {
			return err
		}
	}
	t := d.tokens[i]
	d.tokens = slices.Delete(d.tokens, i, i+1)
	d.show(w.e)
	return errors.Join(keepSpent(w.tx, &t), w.tx.RemoveToken(t.User, t.ID))
}

// redeviced brings the user in line with its devices.
func (d *draft) redeviced(w *writing) {
	d.user.Devices, d.user.Authenticators = len(d.devices), invitations(d.devices, w.now)
	d.changed = true
}

// leave ends what the store keeps of a user beside names and methods.
func (e *Engine) leave(tx Tx, id cloud.UserID) error {
	slips, err := tx.SlipsOf(id)
	if err != nil {
		return err
	}
	errs := []error{tx.LeaveAll(string(id)), tx.RemoveMeta(metaAttributes + string(id)), tx.RemoveUser(id)}
	for i := range slips {
		errs = append(errs, tx.RemoveSlip(slips[i].ID))
	}
	return errors.Join(append(errs, e.takeBack(tx, id))...)
}
