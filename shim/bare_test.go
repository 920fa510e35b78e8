package shim_test

import (
	"testing"
	"testing/synctest"

	"mfabridge/cloud"
	"mfabridge/shim/radius"
)

const bareClient = "127.0.1.14"

// A gateway that has checked the password itself sends none, and cannot show a
// prompt: its users are asked once, by push alone.
func TestLoginWithoutAPassword(t *testing.T) {
	for state, code := range map[cloud.State]radius.Code{cloud.Approved: radius.AccessAccept, cloud.Refused: radius.AccessReject} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := holding(t)
			defer r.close()
			q := ask{from: bareClient, user: "push", bare: true}
			request := r.start(q)
			r.send(request, q.source()) // a copy
			q.id = 1
			other := r.start(q) // the same login in a new packet
			r.waitingFor(2)
			if r.engine.pushes != 1 {
				t.Errorf("%d pushes", r.engine.pushes)
			}
			r.engine.person("id-push", state, "")
			for range 2 {
				reply := r.receive()
				request := request
				if reply[1] == other[1] {
					request = other
				}
				want(t, r.checked(reply, request), code)
			}
		})
	}
}

// Nothing of it holds for a client that is not configured so, nor does it open
// a way around a code that is to be typed, or around a State.
func TestWithoutAPasswordOpensNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		for n, q := range []ask{
			{from: nobody, user: "push", bare: true}, // primary: none, but sends passwords
			{from: vpn, user: "push", bare: true},
			{from: bareClient, user: "push", bare: true, state: []byte("x")},
			{from: bareClient, user: "nobody", bare: true},
			{from: bareClient, user: "", bare: true},
			{from: bareClient, user: "push", bare: true, fill: func(w *radius.Builder) { w.Add(radius.CHAPPassword, make([]byte, 17)) }},
		} {
			q.id = byte(n)
			want(t, r.login(q), radius.AccessReject)
		}
		// A password is read where one came: here it asks for the code.
		state := stateOf(t, r.login(ask{from: bareClient, user: "ada", password: "pw", id: 18}))
		want(t, r.login(ask{from: bareClient, user: "ada", password: "000000", state: state, id: 19}), radius.AccessReject)
		r.engine.people["ada"].method = cloud.OATHCode
		r.engine.people["ada"].refused = cloud.NoMethod
		want(t, r.login(ask{from: bareClient, user: "ada", bare: true, id: 20}), radius.AccessReject)
		if r.engine.pushes != 0 {
			t.Errorf("%d pushes", r.engine.pushes)
		}
	})
}
