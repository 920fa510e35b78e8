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
		{cloud.EmailCode, cloud.Pending, "", true},
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

// Only an approval lets anybody in past the second factor, whatever else the
// engine says of a challenge.
func TestBypassThatIsNoApproval(t *testing.T) {
	for _, c := range []struct {
		state    cloud.State
		why      cloud.Reason
		bypassed bool
		by, own  radius.Code // at a client whose second factor is put aside, and at another
	}{
		{cloud.Approved, "", true, radius.AccessAccept, radius.AccessAccept},
		{cloud.Refused, cloud.UserBlocked, true, radius.AccessReject, radius.AccessReject},
		{cloud.Expired, cloud.NotAllowed, true, radius.AccessReject, radius.AccessReject},
		{cloud.Approved, "", false, radius.AccessReject, radius.AccessReject},
		{cloud.Refused, cloud.NoMethod, false, radius.AccessAccept, radius.AccessReject},
	} {
		for _, from := range []string{homeClient, fullClient} {
			synctest.Test(t, func(t *testing.T) {
				r, _ := bypassing(t)
				defer r.close()
				r.engine.hook = func(b *cloud.Challenge, _ *cloud.Decision) {
					if b.Method == cloud.OATHCode { // of whoever is to type nothing
						b.Method, b.State, b.Reason, b.Bypassed = cloud.Push, c.state, c.why, c.bypassed
					}
					if c.state == cloud.Approved && !c.bypassed {
						b.Method, b.State = cloud.OATHCode, cloud.Approved // used up, time and again
					}
				}
				wanted := c.own
				if from == homeClient {
					wanted = c.by
				}
				if p := r.login(ask{from: from, user: "ada", password: "correct horse", station: "laptop"}); p.Code() != wanted {
					t.Errorf("%s %s, bypassed %t, from %s: answered by %v", c.state, c.why, c.bypassed, from, p.Code())
				}
			})
		}
	}
}

// What takes the place of a push that nobody has answered is a code that is to
// be typed from a token or an app, and nothing that would be sent.
func TestFallbackToAnotherMethodIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		request := r.start(ask{from: fall, user: "both", password: "pw", station: "laptop"})
		r.engine.set(func() {
			r.engine.hook = func(b *cloud.Challenge, _ *cloud.Decision) {
				if b != nil {
					b.Method = cloud.SMS
				}
			}
		})
		r.engine.person("id-both", cloud.Expired, cloud.TimedOut)
		want(t, r.checked(r.receive(), request), radius.AccessReject)
	})
}

// A home server that has accepted a protocol in which nothing can be typed has
// not accepted a login whose second factor would have to be.
func TestNothingThatWouldBeTypedIsAsked(t *testing.T) {
	for _, c := range []struct {
		method cloud.Preference
		state  cloud.State
		why    cloud.Reason
	}{
		{cloud.SMS, cloud.Pending, ""}, {cloud.OATHCode, cloud.Approved, ""}, {cloud.OATHCode, cloud.Refused, cloud.WrongCode}, {cloud.Push, cloud.Refused, cloud.UserDenied},
		{cloud.Push, cloud.Refused, cloud.NotAllowed}, {"", cloud.Refused, cloud.NoMethod}, {cloud.Push, cloud.Expired, cloud.NoMethod},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := relaying(t)
			defer r.close()
			begun := 0
			r.engine.hook = func(b *cloud.Challenge, _ *cloud.Decision) {
				begun++
				b.Method, b.State, b.Reason = c.method, c.state, c.why
			}
			q := chap("push", 1)
			request := r.start(q)
			if p := r.checked(r.receive(), request); p.Code() != radius.AccessReject {
				t.Errorf("%s %s %s: answered by %v", c.method, c.state, c.why, p.Code())
			}
			if tries := map[bool]int{true: 2, false: 1}[c.state == cloud.Refused && c.why == cloud.NoMethod]; begun != tries {
				t.Errorf("%s %s %s: %d ways were tried", c.method, c.state, c.why, begun)
			}
		})
	}
}
