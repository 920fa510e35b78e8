package shim

import (
	"context"

	"mfabridge/cloud"
	"mfabridge/shim/config"
)

// want is what a login wants of the engine.
type want byte

const (
	nothing   want = iota // its verdict is there
	atOnce                // that a code is checked which came with the first leg
	toBegin               // that a second factor is asked for
	toAnswer              // that a code is checked which was asked for
	elsewhere             // a worker has to do it
)

// share says what a login wants of the engine, where that is all that it needs:
// [logins.decide] in two halves, this one before the engine is asked.
func (l *logins) share(a attempt) (w want, k cloud.Case, v verdict) {
	switch {
	case a.protocol != PAP:
		return elsewhere, k, v
	case len(a.state) > 0:
		id, at, why := l.keys().open(a.state, a.owner(), l.now())
		switch {
		case why != "":
			return nothing, k, deny(why)
		case at != codeStep:
			return elsewhere, k, v
		}
		k.Answer = cloud.Answer{Challenge: id, Code: a.password, Key: l.named(a)}
		return toAnswer, k, v
	case a.client.primary != nil, a.client.FallbackOATH:
		return elsewhere, k, v
	case a.client.CodeEntry == config.Only && a.password.IsZero():
		return nothing, k, deny(emptyPassword) // without a code Begin would ask for one
	case a.client.CodeEntry == config.Only:
		k.Request = l.withCode(a, a.password, l.named(a))
	case a.client.CodeEntry == config.Challenge:
		return l.shareAsk(a)
	default:
		return elsewhere, k, v
	}
	k.Request.Subject = typedName(a).Subject
	return atOnce, k, v
}

// shareAsk is share of a login whose code is still to be asked for.
func (l *logins) shareAsk(a attempt) (w want, k cloud.Case, v verdict) {
	proof := typedName(a)
	typed := a.takeWord()
	r, err := l.forCode(a, proof, typed.method, l.named(a))
	if err != nil {
		return nothing, k, fault(a.client, err, userUnknown)
	}
	k.Request = r
	k.Request.Subject = proof.Subject
	return toBegin, k, v
}

// shared is the other half, after the engine was asked. A login that is to
// wait for a person, or to be begun once more, goes elsewhere.
func (l *logins) shared(e *entry, k *cloud.Case) {
	a := e.attempt
	switch {
	case k.Apart:
		e.want = elsewhere
		return
	case e.want == toAnswer:
		e.v = l.answered(a, k.Answer.Challenge, k.Decision, k.Err)
	case e.want == atOnce:
		e.v = l.coded(a, typedName(a), k.Challenge, k.Err)
	case k.Err != nil:
		e.v = l.unasked(a, typedName(a), k.Err)
	case k.Challenge.State == cloud.Pending && waits(k.Challenge.Method), usedUp(k.Challenge):
		e.want = elsewhere
		return
	default:
		e.v, _ = l.begun(context.Background(), a, typedName(a), k.Challenge)
	}
	e.v = l.seal(a, e.v)
}
