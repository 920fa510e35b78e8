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
	verifier  cloud.Verifier
	passwords cloud.Passwords
	keys      *keyring
	wrong     *wrongPasswords
	now       func() time.Time
	flight    singleflight.Group
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
	subject := cloud.Key{Kind: cloud.ByName, Value: a.user}
	if a.client.Primary != config.None {
		user, v := l.primary(ctx, a, subject)
		if user == "" {
			return v
		}
		// From here on the user is the one whose password was right, whatever
		// name was typed.
		subject = cloud.Key{Kind: cloud.ByID, Value: string(user)}
	}
	if a.client.CodeEntry == config.Only {
		return l.codeAtOnce(ctx, a, subject, key)
	}
	return l.ask(ctx, a, subject, key)
}

// primary has the engine check the password. Without a user the verdict
// counts.
func (l *logins) primary(ctx context.Context, a attempt, subject cloud.Key) (cloud.UserID, verdict) {
	if a.password.IsZero() {
		return "", deny(emptyPassword)
	}
	proof := passwordProof(mac(l.keys.proof, a.folded, string(a.password.Reveal())))
	if l.wrong.knows(proof, l.now()) {
		return "", deny(reason(cloud.WrongPassword))
	}
	answer, err := l.passwords.CheckPassword(ctx, subject, a.password, a.asker())
	switch {
	case err != nil:
		return "", fault(a.client, err, userUnknown)
	case !answer.OK:
		if answer.Reason == cloud.WrongPassword {
			l.wrong.remember(proof, l.now())
		}
		return "", judge(cloud.Refused, answer.Reason)
	case answer.User == "":
		return "", fault(a.client, errors.New("engine took a password and named no user"), userUnknown)
	}
	return answer.User, verdict{}
}

// codeAtOnce is code_entry: only. The password field is the code.
func (l *logins) codeAtOnce(ctx context.Context, a attempt, subject cloud.Key, key string) verdict {
	if a.password.IsZero() {
		return deny(emptyPassword) // without a code Begin would ask for one
	}
	c, err := l.verifier.Begin(ctx, cloud.Request{Subject: subject, Client: a.asker(), Code: a.password, Tries: 1, Key: key})
	if err != nil {
		return fault(a.client, err, userUnknown)
	}
	v := judge(c.State, c.Reason)
	v.method, v.challenge = c.Method, c.ID
	return v
}

// ask begins a challenge and asks for its code. No code has been given yet, so
// nothing that Begin says can be an Access-Accept: an Approved challenge is one
// that an earlier login has used up, and a new one is begun for this login. So
// it is with one that ended by a wrong code: typing it anew must be possible
// before the repeat window is over.
func (l *logins) ask(ctx context.Context, a attempt, subject cloud.Key, key string) verdict {
	for range maxRestarts {
		c, err := l.verifier.Begin(ctx, cloud.Request{Subject: subject, Client: a.asker(), Tries: 1, Key: key})
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
		v = judge(d.State, d.Reason)
		v.method, v.repeated = d.Method, d.Repeated
	}
	v.challenge = challenge
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
