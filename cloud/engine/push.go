package engine

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
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
	PIN       bool // and the PIN of the device
}

// Pushes are those that wait for a user, oldest first, and what else the device
// is to tell. Whoever asks has proven to be the device.
func (e *Engine) Pushes(ctx context.Context, user cloud.UserID, device string) (waiting []Push, notices []Notice, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		waiting, notices = nil, nil
		d, err := deviceOf(r, user, device)
		if err != nil {
			return err
		}
		u, err := r.User(user)
		if err != nil || u == nil {
			return err
		}
		kept, err := d.aside()
		if err != nil {
			return err
		}
		needs, err := pinned(r, u, &kept)
		if err != nil {
			return err
		}
		notices = kept.Notices
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
				waiting = append(waiting, Push{Challenge: c.ID, App: c.App, From: c.Place, Begun: c.Created, Expires: c.Expires, Matched: c.Sent != nil, PIN: needs})
			}
		}
		return nil
	})
	return waiting, notices, asError(err)
}

// Fate is what became of a push of a user. One that is not remembered any more
// has expired.
func (e *Engine) Fate(ctx context.Context, user cloud.UserID, id cloud.ChallengeID) (state cloud.State, reason cloud.Reason, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		c, err := r.Challenge(id)
		switch {
		case err != nil:
			return err
		case c == nil || c.User != user || c.Method != cloud.Push, c.State == cloud.Pending && !e.now().Before(c.Expires):
			state, reason = cloud.Expired, cloud.TimedOut
		default:
			state, reason = c.State, c.Reason
		}
		return nil
	})
	return state, reason, asError(err)
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
	Number    string       // as typed, where it is matched
	PIN       secret.Bytes // as typed, where an approval needs one
}

// Pressed is how a push stands after an answer. With a state of the PIN the
// answer was not taken, and the push waits on.
type Pressed struct {
	cloud.Decision
	PIN  PINState // empty: it was right, or none is needed
	Left int      // wrong PINs that are left
}

// FraudReport says that a user was asked for a login of somebody else.
type FraudReport struct {
	User    cloud.UserID
	App     string
	From    string
	At      time.Time
	Blocked time.Time // until when the user was blocked for it; zero: was not

	ended []Verdict // on what else waited for the user; to be published
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
	p, err := e.respond(ctx, r, "")
	return p.Decision, err
}

// pressedPIN compares the PIN of an approval that may still count: where nothing
// waits for it none of its tries is used. hash is the one that it was right for.
func (e *Engine) pressedPIN(ctx context.Context, r Response) (hash string, p Pressed, err error) {
	if r.Answer != PushApprove || r.PIN.IsZero() {
		return "", p, nil
	}
	var c *Challenge
	err = e.store.View(ctx, func(v Reader) (err error) {
		c, err = v.Challenge(r.Challenge)
		return err
	})
	if err != nil || c == nil || c.User != r.User || c.Method != cloud.Push || c.State != cloud.Pending || !e.now().Before(c.Expires) {
		return "", p, asError(err)
	}
	hash, state, left, err := e.tryPIN(ctx, typedPIN{r.User, r.Device, r.PIN})
	if err != nil || state == "" || state == PINNeeded { // it has none: whether it needs one is looked at where the answer is taken
		return hash, p, err
	}
	return "", Pressed{Decision: c.decision(false), PIN: state, Left: left}, nil
}

// respond is Respond with the hash that the PIN was right for; empty: it was
// not compared.
func (e *Engine) respond(ctx context.Context, r Response, pin string) (Pressed, error) {
	if !slices.Contains([]PushAnswer{PushApprove, PushDeny, PushFraud}, r.Answer) {
		return Pressed{}, refuse(cloud.Invalid, "a push is answered by approve, deny or fraud")
	}
	var s *responding
	err := e.store.Update(ctx, func(tx Tx) error {
		s = &responding{e: e, tx: tx, r: r, pin: pin, now: e.now()}
		return s.run()
	})
	if err != nil {
		return Pressed{}, asError(err)
	}
	if s.decided {
		e.publish(Verdict{s.c.Owner, s.d})
	}
	if s.fraud != nil {
		e.notifyFraud(ctx, s.fraud)
	}
	return Pressed{Decision: s.d, PIN: s.needs}, nil
}

// responding is one Respond inside its transaction.
type responding struct {
	e       *Engine
	tx      Tx
	r       Response
	pin     string // the hash that the PIN was right for
	now     time.Time
	device  *Device
	kept    deviceAside // of the device
	needs   PINState    // why the answer was not taken
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
	if s.device, err = deviceOf(s.tx, s.r.User, s.r.Device); err != nil {
		return err
	}
	if s.kept, err = s.device.aside(); err != nil {
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
	if s.needs != "" {
		s.d = s.c.decision(false)
		return nil
	}
	if err := s.remember(); err != nil {
		return err
	}
	s.decided, s.d = true, s.c.decision(false)
	if err := s.tx.PutChallenge(s.c); err != nil {
		return err
	}
	return s.e.auditVerdict(s.tx, s.c, s.now)
}

// lateFraud is where it is kept that fraud was reported on a push or call that no
// device has answered: among its answers, of which it has no others.
const lateFraud = "\x1ffraud"

// late takes a report of fraud on a push that has ended, once: another login that
// is tried at once ends the push that a user has before them, and so does whoever
// answers it by another device of theirs.
func (s *responding) late() error {
	if s.r.Answer != PushFraud {
		return nil
	}
	p, err := reportAnswer(s.tx, s.c.User, s.c.ID)
	switch {
	case err != nil:
		return err
	case p == nil:
		s.fraud, err = s.e.fraudOnce(s.tx, s.c, s.actor(), s.now)
		return err
	case p.Reported:
		return nil
	}
	return s.report()
}

// judge gives the push its verdict. A report of fraud counts also when it comes
// too late for the login.
func (s *responding) judge() error {
	if s.r.Answer == PushFraud {
		if err := s.report(); err != nil {
			return err
		}
	}
	needs, err := s.needsPIN()
	if err != nil {
		return err
	}
	reason, err := s.e.mayStill(s.tx, s.c.User, cloud.Push, s.now)
	switch {
	case err != nil:
		return err
	case !s.now.Before(s.c.Expires):
		s.c.conclude(cloud.Expired, cloud.TimedOut, s.now)
	case s.r.Answer != PushApprove:
		s.c.conclude(cloud.Refused, cloud.UserDenied, s.now)
	case needs && !s.kept.right(s.pin):
		s.needs = PINNeeded
	case reason != "":
		s.c.conclude(cloud.Refused, reason, s.now)
	case s.c.Sent != nil && subtle.ConstantTimeCompare(s.c.Sent, s.e.sentMAC(s.c.ID, "push", []byte(s.r.Number))) != 1:
		s.c.conclude(cloud.Refused, cloud.WrongCode, s.now)
	default:
		s.c.conclude(cloud.Approved, "", s.now)
	}
	return nil
}

// needsPIN tells whether an approval by this device needs a PIN.
func (s *responding) needsPIN() (bool, error) {
	if s.r.Answer != PushApprove {
		return false, nil
	}
	u, err := s.tx.User(s.c.User)
	if err != nil || u == nil {
		return true, err // mayStill says why not
	}
	return pinned(s.tx, u, &s.kept)
}

// remember keeps what the device answered, for its owner to look at.
func (s *responding) remember() error {
	s.kept.Used = s.now.UTC()
	s.kept.Answers = append(s.kept.Answers, answered{Challenge: s.c.ID, App: s.c.App, Place: s.c.Place, At: s.now.UTC(), State: s.c.State,
		Reported: s.r.Answer == PushFraud})
	if err := s.device.setAside(s.kept); err != nil {
		return err
	}
	return s.tx.PutDevice(s.device)
}

// report records a fraudulent login, and blocks the user where that is set.
func (s *responding) report() (err error) {
	s.fraud, err = s.e.fraudulent(s.tx, suspected(s.c, s.actor()), s.now)
	return err
}

func (s *responding) actor() string { return Owner{User: s.r.User, Device: s.r.Device}.actor() }

// Activate turns an invitation into an active authenticator; it asks by push
// from then on where the user's default was a code of an app, or nothing.
// Whoever calls has checked, before, who the user is, and answers for the device
// by [Engine.Respond]: it has no key, so that nothing it signs is taken. People
// come through [Engine.Enrol]. NotFound: there is no such invitation, or it is over.
func (e *Engine) Activate(ctx context.Context, user cloud.UserID, device, name string) error {
	if name != "" {
		if err := form.CheckText("the name of an authenticator", name, form.MaxLabel); err != nil {
			return err
		}
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		return e.activate(tx, user, device, name, nil, e.now())
	}))
}
