package shim_test

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

const observedNumbers = `
engine: {store: sqlite:unused.db}
primaries:
  old: {type: radius, servers: [{address: "127.0.0.1:1", secret: file:s}]}
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - {name: show, networks: [127.0.1.3], secret: file:s, primary: old, push_number: true, message_authenticator: observe}
    - {name: none, networks: [127.0.1.9], secret: file:s, primary: none, primary_done_by_client: true, push_number: true, message_authenticator: observe}
`

// numbers is a rig of observed clients that show numbers.
func numbers(t *testing.T) *rig {
	h := &home{}
	r := newRig(t, func(o *shim.Options) {
		o.Config, o.Primaries = configured(t, observedNumbers), map[string]shim.Primary{"old": h}
		o.Config.RADIUS.Clients[0].Certificates = []string{"show.example"}
	})
	h.engine = r.engine
	return r
}

// Behind a number nothing is typed that counts. So whoever saw the State of
// somebody's login on the way, and has a login of their own refused at the
// gateway, could have the approval answer that one: they choose identifier and
// authenticator, and need no secret.
func TestUnsignedRequestGetsNothingBehindANumber(t *testing.T) {
	for _, from := range []string{show, nobody} {
		for password, bare := range map[string]bool{"": true, "seen it": false} {
			synctest.Test(t, func(t *testing.T) {
				r := numbers(t)
				defer r.close()
				first := r.login(ask{from: from, user: "push", password: "pw", station: "laptop"})
				want(t, first, radius.AccessChallenge)
				state, _ := first.Lookup(radius.State)
				again := ask{from: from, user: "push", password: password, bare: bare, state: state, station: "laptop"}
				steal := func(id byte) {
					t.Helper()
					again.id = id
					request := unsigned(r.build(again))
					r.send(request, again.source())
					want(t, r.checked(r.receive(), request), radius.AccessReject)
				}
				steal(1)
				r.engine.person("id-push", cloud.Approved, "")
				steal(2)
				again.id = 3
				want(t, r.login(again), radius.AccessAccept)
				steal(4)
				if n := strings.Count(r.log.String(), `"reason":"number_unsigned"`); n != 3 {
					t.Errorf("the log says so %d times:\n%s", n, r.log)
				}
			})
		}
	}
}

// A client that sends no Message-Authenticator is shown no number that it could
// not go on behind: it waits for a push without one.
func TestUnsignedRequestIsShownNoNumber(t *testing.T) {
	for _, from := range []string{show, nobody} {
		synctest.Test(t, func(t *testing.T) {
			r := numbers(t)
			defer r.close()
			request := unsigned(r.build(ask{from: from, user: "push", password: "pw", station: "laptop"}))
			r.send(request, ask{from: from}.source())
			r.waitingFor(1)
			if r.engine.person("id-push", cloud.Approved, "") != 1 {
				t.Error("no push waits")
			}
			want(t, r.checked(r.receive(), request), radius.AccessAccept)
		})
	}
}

// Over TLS nobody is on the way.
func TestUnsignedRequestOverAStreamIsShownANumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := numbers(t)
		defer r.close()
		theirs, served := r.stream("show")
		exchange := func(request []byte) radius.Packet {
			t.Helper()
			if _, err := theirs.Write(request); err != nil {
				t.Fatal(err)
			}
			return streamReply(t, theirs, request)
		}
		first := exchange(unsigned(r.onStream(1, "push", "laptop")))
		want(t, first, radius.AccessChallenge)
		state, _ := first.Lookup(radius.State)
		r.engine.person("id-push", cloud.Approved, "")
		w := radius.NewRequest(nil, radius.AccessRequest, 2, [16]byte{0xcc})
		w.Add(radius.UserName, []byte("push"))
		w.Add(radius.State, state)
		b, err := streamed.SealRequest(&w)
		if err != nil {
			t.Fatal(err)
		}
		want(t, exchange(unsigned(b)), radius.AccessAccept)
		_ = theirs.Close() // it is only to end
		<-served
	})
}

// streamReply reads the answer to a request that went over a stream.
func streamReply(t *testing.T, c net.Conn, request []byte) radius.Packet {
	t.Helper()
	reply := make([]byte, radius.MaxLength)
	n, err := c.Read(reply)
	if err != nil {
		t.Fatal(err)
	}
	return checkReply(t, streamed, reply[:n], request)
}
