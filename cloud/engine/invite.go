package engine

import (
	"context"
	"time"

	"mfabridge/cloud"
)

// Invite makes an invitation to activate an authenticator, and returns its id
// and its end. An invitation verifies nothing until it is used.
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
			return refuse(cloud.NotFound, "there is no such user")
		}
		if err := by.mayChange(&d.user); err != nil {
			return err
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
