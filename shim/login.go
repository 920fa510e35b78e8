package shim

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/internal/secret"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// maxChallengeLife is how long a State lives at most, whatever the engine says.
const maxChallengeLife = 10 * time.Minute

// maxRestarts is how many logins with one password may follow each other
// within [cloud.RepeatWindow].
const maxRestarts = 8

// logins decides. It holds nothing of a login between its legs: State and the
// engine do. What it remembers are marks, which are hints or spare work.
type logins struct {
	verifier cloud.Verifier
	matcher  cloud.CodeMatcher // nil: no client appends codes
	board    cloud.Noticeboard // nil: other nodes tell us nothing
	loud     bool              // beginning a challenge asks the person, whatever it is for
	bypasses Bypasses          // nil: there are none
	ring     atomic.Pointer[keyring]
	local    *macKey           // names passwords and places in the memory of this process, for as long as it lives
	wrong    *recent[struct{}] // passwords that a primary has refused: tried again and again they would lock an account out
	passed   *recent[passed]   // second factors, for clients with a cache
	now      func() time.Time
	pins     *pins
	flight   singleflight.Group
}

func newLogins(o Options) *logins {
	random := make([]byte, sha256.Size)
	_, _ = rand.Read(random) // never fails, see crypto/rand
	local := newMACKey(random)
	l := &logins{verifier: o.Verifier, bypasses: o.Bypasses, local: local, now: o.Now, wrong: newRecent[struct{}](), passed: newRecent[passed](), pins: newPins(local)}
	l.matcher, _ = o.Verifier.(cloud.CodeMatcher)
	l.board, _ = o.Verifier.(cloud.Noticeboard)
	if v, ok := o.Verifier.(loud); ok {
		l.loud = v.Loud()
	}
	return l
}

// loud is an optional interface of a [cloud.Verifier]. Loud tells whether
// beginning a challenge for a code may also push to, text or call the person.
type loud interface{ Loud() bool }

// watched is an optional interface of a Verifier that can tell a person who
// does not answer from a service that was to ask that person and is away.
type watched interface {
	// Outage says why a challenge that nobody has decided was perhaps lost; nil:
	// nothing speaks for that. It asks nobody, and returns at once.
	Outage(id cloud.ChallengeID) error

	// Ready says why nobody could be asked just now; nil: nothing is known
	// against it.
	Ready(ctx context.Context) error
}

// keys are those of now.
func (l *logins) keys() *keyring { return l.ring.Load() }

// decide reaches the verdict on an attempt, or says on which challenge it
// waits. Of equal attempts at the same time one asks the engine; but each leg
// proves its own first factor and gets the attributes of its own, each first
// leg gets a State of its own, and an answer counts as equal only with the same
// State. So of two people who began one login at once, or one after the other,
// only one can use its code.
func (l *logins) decide(ctx context.Context, a attempt) verdict {
	switch a.protocol {
	case PAP:
	case Bare:
		return l.press(ctx, a, typedName(a), l.keys().name("without password", a.client.Name, a.folded, a.place))
	default:
		return l.relay(ctx, a)
	}
	key := l.named(a)
	var v verdict
	if len(a.state) == 0 {
		v = l.first(ctx, a, key)
	} else {
		id, at, why := l.keys().open(a.state, a.owner(), l.now())
		switch {
		case why != "":
			v = deny(why)
		case at == numberStep && !a.signed:
			v = deny(numberUnsigned)
		case at == numberStep:
			v = l.confirm(ctx, a, id)
		default:
			v = l.answer(ctx, a, id, key)
		}
	}
	return l.seal(a, v)
}

// named is the key of a login towards the engine.
func (l *logins) named(a attempt) string {
	return l.keys().name(a.client.Name, a.folded, a.place, string(a.state), string(a.password.Reveal()))
}

// seal gives an Access-Challenge its State.
func (l *logins) seal(a attempt, v verdict) verdict {
	if v.code != radius.AccessChallenge {
		return v
	}
	at := codeStep
	if waits(v.method) {
		at = numberStep
	}
	state, err := l.keys().seal(at, v.challenge, l.now().Add(v.timeout), a.owner())
	if err != nil {
		return fault(a.client, err, challengeUnknown)
	}
	v.state = state
	return v
}

// first is the first leg: primary, then the second factor is begun.
func (l *logins) first(ctx context.Context, a attempt, key string) (v verdict) {
	if a.client.CodeEntry == config.Only {
		return l.codeAtOnce(ctx, a, typedName(a), a.password, key)
	}
	typed, err := l.takeApart(ctx, a)
	if err != nil {
		return fault(a.client, err, userUnknown)
	}
	proof := typedName(a)
	if a.client.primary != nil {
		if proof, v = l.prove(ctx, a, typed.password); !proof.OK {
			return v
		}
		defer func() { v.person = proof.Name }()
	}
	if !typed.code.IsZero() {
		return l.codeAtOnce(ctx, a, proof, typed.code, key)
	}
	if v, spared := l.spare(ctx, a, proof, key); spared {
		return v
	}
	return l.ask(ctx, a, proof, typed.method, key)
}

// typedName is all that is known of a user whom somebody else has proven.
func typedName(a attempt) Proof {
	return Proof{Subject: cloud.Key{Kind: cloud.ByName, Value: a.user}, Reply: a.client.Reply.Rules.Static}
}

// codeAtOnce has a code checked that came with the first leg. Where no calling
// station tells people apart only copies of the request are equal to it: what
// somebody typed can be read off a screen and typed once more.
func (l *logins) codeAtOnce(ctx context.Context, a attempt, proof Proof, code secret.Bytes, key string) verdict {
	if code.IsZero() {
		return deny(emptyPassword) // without a code Begin would ask for one
	}
	c, err := l.begin(ctx, proof, l.withCode(a, code, key))
	return l.coded(a, proof, c, err)
}

// withCode is what the engine is asked for a code that came with the first leg.
func (l *logins) withCode(a attempt, code secret.Bytes, key string) cloud.Request {
	if a.station == "" {
		key = l.keys().name("code", key, string(a.packet.Authenticator()))
	}
	return cloud.Request{Client: a.asker(), Code: code, Tries: 1, Key: key}
}

// coded is the verdict on a code that came with the first leg.
func (l *logins) coded(a attempt, proof Proof, c cloud.Challenge, err error) verdict {
	if err != nil {
		return l.unasked(a, proof, err)
	}
	v := judge(c.State, c.Reason)
	v.method, v.challenge, v.repeated = c.Method, c.ID, c.Repeated
	v.grant(proof)
	if c.Bypassed {
		v.by = byBypass
	} else {
		l.pass(a, v, c.User)
	}
	return v
}

// ask begins a challenge. It asks for the code, or waits for a person.
//
// Where a code is to be typed none has been given yet, so that Begin cannot
// have come to an Access-Accept: an Approved challenge is one that an earlier
// login has used up, and a new one is begun for this login. So it is with one
// that ended by a wrong code: typing it anew must be possible before the repeat
// window is over. A push is another matter: within [cloud.JoinWindow] its
// verdict is that of every leg of the login. And a bypass is an approval.
//
// What the primary gave for the client waits in the challenge's context.
func (l *logins) ask(ctx context.Context, a attempt, proof Proof, method cloud.Preference, key string) verdict {
	if v, ok := l.bypassed(ctx, a, proof, key); ok {
		return v
	}
	r, err := l.forCode(a, proof, method, key)
	if err != nil {
		return fault(a.client, err, userUnknown)
	}
	for range maxRestarts {
		c, err := l.begin(ctx, proof, r)
		if err != nil {
			return l.unasked(a, proof, err)
		}
		if v, final := l.begun(ctx, a, proof, c); final {
			return v
		}
		r.Key = l.keys().name("after", r.Key, string(c.ID))
	}
	return deny(reason(cloud.TooManyTries))
}

// forCode is what the engine is asked for a second factor that is still to come.
func (l *logins) forCode(a attempt, proof Proof, method cloud.Preference, key string) (cloud.Request, error) {
	kept, err := l.keys().keep(proof, a.client.Name, a.folded)
	return cloud.Request{Client: a.asker(), Method: method, Tries: 1, Key: key, Context: kept, ShowsNumber: a.showsNumber()}, err
}

// begun says what a challenge means that Begin has returned for a first leg.
// It is not final if the challenge is one of a login before.
func (l *logins) begun(ctx context.Context, a attempt, proof Proof, c cloud.Challenge) (v verdict, final bool) {
	defer func() { v.repeated = c.Repeated }()
	switch {
	case c.State == cloud.Pending && !waits(c.Method):
		return l.challenge(c), true
	case c.State == cloud.Pending && c.Number != "" && a.showsNumber():
		return l.number(c), true
	case c.State == cloud.Pending:
		return verdict{method: c.Method, challenge: c.ID, held: &held{challenge: c.ID, method: c.Method, proof: proof}}, true
	case c.State == cloud.Approved && c.Bypassed:
		v = verdict{code: radius.AccessAccept, by: byBypass}
	case c.State == cloud.Approved && waits(c.Method):
		v = verdict{code: radius.AccessAccept, method: c.Method}
		l.pass(a, v, c.User)
	case usedUp(c):
		return verdict{}, false
	default:
		v = judge(c.State, c.Reason)
		if instead, ok := l.fallback(ctx, a, proof, c.ID, v.reason); ok {
			return instead, true
		}
	}
	v.method, v.challenge = c.Method, c.ID
	v.grant(proof)
	return v, true
}

// begin asks the engine for the second factor of whom the primary proved.
func (l *logins) begin(ctx context.Context, p Proof, r cloud.Request) (cloud.Challenge, error) {
	r.Subject, r.SID = p.Subject, p.SID
	leader := false
	// Names that fold alike may be two people's: each asks for their own, and
	// the engine refuses the second.
	whose := strings.Join([]string{"begin", r.Key, string(p.Subject.Kind), p.Subject.Value, p.SID}, "\x00")
	v, err, _ := l.flight.Do(whose, func() (any, error) {
		leader = true
		c, err := l.verifier.Begin(ctx, r)
		if p.Otherwise.Value != "" && cloud.KindOf(err) == cloud.NotFound {
			r.Subject = p.Otherwise
			return l.verifier.Begin(ctx, r)
		}
		return c, err
	})
	c := v.(cloud.Challenge)
	c.Repeated = c.Repeated || !leader
	return c, err
}

// usedUp tells whether a challenge had an answer or ended without one, as
// against one that the engine would not begin, or that a person decided.
func usedUp(c cloud.Challenge) bool {
	if waits(c.Method) {
		return false
	}
	switch c.State {
	case cloud.Approved, cloud.Expired:
		return true
	case cloud.Refused:
		switch c.Reason {
		case cloud.WrongCode, cloud.UsedCode, cloud.RepeatRefused, cloud.NeedNextCode:
			return true
		}
	}
	return false
}

// challenge makes the Access-Challenge that asks for the code; its State is
// still to be sealed.
func (l *logins) challenge(c cloud.Challenge) verdict {
	if c.Method != cloud.OATHCode && c.Method != cloud.SMS && c.Method != cloud.EmailCode {
		v := deny(methodNotBuilt)
		v.method, v.challenge = c.Method, c.ID
		return v
	}
	return l.prompt(c, asking(c.Prompt))
}

// prompt makes an Access-Challenge.
func (l *logins) prompt(c cloud.Challenge, text string) verdict {
	life := min(c.ExpiresAt.Sub(l.now()), maxChallengeLife)
	if life < time.Second {
		v := deny(stateExpired)
		v.method, v.challenge = c.Method, c.ID
		v.cause = fmt.Errorf("its challenge ended at %s by the engine's clock, and it is %s here",
			c.ExpiresAt.UTC().Format(time.TimeOnly), l.now().UTC().Format(time.TimeOnly))
		return v
	}
	return verdict{code: radius.AccessChallenge, method: c.Method, challenge: c.ID, message: text, timeout: life}
}

// answer is the second leg: the password field is the code.
func (l *logins) answer(ctx context.Context, a attempt, challenge cloud.ChallengeID, key string) verdict {
	leader := false
	got, err, _ := l.flight.Do("answer "+key, func() (any, error) {
		leader = true
		return l.verifier.Answer(ctx, cloud.Answer{Challenge: challenge, Code: a.password, Key: key})
	})
	v := l.answered(a, challenge, got.(cloud.Decision), err)
	v.repeated = v.repeated || !leader
	return v
}

// answered is the verdict on the answer to a challenge.
func (l *logins) answered(a attempt, challenge cloud.ChallengeID, d cloud.Decision, err error) (v verdict) {
	switch {
	case err != nil:
		v = fault(a.client, err, challengeUnknown)
	case d.Challenge != "" && d.Challenge != challenge:
		v = fault(a.client, errors.New("engine decided on another challenge than was asked"), challengeUnknown)
	default:
		v = l.granted(a, d)
	}
	v.challenge = challenge
	return v
}

// granted is the verdict of a decision, with what the primary gave for the
// client in the first leg.
func (l *logins) granted(a attempt, d cloud.Decision) verdict {
	v := judge(d.State, d.Reason)
	if v.code == radius.AccessAccept && len(d.Context) > 0 {
		carried, err := l.keys().kept(d.Context, a.client.Name, a.folded)
		if err != nil {
			return fault(a.client, err, challengeUnknown)
		}
		v.grant(carried)
	}
	v.method, v.repeated = d.Method, d.Repeated
	l.pass(a, v, d.User)
	return v
}

// asker is what the engine is told about who asks.
func (a attempt) asker() cloud.Client {
	return cloud.Client{App: a.client.Name, Address: a.address, Station: a.station}
}

// maxPrompt leaves room behind a prompt in one attribute: of several some clients
// show the first.
const maxPrompt = radius.MaxValue - 2

// asking makes a prompt fit for a terminal: one line of plain text, and room behind
// it, since clients that print it, as pam_radius does, add none to what is typed.
// PAM drops a challenge without a prompt.
func asking(prompt string) string {
	s := cmp.Or(form.Fit(prompt, maxPrompt), "Enter your code")
	if !strings.ContainsAny(s[len(s)-1:], ".:?!") {
		s += ":"
	}
	return s + " "
}
