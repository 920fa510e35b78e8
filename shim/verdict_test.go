package shim_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"mfabridge/cloud"
	"mfabridge/shim/radius"
)

// Every state that a challenge can be in after an answer: only one accepts.
func TestOnlyApprovedAccepts(t *testing.T) {
	for _, state := range []cloud.State{cloud.Approved, cloud.Refused, cloud.Expired, cloud.Pending, "", "APPROVED", "unheard of"} {
		wanted := radius.AccessReject
		if state == cloud.Approved {
			wanted = radius.AccessAccept
		}
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			defer r.close()
			r.engine.hook = func(c *cloud.Challenge, d *cloud.Decision) {
				if d != nil {
					d.State = state
				} else if len(r.engine.challenges) > 1 {
					c.State = state
				}
			}
			t.Logf("state %q", state)
			step := stateOf(t, r.login(ask{from: "127.0.0.2", user: "ada"}))
			want(t, r.login(ask{from: "127.0.0.2", user: "ada", password: "123456", state: step, id: 1}), wanted)
			want(t, r.login(ask{user: "bob", password: "654321", id: 2}), wanted)
			// As the answer to a first leg no state at all accepts.
			if p := r.login(ask{from: "127.0.0.2", user: "bob", id: 3}); p.Code() == radius.AccessAccept {
				t.Error("a first leg was accepted")
			}
		})
	}
}

func TestErrorsOfTheEngine(t *testing.T) {
	for _, test := range []struct {
		kind   error
		silent bool
		reason string
	}{
		{&cloud.Error{Kind: cloud.NotFound}, false, "user_unknown"},
		{&cloud.Error{Kind: cloud.Conflict}, false, "user_ambiguous"},
		{&cloud.Error{Kind: cloud.Invalid}, false, "request_invalid"},
		{&cloud.Error{Kind: cloud.Unsupported}, false, "request_invalid"},
		{&cloud.Error{Kind: cloud.Unavailable}, true, "outage"},
		{&cloud.Error{Kind: cloud.Throttled}, true, "outage"},
		{&cloud.Error{Kind: cloud.Internal}, true, "outage"},
		{&cloud.Error{Kind: cloud.Denied}, true, "outage"},
		{&cloud.Error{Kind: cloud.Stale}, true, "outage"},
		{&cloud.Error{Kind: cloud.Locked}, true, "outage"},
		{&cloud.Error{Kind: 200}, true, "outage"},
		{errors.New("something else"), true, "outage"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			defer r.close()
			r.engine.err = test.kind
			for i, from := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
				r.send(r.build(ask{from: from, user: "ada", password: "123456", id: byte(i)}), ask{from: from}.source())
				synctest.Wait()
				select {
				case d := <-r.conn.out:
					if radius.Code(d.b[0]) != radius.AccessReject || test.silent {
						t.Errorf("%v from %s: answered by code %d", test.kind, from, d.b[0])
					}
				default:
					if !test.silent {
						t.Errorf("%v from %s: silence", test.kind, from)
					}
				}
			}
			if got := r.server.Counters().Reasons[test.reason]; got != 3 {
				t.Errorf("%v: reasons %v", test.kind, r.server.Counters().Reasons)
			}
			if test.silent {
				want(t, r.login(ask{from: "127.0.0.4", user: "ada", password: "123456"}), radius.AccessReject)
			}
		})
	}
}

// What was left unanswered is worked on again when the client asks again.
func TestSilenceIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.engine.err = &cloud.Error{Kind: cloud.Unavailable}
		request := r.build(ask{user: "ada", password: "123456"})
		r.send(request, ask{}.source())
		synctest.Wait()
		r.silent("outage")
		r.engine.set(func() { r.engine.err = nil })
		r.send(request, ask{}.source())
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
	})
}
