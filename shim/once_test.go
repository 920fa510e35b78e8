package shim_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// 50 requests with one code at the same moment are one login.
func TestParallelRequestsWithOneCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.engine.hold = make(chan struct{})
		requests := make([][]byte, 50)
		for i := range requests {
			requests[i] = r.build(ask{user: "ada", password: "123456", station: "laptop", id: byte(i)})
			r.send(requests[i], ask{}.source())
		}
		synctest.Wait()
		close(r.engine.hold)
		for range requests {
			b := r.receive()
			want(t, r.checked(b, requests[b[1]]), radius.AccessAccept)
		}
		if got := r.engine.calls(); got[0] != 1 && os.Getenv(bySettling) == "" { // a Settler is asked for each, and finds them equal
			t.Errorf("Begin was called %d times", got[0])
		}
	})
}

// With another calling station the same code is another login: one accept.
func TestOneCodeAtTwoStations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		accepted := 0
		for i := range 50 {
			if r.login(ask{user: "ada", password: "123456", station: strings.Repeat("x", i+1), id: byte(i)}).Code() == radius.AccessAccept {
				accepted++
			}
		}
		if accepted != 1 {
			t.Errorf("%d of 50 were accepted", accepted)
		}
	})
}

// Where nothing tells people apart, a code that somebody has just used is of
// no use to the next one, who sends it from elsewhere within a moment.
func TestCodeWithoutAStationIsAcceptedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		for i, q := range []ask{{}, {}, {from: "127.0.0.5"}, {from: "127.0.0.5", station: "one"}, {from: "127.0.0.5", station: "198.51.100.7"}} {
			q.user, q.password, q.id = "ada", "123456", byte(i)
			if i == 2 {
				r.engine.set(func() { clear(r.engine.used) }) // another client, another code
			}
			code := radius.AccessReject
			if i == 0 || i == 2 {
				code = radius.AccessAccept
			}
			want(t, r.login(q), code)
			if got := r.engine.asked[i]; got.Station != "" || got.Address.IsValid() {
				t.Errorf("asker %+v", got)
			}
		}
	})
}

// The reply cache of a node that crashed, or of another one, is no help; the
// copy of a request is equal all the same.
func TestCopyOfARequestIsEqualOnAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configuration(t)
		r := newRig(t, func(o *shim.Options) { o.Config = c })
		other := newRig(t, func(o *shim.Options) { o.Config, o.Verifier = c, r.engine })
		request := r.build(ask{user: "ada", password: "123456"})
		for i, node := range []*rig{r, other} {
			node.send(request, ask{}.source())
			want(t, node.checked(node.receive(), request), radius.AccessAccept)
			node.close()
			if says := fmt.Sprintf(`"repeated":%t`, i == 1); !strings.Contains(node.log.String(), says) {
				t.Errorf("the log does not say %s: %s", says, node.log)
			}
		}
		if got := r.engine.calls(); got[0] != 2 {
			t.Errorf("calls %v", got)
		}
	})
}

// Two people who know a password begin one login between them: the code that
// one of them types is not worth two Accepts.
func TestEachFirstLegHasItsOwnState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		for _, together := range []bool{false, true} {
			r.engine.set(func() { clear(r.engine.used) })
			if together {
				r.engine.set(func() { r.engine.hold = make(chan struct{}) })
			}
			var states [][]byte
			var requests [2][]byte
			for i := range requests {
				requests[i] = r.build(ask{from: "127.0.0.3", user: "ada", password: "correct horse", station: "laptop", id: byte(i)})
				r.send(requests[i], ask{from: "127.0.0.3"}.source())
				synctest.Wait()
			}
			if together {
				close(r.engine.hold)
			}
			for range requests {
				b := r.receive()
				states = append(states, stateOf(t, r.checked(b, requests[b[1]])))
			}
			if bytes.Equal(states[0], states[1]) {
				t.Fatal("two legs have one State")
			}
			var got []radius.Code
			for i, state := range states {
				got = append(got, r.login(ask{from: "127.0.0.3", user: "ada", password: "123456", station: "laptop", state: state, id: byte(2 + i)}).Code())
			}
			if got[0] != radius.AccessAccept || got[1] != radius.AccessReject {
				t.Errorf("together %v: %v", together, got)
			}
			// The same leg asked anew, with another identifier, has its verdict.
			want(t, r.login(ask{from: "127.0.0.3", user: "ada", password: "123456", station: "laptop", state: states[0], id: 9}), radius.AccessAccept)
		}
	})
}
