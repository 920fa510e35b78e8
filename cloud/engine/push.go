package engine

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
)

// After so many pushes that nobody approved in so long, a user is asked for
// codes only: whoever has the password must not be able to press until the
// user gives in.
const (
	pushTired  = 3
	pushWindow = 10 * time.Minute
	maxPushes  = 8 // that are remembered of one user
)

// forgetPushes drops from the memory what is older than the window.
func (a *aside) forgetPushes(now time.Time) {
	a.Pushes = slices.DeleteFunc(a.Pushes, func(p pushed) bool {
		age := now.Sub(p.At)
		return age >= pushWindow || age < -pushWindow
	})
	if extra := len(a.Pushes) - maxPushes; extra > 0 {
		a.Pushes = slices.Delete(a.Pushes, 0, extra)
	}
}

// tired tells whether too many pushes lately were not approved. Those that
// still wait count: sent at once from many places they would be as many.
func tired(r Reader, a *aside, now time.Time) (bool, error) {
	a.forgetPushes(now)
	if len(a.Pushes) < pushTired {
		return false, nil
	}
	open := 0
	for _, p := range a.Pushes {
		c, err := r.Challenge(p.ID)
		if err != nil {
			return false, err
		}
		if c == nil || c.State != cloud.Approved {
			open++
		}
	}
	return open >= pushTired, nil
}

// preparePush ends the push that waits for the same login and remembers the
// new one. Authenticators find it through [Engine.Pushes].
func (b *beginning) preparePush() error {
	login := digest("push\x00" + b.c.App + "\x00" + b.c.Place)
	if err := b.supersede(login); err != nil {
		return err
	}
	b.c.Prompt = "Approve the sign-in in your authenticator app"
	if b.r.ShowsNumber {
		number := b.e.number(b.c.ID)
		b.c.Sent = b.e.sentMAC(b.c.ID, "push", []byte(number))
		b.c.Prompt = "Enter the number " + number + " in your authenticator app"
	}
	b.aside.forgetPushes(b.now)
	b.aside.Pushes = append(b.aside.Pushes, pushed{ID: b.c.ID, At: b.now.UTC()})
	if err := setAside(b.user, b.aside); err != nil {
		return err
	}
	if err := b.tx.PutUser(b.user); err != nil {
		return err
	}
	return b.tx.SetLastSent(b.user.ID, login, b.c.ID)
}

// number is what is matched for a push: two digits, made of the challenge's id
// under the engine's key, so that nothing of it has to be kept.
func (e *Engine) number(id cloud.ChallengeID) string {
	mac := e.sentMAC(id, "number", nil)
	return fmt.Sprint(10 + binary.BigEndian.Uint32(mac)%90)
}

// Push is what an authenticator shows of a challenge.
type Push struct {
	Challenge cloud.ChallengeID
	App       string // where somebody logs in, as users know it
	From      string // calling station or address
	Begun     time.Time
	Expires   time.Time
	Matched   bool // the user has to type the number that the login shows
}

// Pushes are those that wait for a user, oldest first. Whoever asks has proven
// to be the device.
func (e *Engine) Pushes(ctx context.Context, user cloud.UserID, device string) (waiting []Push, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		waiting = nil
		if err := activeDevice(r, user, device); err != nil {
			return err
		}
		u, err := r.User(user)
		if err != nil || u == nil {
			return err
		}
		a, err := readAside(u)
		if err != nil {
			return err
		}
		for _, p := range a.Pushes {
			c, err := r.Challenge(p.ID)
			if err != nil {
				return err
			}
			if c != nil && c.State == cloud.Pending && e.now().Before(c.Expires) {
				waiting = append(waiting, Push{Challenge: c.ID, App: c.App, From: c.Place, Begun: c.Created, Expires: c.Expires, Matched: c.Sent != nil})
			}
		}
		return nil
	})
	return waiting, asError(err)
}

// activeDevice refuses a device that is not an active one of the user.
func activeDevice(r Reader, user cloud.UserID, device string) error {
	devices, err := r.Devices(user)
	if err != nil {
		return err
	}
	for _, d := range devices {
		if d.ID == device && d.State == deviceActive {
			return nil
		}
	}
	return refuse(cloud.Denied, "the authenticator is not an active one of this user")
}

// PushAnswer is what a person pressed.
type PushAnswer string

// Answers to a push.
const (
	PushApprove PushAnswer = "approve"
	PushDeny    PushAnswer = "deny"
	PushFraud   PushAnswer = "fraud" // deny, and report that it was not the user who logged in
)

// Response is the answer of an authenticator.
type Response struct {
	User      cloud.UserID
	Device    string
	Challenge cloud.ChallengeID
	Answer    PushAnswer
	Number    string // as typed, where it is matched
}

// FraudReport says that a user was asked for a login of somebody else.
type FraudReport struct {
	User    cloud.UserID
	App     string
	From    string
	At      time.Time
	Blocked time.Time // until when the user was blocked for it; zero: was not
}

// Fraud says what a report leads to.
type Fraud struct {
	Block  time.Duration                      // how long the user is blocked; 0: is not
	Notify func(context.Context, FraudReport) // called when it is durable; nil: the log only
}

// SetFraud changes what a report leads to, from the next one on.
func (e *Engine) SetFraud(f Fraud) { e.fraud.Store(&f) }

// Respond takes what a person pressed. It is the place where a device's
// answer enters the core: whoever calls has checked, before, that this device
// signed exactly these values. The verdict is durable when it returns and goes
// to whoever began the challenge. A wrong number ends the challenge: somebody
// approves a login that they do not see. Errors: NotFound, no such push of this
// user; Denied, the device is not active; Invalid.
func (e *Engine) Respond(ctx context.Context, r Response) (cloud.Decision, error) {
	if !slices.Contains([]PushAnswer{PushApprove, PushDeny, PushFraud}, r.Answer) {
		return cloud.Decision{}, refuse(cloud.Invalid, "a push is answered by approve, deny or fraud")
	}
	var s *responding
	err := e.store.Update(ctx, func(tx Tx) error {
		s = &responding{e: e, tx: tx, r: r, now: e.now()}
		return s.run()
	})
	if err != nil {
		return cloud.Decision{}, asError(err)
	}
	if s.decided {
		e.publish(Verdict{s.c.Owner, s.d})
	}
	if s.fraud != nil {
		e.log.WarnContext(ctx, "a user reported a fraudulent login", "user", s.fraud.User, "app", s.fraud.App, "from", s.fraud.From,
			"blocked", !s.fraud.Blocked.IsZero())
		if notify := e.fraud.Load().Notify; notify != nil {
			notify(ctx, *s.fraud)
		}
	}
	return s.d, nil
}

// responding is one Respond inside its transaction.
type responding struct {
	e       *Engine
	tx      Tx
	r       Response
	now     time.Time
	c       *Challenge
	d       cloud.Decision
	decided bool
	fraud   *FraudReport
}

func (s *responding) run() (err error) {
	if s.c, err = s.tx.Challenge(s.r.Challenge); err != nil {
		return err
	}
	if s.c == nil || s.c.User != s.r.User || s.c.Method != cloud.Push {
		return refuse(cloud.NotFound, "there is no such push")
	}
	if err := activeDevice(s.tx, s.r.User, s.r.Device); err != nil {
		return err
	}
	if s.c.State != cloud.Pending {
		s.d = s.c.decision(false)
		s.d.State, s.d.Reason = cloud.Refused, cloud.RepeatRefused
		return s.late()
	}
	if err := s.judge(); err != nil {
		return err
	}
	s.decided, s.d = true, s.c.decision(false)
	if err := s.tx.PutChallenge(s.c); err != nil {
		return err
	}
	return s.e.auditVerdict(s.tx, s.c, s.now)
}

// lateFraud is where it is kept that fraud was reported on a push that has ended:
// among its answers, of which a push has no others.
const lateFraud = "\x1ffraud"

// late takes a report of fraud on a push that has ended without an answer, once:
// another login that is tried at once ends the push that a user has before them.
func (s *responding) late() error {
	if s.r.Answer != PushFraud || s.c.State != cloud.Expired {
		return nil
	}
	old, err := s.tx.Attempt(s.c.ID, lateFraud)
	if err != nil || old != nil {
		return err
	}
	if err := s.report(); err != nil {
		return err
	}
	return s.tx.PutAttempt(&Attempt{Challenge: s.c.ID, Key: lateFraud, State: s.d.State, Reason: s.d.Reason, At: s.now})
}

// judge gives the push its verdict. A report of fraud counts also when it comes
// too late for the login.
func (s *responding) judge() error {
	if s.r.Answer == PushFraud {
		if err := s.report(); err != nil {
			return err
		}
	}
	reason, err := s.e.mayStill(s.tx, s.c.User, cloud.Push, s.now)
	switch {
	case err != nil:
		return err
	case !s.now.Before(s.c.Expires):
		s.c.conclude(cloud.Expired, cloud.TimedOut, s.now)
	case s.r.Answer != PushApprove:
		s.c.conclude(cloud.Refused, cloud.UserDenied, s.now)
	case reason != "":
		s.c.conclude(cloud.Refused, reason, s.now)
	case s.c.Sent != nil && subtle.ConstantTimeCompare(s.c.Sent, s.e.sentMAC(s.c.ID, "push", []byte(s.r.Number))) != 1:
		s.c.conclude(cloud.Refused, cloud.WrongCode, s.now)
	default:
		s.c.conclude(cloud.Approved, "", s.now)
	}
	return nil
}

// report records a fraudulent login, and blocks the user where that is set.
func (s *responding) report() error {
	s.fraud = &FraudReport{User: s.c.User, App: s.c.App, From: s.c.Place, At: s.now}
	detail := fmt.Sprintf("challenge=%s app=%q from=%q", s.c.ID, s.c.App, s.c.Place)
	if block := s.e.fraud.Load().Block; block > 0 {
		u, err := s.tx.User(s.c.User)
		if err != nil {
			return err
		}
		if until := s.now.Add(block); u != nil && until.After(u.BlockedUntil) {
			u.BlockedUntil = until
			s.fraud.Blocked = until
			detail += " blocked-until=" + until.UTC().Format(time.RFC3339)
			if err := dropBypass(u); err != nil {
				return err
			}
			if err := s.tx.PutUser(u); err != nil {
				return err
			}
		}
	}
	return s.tx.Append(Entry{Time: s.now, Node: s.e.node, Actor: "device " + s.r.Device, Action: "user.fraud", Subject: string(s.c.User), Detail: detail})
}

// Activate turns an invitation into an active authenticator; it asks by push
// from then on where the user's default was a code of an app, or nothing.
// Whoever calls has checked, before, who the user is, and answers for the device
// by [Engine.Respond]: it has no key, so that nothing it signs is taken. People
// come through [Engine.Enrol]. NotFound: there is no such invitation, or it is over.
func (e *Engine) Activate(ctx context.Context, user cloud.UserID, device, name string) error {
	if name != "" {
		if err := checkText("the name of an authenticator", name, maxLabel); err != nil {
			return err
		}
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		return e.activate(tx, user, device, name, nil, e.now())
	}))
}
