package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/access"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/internal/secret"
)

// ownerNative began the challenges of native authentication. No application
// can have that name.
const ownerNative = " native"

// nativeTries is how many wrong codes a challenge of native authentication
// survives.
const nativeTries = 5

// resendAfter is after what time a client should offer to send a code again.
const resendAfter = 30 * time.Second

// Outcomes of a request for tokens.
const (
	OutTokens   = "tokens"
	OutSecond   = "mfa_required"
	OutEnrol    = "registration_required"
	OutRedirect = "redirect" // this client cannot go on
	OutBlocked  = "blocked"  // the rules of access block the sign-in
)

// Outcome is what came of a request for tokens. Flow is the one to go on with.
type Outcome struct {
	Kind    string
	Why     string // with OutRedirect
	Flow    Flow
	Granted *Granted
}

// Asked says how somebody is asked for a factor.
type Asked struct {
	Redirect string // not empty: not at all in this client, and why
	Password bool   // for the password; else for a code
	Channel  string // of the code: email, sms
	Label    string // where it went to, masked
	Digits   int    // of the code
	Known    bool   // it need not be asked for: the address is proven already
}

// ResendAfter is after how many seconds another code should be offered.
const ResendAfter = int(resendAfter / time.Second)

// BeginSignIn begins a sign-in. NotFound: there is no such user, of an
// application that tells so; others answer as for a user with the factor that
// the application prefers.
func (e *Engine) BeginSignIn(ctx context.Context, app NativeApp, name string, offer Offer) (f Flow, err error) {
	f = e.newFlow(&app, AtBegun, name, offer)
	err = e.store.View(ctx, func(r Reader) error {
		f.User = ""
		u, err := lookUp(r, cloud.Key{Kind: cloud.ByName, Value: name})
		if err != nil {
			return err
		}
		if u == nil && app.Reveal {
			return noSuchUser()
		}
		may := Allowed{}
		if u != nil {
			if may, err = e.allowed(r, u.ID); err != nil {
				return err
			}
			f.User = u.ID
		}
		word, code := app.Takes(FirstPassword) && offer.Password, app.Takes(FirstEmail) && offer.Code
		mail := u != nil && e.confirmedMail(u) != "" && may.Email && e.mailer() != nil
		switch {
		case word && (u == nil || e.hasPassword(u) || !code || !mail):
			f.Want = FirstPassword
		case code:
			f.Want = FirstEmail
			if !mail {
				f.User = ""
			}
		}
		return nil
	})
	return f, asError(err)
}

// AskFirst asks for the first factor.
func (e *Engine) AskFirst(ctx context.Context, app NativeApp, f Flow, client NativeClient) (Flow, Asked, error) {
	switch f.Want {
	case FirstPassword:
		return f.on(AtPassword, e.now()), Asked{Password: true}, e.still(ctx, &f)
	case FirstEmail:
	default:
		return f, Asked{Redirect: "the application's ways to sign in are not among the challenge types of this client"}, nil
	}
	if err := e.still(ctx, &f); err != nil {
		return f, Asked{}, err
	}
	asked := Asked{Channel: channelMail, Label: maskMail(f.Name), Digits: longDigits}
	before := f
	f.Challenge = ""
	next := f.on(AtCode, e.now())
	var after *late // where users are revealed the answer may take as long as the mail
	if !app.Reveal {
		var err error
		if after, err = e.lateMails.take(ctx); err != nil {
			return next, asked, err
		}
		defer after.hand()
	}
	said, err := e.spendCodes(ctx, channelMail, f.Name+"\x00"+tries.Place(client.as(&app)), client)
	if err != nil || said != "" {
		return next, asked, err
	}
	if f.User == "" { // nobody is to learn that there is no such user
		if before.Step == AtCode {
			e.takeAsLong(ctx) // as the end of the code before takes
		}
		e.takeAsLong(ctx)
		return next, asked, nil
	}
	if err := e.dropCode(ctx, &before); err != nil {
		return next, asked, err
	}
	c, err := e.beginLate(ctx, after, ownerNative, e.template(&app), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: f.Name}, Method: cloud.EmailCode,
		Client: client.as(&app), Tries: nativeTries})
	if err != nil || c.User != f.User {
		return next, asked, err
	}
	if c.State == cloud.Pending {
		next.Challenge = c.ID
	} else if app.Reveal {
		asked.Redirect = string(c.Reason)
	}
	return next, asked, nil
}

// hasPassword tells whether somebody could prove who they are by a password:
// another primary knows its own people.
func (e *Engine) hasPassword(u *User) bool { return u.Password != nil || !e.keepsPasswords() }

// keepsPasswords tells whether passwords are the engine's own.
func (e *Engine) keepsPasswords() bool {
	other, err := e.primaries.Load().named("")
	return err == nil && other == nil
}

// still looks whether a flow is at its latest token.
func (e *Engine) still(ctx context.Context, f *Flow) error {
	return asError(e.store.View(ctx, func(r Reader) error {
		_, err := flowAt(r, f)
		return err
	}))
}

// AnswerPassword takes the password. Denied: name or password are wrong, or
// were tried too often.
func (e *Engine) AnswerPassword(ctx context.Context, app NativeApp, f Flow, password secret.Bytes, client NativeClient, wish Wish) (Outcome, error) {
	failures, err := e.failuresBefore(ctx, &f, client)
	if err != nil {
		return Outcome{}, err
	}
	proof, err := e.checkPublic(ctx, f.Name, client.as(&app), password)
	if err != nil {
		return Outcome{}, err
	}
	if proof.OK && !e.keepsPasswords() {
		f.User = proof.User // another directory knows better who is called so
	}
	if !proof.OK || proof.User != f.User {
		return Outcome{}, refuse(cloud.Denied, "the name or the password is wrong, or was tried too often")
	}
	return e.settle(ctx, &settling{app: &app, f: f, way: WayPassword, client: client, wish: wish, failures: failures})
}

// failuresBefore looks whether a flow is at its latest token, and how often its
// user has failed. Where no password was proven yet, the flow goes on with the
// one that there is now.
func (e *Engine) failuresBefore(ctx context.Context, f *Flow, client NativeClient) (n int, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		if _, err := flowAt(r, f); err != nil || f.User == "" {
			return err
		}
		if f.Step == AtPassword {
			u, err := r.User(f.User)
			if err != nil {
				return err
			}
			if f.Word, err = e.wordOf(u); err != nil {
				return err
			}
		}
		n, err = e.failuresOf(r, f.User, client)
		return err
	})
	return n, asError(err)
}

// AnswerCode takes a code that was sent for the first or the second factor.
// Denied: it is wrong, over or was used.
func (e *Engine) AnswerCode(ctx context.Context, app NativeApp, f Flow, code secret.Bytes, client NativeClient, wish Wish) (Outcome, error) {
	failures, err := e.failuresBefore(ctx, &f, client)
	if err != nil {
		return Outcome{}, err
	}
	if f.Challenge == "" {
		e.takeAsLong(ctx)
		return Outcome{}, refuse(cloud.Denied, "the code is wrong")
	}
	d, err := e.answerFor(ctx, ownerNative, cloud.Answer{Challenge: f.Challenge, Code: code})
	switch {
	case cloud.KindOf(err) == cloud.NotFound && err != nil:
		return Outcome{}, refuse(cloud.Denied, "the code is over")
	case err != nil:
		return Outcome{}, err
	case d.State != cloud.Approved, d.User != f.User:
		return Outcome{}, refuse(cloud.Denied, "the code is wrong, over or was used")
	}
	way := WaySMS
	if d.Method == cloud.EmailCode {
		way = WayEmail
	}
	return e.settle(ctx, &settling{app: &app, f: f, way: way, client: client, wish: wish, failures: failures})
}

// Finish gives tokens to a flow that has proven what it had to elsewhere: after
// sign-up, after a new password was set, after a second factor was registered.
func (e *Engine) Finish(ctx context.Context, app NativeApp, f Flow, client NativeClient, wish Wish) (Outcome, error) {
	return e.settle(ctx, &settling{app: &app, f: f, client: client, wish: wish})
}

// settling decides what follows on a proven factor.
type settling struct {
	app      *NativeApp
	f        Flow
	way      string // what was proven just now
	client   NativeClient
	wish     Wish
	failures int

	tx  Tx
	u   *User
	may Allowed
}

func (e *Engine) settle(ctx context.Context, s *settling) (out Outcome, err error) {
	var denied bool
	start := s.f
	err = e.store.Update(ctx, func(tx Tx) error {
		s.f, s.tx, out, denied = start, tx, Outcome{}, false
		s.f.Ways = slices.Clone(start.Ways)
		if s.way != "" && !slices.Contains(s.f.Ways, s.way) {
			s.f.Ways = append(s.f.Ways, s.way)
		}
		if _, err := flowAt(tx, &s.f); err != nil {
			return err
		}
		app, err := readNativeApp(tx, s.app.ID)
		if err != nil {
			return err
		}
		if s.u, err = tx.User(s.f.User); err != nil {
			return err
		}
		if reason := usable(s.u, e.now()); reason != "" || app == nil || app.Disabled || !app.began(s.f.Ways) {
			denied = true
			return s.record(e, "native.refused", "reason="+string(reason))
		}
		if s.may, err = e.allowed(tx, s.u.ID); err != nil {
			return err
		}
		reason, err := e.holds(&s.f, s.u, s.may)
		if err != nil {
			return err
		}
		if reason != "" {
			denied = true
			return errors.Join(ends(tx, &s.f), s.record(e, "native.refused", "reason="+reason))
		}
		out, err = s.decide(e)
		return err
	})
	if err == nil && denied {
		err = refuse(cloud.Denied, "the user or the application may not sign in")
	}
	return out, asError(err)
}

// wordOf stands for the password that a user has; whoever changes it ends what
// was begun with another one.
func (e *Engine) wordOf(u *User) ([]byte, error) {
	if u == nil || u.Password == nil || !e.keepsPasswords() {
		return nil, nil
	}
	hash, err := e.hashOf(u)
	if err != nil {
		return nil, err
	}
	return e.sentMAC(cloud.ChallengeID("native-word/"+u.ID), "", []byte(hash)), nil
}

// holds says why what a flow has proven so far is worth nothing any more, or
// nothing: the password is another one, or the method policy has changed.
func (e *Engine) holds(f *Flow, u *User, may Allowed) (reason string, err error) {
	if slices.Contains(f.Ways, WaySMS) && !may.SMS || slices.Contains(f.Ways, WayEmail) && !f.Mail && !may.Email || slices.Contains(f.Ways, WayReset) && !may.Email {
		return "method", nil
	}
	if !slices.Contains(f.Ways, WayPassword) && !slices.Contains(f.Ways, WayReset) {
		return "", nil
	}
	word, err := e.wordOf(u)
	if err == nil && !slices.Equal(word, f.Word) {
		reason = "password"
	}
	return reason, err
}

// mustHold is holds for what comes before tokens. Stale: it does not hold.
func (e *Engine) mustHold(f *Flow, u *User, may Allowed) error {
	reason, err := e.holds(f, u, may)
	if err == nil && reason != "" {
		err = refuse(cloud.Stale, "what was proven does not hold any more: "+reason)
	}
	return err
}

// dropCode ends the code that a flow has sent, wherever it was asked from: the
// next one takes its place.
func (e *Engine) dropCode(ctx context.Context, f *Flow) error {
	if f.Challenge == "" {
		return nil
	}
	return asError(e.store.Update(ctx, func(tx Tx) error {
		c, err := tx.Challenge(f.Challenge)
		if err != nil || c == nil || c.Owner != ownerNative || c.State != cloud.Pending {
			return err
		}
		c.conclude(cloud.Expired, cloud.TimedOut, e.now())
		return errors.Join(tx.PutChallenge(c), e.auditVerdict(tx, c, e.now()))
	}))
}

// began tells whether the application still takes what was proven first.
func (a *NativeApp) began(ways []string) bool {
	switch {
	case slices.Contains(ways, WayPassword):
		return a.Takes(FirstPassword)
	case slices.Contains(ways, WayReset):
		return a.Takes(FirstPassword) && a.Reset
	case slices.Contains(ways, WayEmail):
		return a.Takes(FirstEmail)
	}
	return false
}

// decide asks the rules of access, and for what is missing.
func (s *settling) decide(e *Engine) (Outcome, error) {
	v, err := e.access(s.tx, s.u.ID, s.app.ID, s.client, s.failures)
	if err != nil {
		return Outcome{}, err
	}
	told := fmt.Sprintf("ways=%s rules=%s", strings.Join(s.f.Ways, "+"), strings.Join(v.By(), ","))
	if report := v.Reported(); len(report) > 0 {
		told += " would=" + strings.Join(report, ",")
	}
	switch {
	case v.Grant == access.GrantBlock:
		if err := ends(s.tx, &s.f); err != nil {
			return Outcome{}, err
		}
		return Outcome{Kind: OutBlocked}, s.record(e, "native.blocked", told)
	case v.Grant == access.GrantMFA && !isTwoFactors(s.f.Ways):
		out, err := s.more(e)
		if err != nil {
			return out, err
		}
		return out, s.record(e, "native.first", told+" next="+out.Kind)
	}
	out := Outcome{Kind: OutTokens}
	if out.Granted, err = e.grant(s.tx, s.app, s.u, &s.f, s.wish, s.client); err != nil {
		return out, err
	}
	out.Flow = s.f
	return out, s.record(e, "native.signin", told)
}

// more asks for a second factor, or for one to be registered where there is
// none at all: who has one that this client cannot ask for is not to replace
// it by one of whoever knows the password.
func (s *settling) more(e *Engine) (out Outcome, err error) {
	redirect := func(why string) (Outcome, error) {
		return Outcome{Kind: OutRedirect, Why: why}, ends(s.tx, &s.f)
	}
	methods, err := e.secondFactors(s.tx, s.app, s.u, s.may, &s.f)
	if err != nil {
		return out, err
	}
	if len(methods) > 0 {
		if !s.f.Offer.Second {
			return redirect("a second factor is needed, and this client cannot ask for one")
		}
		if err := e.goesOn(s.tx, &s.f, AtSecond); err != nil {
			return out, err
		}
		return Outcome{Kind: OutSecond, Flow: s.f}, nil
	}
	can, err := e.mayEnrol(s.tx, s.app, s.u, s.may, &s.f)
	switch {
	case err != nil:
		return out, err
	case !can:
		return redirect("a second factor is needed, and there is none that can be used here")
	case !s.f.Offer.Enrol:
		return redirect("a second factor has to be registered, and this client cannot do that")
	}
	if err := e.goesOn(s.tx, &s.f, AtEnrol); err != nil {
		return out, err
	}
	return Outcome{Kind: OutEnrol, Flow: s.f}, nil
}

func (s *settling) record(e *Engine, action, detail string) error {
	return s.tx.Append(audit.Entry{Time: e.now(), Node: e.node, Actor: s.app.Name, Action: action, Subject: string(s.f.User),
		Detail: fmt.Sprintf("app=%s from=%q %s", s.app.ID, tries.Place(s.client.as(s.app)), detail)})
}
