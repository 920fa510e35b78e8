package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
)

// Approval is a push that a user has answered.
type Approval struct {
	Challenge cloud.ChallengeID
	App, From string
	At        time.Time
	State     cloud.State
	Device    string // which authenticator answered
	Name      string // and what it is called
	Reported  bool   // the user says that it was somebody else
}

// Approvals are the last ten pushes that a user has answered by a device that
// is still there, newest first.
func (e *Engine) Approvals(ctx context.Context, user cloud.UserID) (all []Approval, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		all = nil
		devices, err := r.Devices(user)
		if err != nil {
			return err
		}
		for i := range devices {
			d := &devices[i]
			a, err := d.aside()
			if err != nil {
				return err
			}
			for _, p := range a.Answers {
				all = append(all, Approval{Challenge: p.Challenge, App: p.App, From: p.Place, At: p.At, State: p.State, Device: d.ID, Name: d.Name, Reported: p.Reported})
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Approval) int { return b.At.Compare(a.At) })
	return all[:min(len(all), maxAnswers)], asError(err)
}

// ReportApproval says of a push that was answered that it was somebody else:
// what a report of fraud leads to follows, and the user is told by another
// method. Once: what was reported before is. NotFound: the user has answered
// no such push lately.
func (e *Engine) ReportApproval(ctx context.Context, o Owner, id cloud.ChallengeID) (blocked time.Time, err error) {
	var told *FraudReport
	var u *User
	err = e.store.Update(ctx, func(tx Tx) (err error) {
		told = nil
		if u, err = o.may(tx, e.now()); err != nil {
			return err
		}
		p, err := reportAnswer(tx, o.User, id)
		switch {
		case err != nil:
			return err
		case p == nil:
			return refuse(cloud.NotFound, "there is no such answer")
		case p.Reported:
			return nil
		}
		told, err = e.fraudulent(tx, suspicion{user: o.User, challenge: id, app: p.App, from: p.Place, actor: o.actor(), after: p.State}, e.now())
		return err
	})
	if err != nil || told == nil {
		return time.Time{}, asError(err)
	}
	e.notifyFraud(ctx, told)
	e.announce(ctx, u, "A sign-in of "+u.UPN+" to "+told.App+" was reported as somebody else's. If that was not you, call your helpdesk.")
	return told.Blocked, nil
}

// reportAnswer marks the answer to a push as one that was somebody else's, and
// returns it as it was before; nil: no device of the user remembers it.
func reportAnswer(tx Tx, user cloud.UserID, id cloud.ChallengeID) (*answered, error) {
	devices, err := tx.Devices(user)
	if err != nil {
		return nil, err
	}
	for i := range devices {
		d := &devices[i]
		a, err := d.aside()
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(a.Answers, func(p answered) bool { return p.Challenge == id })
		if at < 0 {
			continue
		}
		was := a.Answers[at]
		if was.Reported {
			return &was, nil
		}
		a.Answers[at].Reported = true
		return &was, firstOf(d.setAside(a), tx.PutDevice(d))
	}
	return nil, nil
}

// suspicion is a login of which a user says that it was somebody else's.
type suspicion struct {
	user      cloud.UserID
	challenge cloud.ChallengeID
	app, from string
	actor     string
	after     cloud.State // what it had been answered; empty: it had not
}

// suspected is the login of a challenge.
func suspected(c *Challenge, actor string) suspicion {
	s := suspicion{user: c.User, challenge: c.ID, app: c.App, from: c.Place, actor: actor}
	if c.State != cloud.Pending {
		s.after = c.State
	}
	return s
}

// fraudOnce is fraudulent for a challenge that no device remembers to have
// answered: the first report of it; nil: it was reported before.
func (e *Engine) fraudOnce(tx Tx, c *Challenge, actor string, now time.Time) (*FraudReport, error) {
	old, err := tx.Attempt(c.ID, lateFraud)
	if err != nil || old != nil {
		return nil, err
	}
	report, err := e.fraudulent(tx, suspected(c, actor), now)
	return report, firstOf(err, tx.PutAttempt(&Attempt{Challenge: c.ID, Key: lateFraud, State: c.State, Reason: c.Reason, At: now}))
}

// fraudulent records a report of fraud, and blocks the user where that is set.
func (e *Engine) fraudulent(tx Tx, s suspicion, now time.Time) (*FraudReport, error) {
	report := &FraudReport{User: s.user, App: s.app, From: s.from, At: now}
	detail := fmt.Sprintf("challenge=%s app=%q from=%q", s.challenge, s.app, s.from)
	if s.after != "" {
		detail += " after=" + string(s.after)
	}
	if block := e.fraud.Load().Block; block > 0 {
		u, err := tx.User(s.user)
		if err != nil {
			return nil, err
		}
		if until := now.Add(block); u != nil && until.After(u.BlockedUntil) {
			u.BlockedUntil = until
			report.Blocked = until
			detail += " blocked-until=" + until.UTC().Format(time.RFC3339)
			if report.ended, err = e.endOthers(tx, u, s.challenge, now); err != nil {
				return nil, err
			}
			if err := errors.Join(dropBypass(u), tx.PutUser(u)); err != nil {
				return nil, err
			}
		}
	}
	return report, tx.Append(audit.Entry{Time: now, Node: e.node, Actor: s.actor, Action: "user.fraud", Subject: string(s.user), Detail: detail})
}

// endOthers refuses what waits for the approval of a user who was blocked for a
// report, beside the login that was reported: that has a verdict of its own.
func (e *Engine) endOthers(tx Tx, u *User, reported cloud.ChallengeID, now time.Time) ([]Verdict, error) {
	a, err := readAside(u)
	if err != nil {
		return nil, err
	}
	a.Pushes = slices.DeleteFunc(a.Pushes, func(p pushed) bool { return p.ID == reported })
	return e.endPushes(tx, &a, cloud.Refused, cloud.UserBlocked, now)
}

// notifyFraud tells of a report that is durable.
func (e *Engine) notifyFraud(ctx context.Context, r *FraudReport) {
	e.publish(r.ended...)
	e.log.WarnContext(ctx, "a user reported a fraudulent login", "user", r.User, "app", r.App, "from", r.From, "blocked", !r.Blocked.IsZero())
	if notify := e.fraud.Load().Notify; notify != nil {
		notify(ctx, *r)
	}
}

// SeenNotices forgets what a device has told its user.
func (e *Engine) SeenNotices(ctx context.Context, user cloud.UserID, device string, ids []string) error {
	return asError(e.store.Update(ctx, func(tx Tx) error {
		d, err := deviceOf(tx, user, device)
		if err != nil {
			return err
		}
		return d.editAside(tx, func(a *deviceAside) {
			a.Notices = slices.DeleteFunc(a.Notices, func(n Notice) bool { return slices.Contains(ids, n.ID) })
		})
	}))
}
