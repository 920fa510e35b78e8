package shim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim/radius"
)

// held is a login that waits for a person.
type held struct {
	challenge cloud.ChallengeID
	method    cloud.Preference
	proof     Proof // of this leg
}

// waits tells whether a person decides by pressing something elsewhere.
func waits(method cloud.Preference) bool {
	switch method {
	case cloud.Push, cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice:
		return true
	}
	return false
}

// showsNumber tells whether a login may go on behind a number to match. The
// request that goes on has neither code nor password that counts, and the State
// in it could be read on the way. So all that shows whose it is is its
// Message-Authenticator, and who sends none is held for a push without a number.
func (a attempt) showsNumber() bool { return a.client.PushNumber && a.signed }

// number makes the Access-Challenge that shows the number to match.
func (l *logins) number(c cloud.Challenge) verdict {
	return l.prompt(c, asking("Enter "+c.Number+" in your app, then continue here."))
}

// confirm is the leg after the number was shown: whatever was typed, the login
// waits for the push. A State is good for its verdict for as long as any equal
// repeat is; by whose clock depends on where the engine runs, and where the
// clocks disagree the answer is no.
func (l *logins) confirm(ctx context.Context, a attempt, id cloud.ChallengeID) verdict {
	ds, err := l.verifier.Look(ctx, []cloud.ChallengeID{id})
	if err == nil && (len(ds) != 1 || ds[0].Challenge != id) {
		err = errors.New("engine told of another challenge than was asked")
	}
	if err != nil {
		v := fault(a.client, err, challengeUnknown)
		v.challenge = id
		return v
	}
	return l.confirmed(ctx, a, ds[0])
}

// confirmed is confirm, once it is known where the challenge stands.
func (l *logins) confirmed(ctx context.Context, a attempt, d cloud.Decision) verdict {
	known := Proof{OK: true, Subject: cloud.Key{Kind: cloud.ByID, Value: string(d.User)}}
	if len(d.Context) > 0 {
		carried, err := l.keys().kept(d.Context, a.client.Name, a.folded)
		if err != nil {
			return fault(a.client, err, challengeUnknown)
		}
		known.Reply, known.Hidden = carried.Reply, carried.Hidden
	}
	var v verdict
	switch {
	case d.State == cloud.Pending && waits(d.Method):
		v.held = &held{challenge: d.Challenge, method: d.Method, proof: known}
	case d.State == cloud.Approved && !(waits(d.Method) && l.recent(d.At)):
		v = deny(reason(cloud.RepeatRefused))
		if waits(d.Method) && !d.At.IsZero() {
			v.cause = fmt.Errorf("approved at %s by the engine's clock, and it is %s here; more than %s apart counts for nothing",
				d.At.UTC().Format(time.TimeOnly), l.now().UTC().Format(time.TimeOnly), cloud.RepeatWindow)
		}
	default:
		v = l.granted(a, d)
		if instead, ok := l.fallback(ctx, a, known, d.Challenge, v.reason); ok {
			return instead
		}
	}
	v.method, v.challenge = d.Method, d.Challenge
	return v
}

// recent tells whether a verdict was reached within an equal repeat's time.
func (l *logins) recent(at time.Time) bool {
	age := l.now().Sub(at)
	return -cloud.RepeatWindow <= age && age <= cloud.RepeatWindow
}

// settled is the verdict on a leg that waited. Its attributes are those of its
// own first factor.
func (l *logins) settled(a attempt, h *held, d cloud.Decision) verdict {
	v := judge(d.State, d.Reason)
	if err := l.outage(h.challenge); d.State == cloud.Expired && err != nil {
		v = fault(a.client, err, challengeUnknown)
	}
	v.method, v.challenge, v.person = h.method, h.challenge, h.proof.Name
	v.grant(h.proof)
	l.pass(a, v, d.User)
	return v
}

// outage says why nobody decided a challenge in its time, but for the person who
// answered nothing; nil: nothing else is known.
func (l *logins) outage(id cloud.ChallengeID) error {
	if w, ok := l.verifier.(watched); ok {
		return w.Outage(id)
	}
	return nil
}

// fallback asks for the code of a token or an app, if the client's
// configuration says so and nobody has said no: the push was not answered in
// time, or nothing could be delivered. It is not ok if there is none to ask for.
func (l *logins) fallback(ctx context.Context, a attempt, proof Proof, after cloud.ChallengeID, why reason) (v verdict, ok bool) {
	if l.loud || !a.client.FallbackOATH || a.protocol != PAP || !mayFallBack(why) {
		return verdict{}, false
	}
	kept, err := l.keys().keep(proof, a.client.Name, a.folded)
	if err != nil {
		return verdict{}, false
	}
	c, err := l.begin(ctx, proof, cloud.Request{Client: a.asker(), Method: cloud.OATHCode, Tries: 1, Context: kept,
		Key: l.keys().name("fallback", string(after), a.place)})
	if err != nil || c.State != cloud.Pending || c.Method != cloud.OATHCode {
		return verdict{}, false
	}
	v = l.challenge(c)
	return v, v.code == radius.AccessChallenge
}

func mayFallBack(why reason) bool {
	return why == reason(cloud.TimedOut) || why == reason(cloud.Undeliverable)
}
