package shim

import (
	"context"
	"errors"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// by says what stood in for a second factor. The words are those of logs.
type by string

const (
	byBypass  by = "bypass"       // an administrator allowed it
	byCache   by = "cache"        // one was given from here a while ago
	byPrimary by = "primary_only" // there is none, and the client's unmatched allows it
)

// login is what a primary is asked.
func (a attempt) login(password secret.Bytes) Login {
	return Login{User: a.user, Password: password, Client: a.asker(), Request: a.packet}
}

// proven is what became of one call of a primary.
type proven struct {
	proof Proof
	v     verdict // if the proof is not OK
	err   error   // or that it said nothing, which each client takes in its own way
}

// prove has the primary check the password. If the proof is not OK the verdict
// counts. From an OK one on the user is the one whose password was right,
// whatever name was typed.
//
// Equal passwords at the same time are tried one after the other, and only
// until one is refused or nobody answers: so a wrong one is tried once, and
// each leg with a right one has proven it by itself.
func (l *logins) prove(ctx context.Context, a attempt, password secret.Bytes) (Proof, verdict) {
	if password.IsZero() {
		return Proof{}, deny(emptyPassword)
	}
	factor := l.factor(a.client.Primary, a.folded, string(password.Reveal()))
	for ctx.Err() == nil {
		mine := false
		got, _, _ := l.flight.Do("prove "+string(factor.name[:]), func() (any, error) {
			mine = true
			return l.proveOnce(ctx, a, password, factor), nil
		})
		switch p := got.(proven); {
		case p.err != nil:
			return Proof{}, fault(a.client, p.err, userUnknown)
		case mine || !p.proof.OK:
			return p.proof, p.v
		}
	}
	return Proof{}, fault(a.client, &cloud.Error{Kind: cloud.Unavailable, Message: "the first factor took too long", Err: ctx.Err()}, userUnknown)
}

// proveOnce asks the primary, unless this password has just been refused.
func (l *logins) proveOnce(ctx context.Context, a attempt, password secret.Bytes, f factor) proven {
	var proof Proof
	var err error
	tried, cause := l.tryOnce(ctx, a.client, f, func() bool {
		proof, err = a.client.primary.Prove(ctx, a.login(password))
		return err == nil && !proof.OK && proof.Reason == cloud.WrongPassword
	})
	switch {
	case !tried && cause != nil:
		return proven{err: cause}
	case !tried:
		return proven{v: deny(reason(cloud.WrongPassword))}
	case err != nil:
		return proven{err: err}
	case !proof.OK:
		v := judge(cloud.Refused, proof.Reason)
		v.cause, v.person = cause, proof.Name
		return proven{v: v}
	case proof.Subject.Value == "":
		return proven{err: errors.New("primary took a password and named no user")}
	}
	return proven{proof: proof}
}

// unasked is the verdict where the engine would not begin a challenge. A
// client may let in whom the engine does not know, if a directory has said who
// it is: of a name that was only typed it follows nothing that nobody has it.
func (l *logins) unasked(a attempt, proof Proof, err error) verdict {
	recognised := proof.OK && (proof.Subject.Kind == cloud.BySID || proof.Subject.Kind == cloud.ByUPN)
	if cloud.KindOf(err) == cloud.NotFound && a.client.Unmatched == config.PrimaryOnly && recognised {
		v := verdict{code: radius.AccessAccept, by: byPrimary}
		v.grant(proof)
		return v
	}
	return fault(a.client, err, userUnknown)
}

// cachePlace names where a user logs in, for the cache. There is none without a
// calling station: then there is no place that is the user's own.
func (l *logins) cachePlace(a attempt) (m mark, ok bool) {
	if a.client.Cache.Life <= 0 || a.station == "" || a.client.primary == nil {
		return mark{}, false
	}
	return mark(mac(l.local, "passed", a.client.Name, a.folded, a.station)), true
}

// passed is a second factor that was given.
type passed struct {
	since time.Time
	user  cloud.UserID
	way   cloud.Preference
}

// pass remembers a second factor that was given, and forgets an earlier one
// after a refusal.
func (l *logins) pass(a attempt, v verdict, user cloud.UserID) {
	m, ok := l.cachePlace(a)
	switch {
	case !ok || user == "":
	case v.code == radius.AccessAccept:
		l.passed.put(m, passed{since: l.now(), user: user, way: v.method}, l.now().Add(a.client.Cache.Life))
	case v.code == radius.AccessReject:
		l.passed.forget(m)
	}
}

// spare lets in who has given a second factor from the same place a while ago.
// The engine is asked whether the user may still verify: it begins a challenge
// for a code, which sends nothing and is left alone. Where the second factor was
// such a code, and there is none to ask for any more, it was taken from the user,
// and spares nothing; of other ways nobody can tell without asking the person.
// How long a while is says the configuration of now, also of what was given
// before it.
func (l *logins) spare(ctx context.Context, a attempt, proof Proof, key string) (v verdict, spared bool) {
	m, ok := l.cachePlace(a)
	if !ok || l.loud {
		return verdict{}, false
	}
	before, fresh := l.passed.find(m, l.now())
	if !fresh || l.now().Sub(before.since) >= a.client.Cache.Life {
		return verdict{}, false
	}
	c, err := l.begin(ctx, proof, cloud.Request{Client: a.asker(), Method: cloud.OATHCode, Tries: 1, Key: l.keys().name("cache", key)})
	if err != nil || c.User != before.user || !mayVerify(c) || before.way == cloud.OATHCode && c.State == cloud.Refused {
		return verdict{}, false
	}
	v = verdict{code: radius.AccessAccept, by: byCache, method: c.Method, challenge: c.ID}
	v.grant(proof)
	return v, true
}

// mayVerify tells by a challenge for a code, which was begun to find this out and
// is left alone, whether its user is one whom the engine lets verify: neither
// blocked nor disabled. That there is no code to ask for is no such reason.
func mayVerify(c cloud.Challenge) bool {
	switch c.State {
	case cloud.Pending:
		return true
	case cloud.Approved:
		return c.Bypassed
	case cloud.Refused:
		return c.Reason == cloud.NoMethod || c.Reason == cloud.NotAllowed
	}
	return false
}
