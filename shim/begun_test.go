package shim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// A challenge that an earlier login has used up is none for the next: that is
// begun anew, however often it takes, up to a bound. What the engine will not
// begin, or a person decided, is not tried once more.
func TestChallengesOfALoginBefore(t *testing.T) {
	for _, c := range []struct {
		method cloud.Preference
		state  cloud.State
		why    cloud.Reason
		anew   bool
	}{
		{cloud.OATHCode, cloud.Approved, "", true},
		{cloud.OATHCode, cloud.Expired, cloud.TimedOut, true},
		{cloud.SMS, cloud.Refused, cloud.WrongCode, true},
		{cloud.OATHCode, cloud.Refused, cloud.UsedCode, true},
		{cloud.EmailCode, cloud.Refused, cloud.RepeatRefused, true},
		{cloud.OATHCode, cloud.Refused, cloud.NeedNextCode, true},
		{cloud.OATHCode, cloud.Refused, cloud.TooManyTries, false},
		{cloud.OATHCode, cloud.Refused, cloud.UserBlocked, false},
		{cloud.OATHCode, cloud.Refused, cloud.UserDisabled, false},
		{cloud.SMS, cloud.Refused, cloud.NotAllowed, false},
		{cloud.SMS, cloud.Refused, cloud.Undeliverable, false},
		{"", cloud.Refused, cloud.NoMethod, false},
		{cloud.Push, cloud.Expired, cloud.TimedOut, false},
		{cloud.Push, cloud.Refused, cloud.UserDenied, false},
		{cloud.VoiceMobile, cloud.Refused, cloud.WrongCode, false},
		{cloud.OATHCode, "", "", false},
		{"unheard of", cloud.Pending, "", false},
	} {
		for _, from := range []string{askClient, fullClient} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				defer r.close()
				r.engine.hook = func(b *cloud.Challenge, _ *cloud.Decision) {
					if len(r.engine.challenges) == 1 {
						b.Method, b.State, b.Reason = c.method, c.state, c.why
					}
				}
				p := r.login(ask{from: from, user: "ada", password: "correct horse", station: "laptop"})
				if anew := p.Code() == radius.AccessChallenge; anew != c.anew || !anew && p.Code() != radius.AccessReject {
					t.Errorf("%s %s %q from %s: answered by %v", c.method, c.state, c.why, from, p.Code())
				}
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.engine.hook = func(b *cloud.Challenge, _ *cloud.Decision) { b.State, b.Reason = cloud.Refused, cloud.WrongCode }
		want(t, r.login(ask{from: fullClient, user: "ada", password: "correct horse", station: "laptop"}), radius.AccessReject)
		if got := r.server.Counters().Reasons["too_many_tries"]; got != 1 || r.engine.calls()[0] != 8 {
			t.Errorf("reasons %v, calls %v", r.server.Counters().Reasons, r.engine.calls())
		}
	})
}

// Another name of whom the primary has proven counts only where the engine knows
// nobody by the first.
func TestOtherNameIsForWhomTheEngineDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(home)
		r := newRig(t, func(o *shim.Options) { o.Primaries = map[string]shim.Primary{"old": h} })
		defer r.close()
		h.engine = r.engine
		h.alter = func(p *shim.Proof) { p.Otherwise = cloud.Key{Kind: cloud.ByName, Value: "bob"} }
		q := ask{from: homeClient, user: "ada", password: "correct horse", station: "laptop"}
		state := stateOf(t, r.login(q))
		if got := r.engine.subjects; len(got) != 1 || got[0].Value != "id-ada" {
			t.Errorf("asked of %v", got)
		}
		q.state, q.password, q.id = state, "654321", 1
		want(t, r.login(q), radius.AccessReject) // a code of the other one
		time.Sleep(time.Minute)
		r.engine.set(func() { r.engine.err = &cloud.Error{Kind: cloud.Conflict} })
		want(t, r.login(ask{from: homeClient, user: "ada", password: "correct horse", station: "laptop", id: 2}), radius.AccessReject)
		if got := r.engine.subjects; len(got) != 2 || got[1].Value != "id-ada" {
			t.Errorf("asked of %v", got)
		}
	})
}
