package engine

import (
	"errors"
	"time"

	"mfabridge/cloud"
)

// reword gives a user another password. Whoever changes one has reason to think
// that somebody else knows it: sign-ins that wait for an approval, and may have
// been begun with the old one, end now, and the returned verdicts are to be
// published; others end when they are answered, see [Engine.outlived]. The caller
// stores the user.
func (e *Engine) reword(tx Tx, u *User, sealed []byte, now time.Time) (ended []Verdict, err error) {
	first := u.Password == nil
	u.Password = sealed
	if first { // nothing can have been begun with it
		return nil, nil
	}
	a, err := readAside(u)
	if err != nil {
		return nil, err
	}
	a.Reworded = now.UTC()
	if err := setAside(u, a); err != nil {
		return nil, err
	}
	return e.endPushes(tx, &a, cloud.Expired, cloud.TimedOut, now)
}

// endPushes gives all sign-ins of a user that wait for an approval their
// verdict, and returns what is to be published of them. One whose time was over
// before has timed out, whatever the others are told.
func (e *Engine) endPushes(tx Tx, a *aside, state cloud.State, reason cloud.Reason, now time.Time) (ended []Verdict, err error) {
	for _, p := range a.Pushes {
		c, err := tx.Challenge(p.ID)
		if err != nil {
			return nil, err
		}
		if c == nil || c.State != cloud.Pending {
			continue
		}
		if now.Before(c.Expires) {
			c.conclude(state, reason, now)
		} else {
			c.conclude(cloud.Expired, cloud.TimedOut, now)
		}
		ended = append(ended, Verdict{c.Owner, c.decision(false)})
		if err := errors.Join(tx.PutChallenge(c), e.auditVerdict(tx, c, now)); err != nil {
			return nil, err
		}
	}
	return ended, nil
}

// outlived tells whether the time of a challenge is over: that which it had, or
// that of the password with which it may have been begun. A change further away
// than any challenge waits was of another time of the clock, and ends nothing.
func (e *Engine) outlived(c *Challenge, u *User, now time.Time) (bool, error) {
	if !now.Before(c.Expires) {
		return true, nil
	}
	if u == nil {
		return false, nil
	}
	a, err := readAside(u)
	if err != nil || a.Reworded.IsZero() {
		return false, err
	}
	since := now.Sub(a.Reworded)
	return c.Created.Before(a.Reworded) && -waitText <= since && since <= waitText, nil
}
