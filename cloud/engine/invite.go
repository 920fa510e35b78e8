package engine

import (
	"context"
	"errors"
	"time"

	"mfabridge/cloud"
)

// Invite makes an invitation to activate an authenticator, and returns its id
// and its end. An invitation verifies nothing until it is used. Who has one that
// nobody has used keeps that one, with its whole life again: whoever invites
// twice, or was not told that it was done, means one authenticator.
func (e *Engine) Invite(ctx context.Context, by Actor, user cloud.UserID) (id string, until time.Time, err error) {
	if err := by.check(); err != nil {
		return "", time.Time{}, err
	}
	c := cloud.Change{User: user, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: deviceInvited}}
	if err := admit(&e.caps, &c); err != nil {
		return "", time.Time{}, err
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		w := writing{e: e, tx: tx, now: e.now(), byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
		d, err := w.draft(c)
		switch {
		case err != nil:
			return err
		case d.user.ID == "":
			return noSuchUser()
		}
		if err := by.mayChange(&d.user); err != nil {
			return err
		}
		c := c // the store may run this again
		if v := d.unused(); v != nil {
			c.Op, c.ID = cloud.Update, v.ID
		}
		if id, err = d.invite(&w, c); err != nil {
			return err
		}
		until = w.now.Add(invitationLife)
		if err := tx.PutUser(&d.user); err != nil {
			return err
		}
		return tx.Append(e.entry(by, "user.invite", string(user), "device="+id, w.now))
	})
	return id, until, asError(err)
}

// unused is the invitation that nobody has used, of several the one that ends
// last; nil: there is none.
func (d *draft) unused() (last *Device) {
	for i := range d.devices {
		if v := &d.devices[i]; v.State == deviceInvited && (last == nil || v.Until.After(last.Until)) {
			last = v
		}
	}
	return last
}

// States of an invitation, as they are shown.
const (
	InvitationPending = "pending" // nobody has opened it
	InvitationOpened  = "opened"  // somebody proved to be who was invited
	InvitationDone    = "done"    // it is an authenticator
	InvitationExpired = "expired" // it can be renewed
)

// Invitation is an invitation to activate an authenticator, and what became of it.
type Invitation struct {
	Device string
	State  string
	Until  time.Time // zero: it has no end any more
	Opened time.Time // zero: it was not
}

// Invitations are those of a user, oldest first.
func (e *Engine) Invitations(ctx context.Context, user cloud.UserID) (all []Invitation, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		all = nil
		devices, err := r.Devices(user)
		for _, d := range devices {
			i := Invitation{Device: d.ID, State: InvitationPending, Until: d.Until, Opened: d.Opened}
			switch {
			case d.State == deviceActive:
				i.State, i.Until = InvitationDone, time.Time{}
			case !e.now().Before(d.Until):
				i.State = InvitationExpired
			case !d.Opened.IsZero():
				i.State = InvitationOpened
			}
			all = append(all, i)
		}
		return err
	})
	return all, asError(err)
}

// RenewInvitation gives an invitation its whole life again. Conflict: it is an
// authenticator by now.
func (e *Engine) RenewInvitation(ctx context.Context, by Actor, user cloud.UserID, device string) (until time.Time, err error) {
	c := cloud.Change{User: user, Op: cloud.Update, Method: cloud.Authenticator, ID: device, After: cloud.Value{State: deviceInvited}}
	err = e.changeInvitation(ctx, by, c, "user.invite", func(w *writing, d *draft) error {
		until = w.now.Add(invitationLife)
		_, err := d.invite(w, c)
		return err
	})
	return until, err
}

// RevokeInvitation ends an invitation. Conflict: it is an authenticator by now,
// which is removed as one.
func (e *Engine) RevokeInvitation(ctx context.Context, by Actor, user cloud.UserID, device string) error {
	c := cloud.Change{User: user, Op: cloud.Remove, Method: cloud.Authenticator, ID: device}
	return e.changeInvitation(ctx, by, c, "user.invite-revoke", func(w *writing, d *draft) error { return d.dismiss(w, c) })
}

func (e *Engine) changeInvitation(ctx context.Context, by Actor, c cloud.Change, action string, do func(*writing, *draft) error) error {
	if err := by.check(); err != nil {
		return err
	}
	err := e.store.Update(ctx, func(tx Tx) error {
		w := writing{e: e, tx: tx, now: e.now(), byID: map[cloud.UserID]*draft{}, byUPN: map[string]*draft{}}
		d, err := w.draft(c)
		if err != nil {
			return err
		}
		i := -1
		if d.user.ID != "" && c.ID != "" {
			i = d.device(c)
		}
		switch {
		case i < 0:
			return refuse(cloud.NotFound, "there is no such invitation")
		case d.devices[i].State == deviceActive:
			return refuse(cloud.Conflict, "the invitation was used: it is an authenticator now")
		}
		if err := by.mayChange(&d.user); err != nil {
			return err
		}
		if err := do(&w, d); err != nil {
			return err
		}
		return errors.Join(tx.PutUser(&d.user), tx.Append(e.entry(by, action, string(c.User), "device="+c.ID, w.now)))
	})
	return asError(err)
}
