package shim

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/singleflight"

	"mfabridge/cloud"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// maxChallengeLife is how long a State lives at most, whatever the engine says.
const maxChallengeLife = 10 * time.Minute

// maxRestarts is how many logins with one password may follow each other
// within [cloud.RepeatWindow].
const maxRestarts = 8

// logins decides. It holds nothing of a login between its legs: State and the
// engine do.
type logins struct {
	verifier cloud.Verifier
	keys     *keyring
	wrong    *wrongPasswords
	now      func() time.Time
	flight   singleflight.Group
}

// decide reaches the verdict on an attempt. Equal attempts at the same time
// are one; but each first leg gets a State of its own, and an answer counts as
// equal only with the same State. So of two people who began one login at once,
// or one after the other, only one can use its code.
func (l *logins) decide(ctx context.Context, a attempt) verdict {
	var challenge cloud.ChallengeID
	if len(a.state) > 0 {
		id, why := l.keys.open(a.state, a.client.Name, a.folded, l.now())
		if why != "" {
			return deny(why)
		}
		challenge = id
	}
	key := l.keys.name(a.client.Name, a.folded, a.place, string(a.state), string(a.password.Reveal()))
	v, _, joined := l.flight.Do(key, func() (any, error) {
		if challenge != "" {
			return l.answer(ctx, a, challenge, key), nil
		}
		return l.first(ctx, a, key), nil
	})
	result := v.(verdict)
	result.repeated = result.repeated || joined
	if result.code == radius.AccessChallenge {
		state, err := l.keys.seal(result.challenge, l.now().Add(result.timeout), a.client.Name, a.folded)
		if err != nil {
			return fault(a.client, err, challengeUnknown)
		}
		result.state = state
	}
	return result
}

// first is the first leg: primary, then the second factor is begun.
func (l *logins) first(ctx context.Context, a attempt, key string) verdict {
	proof := Proof{Subject: cloud.Key{Kind: cloud.ByName, Value: a.user}, Reply: a.client.Reply.Rules.Static}
	if a.client.primary != nil {
		var v verdict
		if proof, v = l.prove(ctx, a); !proof.OK {
			return v
		}
	}
	if a.client.CodeEntry == config.Only {
		return l.codeAtOnce(ctx, a, proof, key)
	}
	return l.ask(ctx, a, proof, key)
}

// prove has the primary check the password. If the proof is not OK the verdict
// counts. From an OK one on the user is the one whose password was right,
// whatever name was typed.
func (l *logins) prove(ctx context.Context, a attempt) (Proof, verdict) {
	if a.password.IsZero() {
		return Proof{}, deny(emptyPassword)
	}
	name := passwordProof(mac(l.keys.proof, a.client.Primary, a.folded, string(a.password.Reveal())))
	if l.wrong.knows(name, l.now()) {
		return Proof{}, deny(reason(cloud.WrongPassword))
	}
	proof, err := a.client.primary.Prove(ctx, Login{User: a.user, Password: a.password, Client: a.asker(), Request: a.packet})
	switch {
	case err != nil:
		return Proof{}, fault(a.client, err, userUnknown)
	case !proof.OK:
		if proof.Reason == cloud.WrongPassword {
			l.wrong.remember(name, l.now())
		}
		return Proof{}, judge(cloud.Refused, proof.Reason)
	case proof.Subject.Value == "":
		return Proof{}, fault(a.client, errors.New("primary took a password and named no user"), userUnknown)
	}
	return proof, verdict{}
}

// codeAtOnce is code_entry: only. The password field is the code.
func (l *logins) codeAtOnce(ctx context.Context, a attempt, proof Proof, key string) verdict {
	if a.password.IsZero() {
		return deny(emptyPassword) // without a code Begin would ask for one
	}
	c, err := l.begin(ctx, proof, cloud.Request{Client: a.asker(), Code: a.password, Tries: 1, Key: key})
	if err != nil {
		return fault(a.client, err, userUnknown)
	}
	v := judge(c.State, c.Reason)
	v.method, v.challenge = c.Method, c.ID
	v.grant(proof.Reply)
	return v
}

// ask begins a challenge and asks for its code. No code has been given yet, so
// nothing that Begin says can be an Access-Accept: an Approved challenge is one
// that an earlier login has used up, and a new one is begun for this login. So
// it is with one that ended by a wrong code: typing it anew must be possible
// before the repeat window is over.
//
// What the primary gave for the client waits in the challenge's context.
func (l *logins) ask(ctx context.Context, a attempt, proof Proof, key string) verdict {
	kept, err := l.keys.keep(proof.Reply, a.client.Name, a.folded)
	if err != nil {
		return fault(a.client, err, userUnknown)
	}
	for range maxRestarts {
		c, err := l.begin(ctx, proof, cloud.Request{Client: a.asker(), Tries: 1, Key: key, Context: kept})
		switch {
		case err != nil:
			return fault(a.client, err, userUnknown)
		case c.State == cloud.Pending:
			return l.challenge(c)
		case !usedUp(c):
			v := judge(c.State, c.Reason)
			v.method, v.challenge = c.Method, c.ID
			return v
		}
		key = l.keys.name("after", key, string(c.ID))
	}
	return deny(reason(cloud.TooManyTries))
}

// begin asks the engine for the second factor of whom the primary proved.
func (l *logins) begin(ctx context.Context, p Proof, r cloud.Request) (cloud.Challenge, error) {
	r.Subject, r.SID = p.Subject, p.SID
	c, err := l.verifier.Begin(ctx, r)
	if p.Otherwise.Value != "" && cloud.KindOf(err) == cloud.NotFound {
		r.Subject = p.Otherwise
		return l.verifier.Begin(ctx, r)
	}
	return c, err
}

// usedUp tells whether a challenge had an answer or ended without one, as
// against one that the engine would not begin.
func usedUp(c cloud.Challenge) bool {
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
	if c.Method != cloud.OATHCode && c.Method != cloud.SMS {
		v := deny(methodNotBuilt)
		v.method, v.challenge = c.Method, c.ID
		return v
	}
	life := min(c.ExpiresAt.Sub(l.now()), maxChallengeLife)
	if life < time.Second {
		return deny(stateExpired)
	}
	return verdict{code: radius.AccessChallenge, method: c.Method, challenge: c.ID,
		message: oneLine(c.Prompt), timeout: life}
}

// answer is the second leg: the password field is the code.
func (l *logins) answer(ctx context.Context, a attempt, challenge cloud.ChallengeID, key string) verdict {
	d, err := l.verifier.Answer(ctx, cloud.Answer{Challenge: challenge, Code: a.password, Key: key})
	var v verdict
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
		reply, err := l.keys.kept(d.Context, a.client.Name, a.folded)
		if err != nil {
			return fault(a.client, err, challengeUnknown)
		}
		v.grant(reply)
	}
	v.method, v.repeated = d.Method, d.Repeated
	return v
}

// asker is what the engine is told about who asks.
func (a attempt) asker() cloud.Client {
	return cloud.Client{App: a.client.Name, Address: a.address, Station: a.station}
}

// oneLine makes a prompt fit for a terminal; PAM drops a challenge without one.
func oneLine(prompt string) string {
	s := strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(prompt, "?")))
	if s == "" {
		return "Enter your code"
	}
	return s
}
