package main

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"

	"mfabridge/shim/radius"
)

// parallel sends one request over each of the callers at the same moment and
// counts the answers.
func parallel(t *testing.T, callers []*caller, request func(i int, c *caller) []byte) (answers []radius.Packet, accepts int) {
	t.Helper()
	answers = make([]radius.Packet, len(callers))
	errs := make([]error, len(callers))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, c := range callers {
		b := slices.Clone(request(i, c))
		wg.Go(func() {
			<-start
			answers[i], errs[i] = c.exchange(b, patience)
		})
	}
	close(start)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if answers[i].Code() == radius.AccessAccept {
			accepts++
		}
	}
	return answers, accepts
}

// 50 requests with one code at the same moment, each with an identifier of its
// own, through sockets, shim, engine and store: one is accepted.
func TestOneCodeInManyRequestsIsAcceptedOnce(t *testing.T) {
	const many = 50
	s := populated(t, 4)
	shim := launchShim(t, s)
	callers := func(from string) (cs []*caller) {
		for i := range many {
			c := newCaller(t, from, shim.address)
			c.serial += uint64(i) - c.serial%256 // identifiers 1 to 50
			t.Cleanup(func() { c.conn.Close() })
			cs = append(cs, c)
		}
		return cs
	}
	for n, c := range []struct {
		name, from string
		station    func(i int) string
	}{
		{"in the password field, without a station", fromOnly, func(int) string { return "" }},
		{"in the password field, from 50 stations", fromOnly, func(i int) string { return fmt.Sprint("station ", i) }},
		{"asked for, without a station", fromAsk, func(int) string { return "" }},
		{"asked for, at 50 stations", fromAsk, func(i int) string { return fmt.Sprint("station ", i) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cs, code := callers(c.from), codeNow(n)
			states := make([][]byte, many)
			if c.from == fromAsk {
				asked, _ := parallel(t, cs, func(i int, k *caller) []byte {
					return k.request(radius.AccessRequest, userName(n), "pw", nil, c.station(i))
				})
				for i, p := range asked {
					state, count := p.Lookup(radius.State)
					if p.Code() != radius.AccessChallenge || count != 1 {
						t.Fatalf("first leg %d: %v", i, p.Code())
					}
					states[i] = slices.Clone(state)
				}
			}
			_, accepts := parallel(t, cs, func(i int, k *caller) []byte {
				return k.request(radius.AccessRequest, userName(n), code, states[i], c.station(i))
			})
			if accepts != 1 {
				t.Errorf("%d of %d requests with one code were accepted", accepts, many)
			}
		})
	}
}

// Two processes on one store are one: of 50 requests with one code, sent to
// both, one is accepted.
func TestOneCodeAtTwoProcessesIsAcceptedOnce(t *testing.T) {
	s := populated(t, 2)
	nodes := []loaded{launchShim(t, s), launchShim(t, s)}
	for n, from := range []string{fromOnly, fromAsk} {
		var cs []*caller
		for i := range 50 {
			c := newCaller(t, from, nodes[i%2].address)
			t.Cleanup(func() { c.conn.Close() })
			cs = append(cs, c)
		}
		code, states := codeNow(n), make([][]byte, len(cs))
		if from == fromAsk {
			asked, _ := parallel(t, cs, func(_ int, c *caller) []byte {
				return c.request(radius.AccessRequest, userName(n), "pw", nil, "")
			})
			for i := range asked { // each is answered at the other node
				state, _ := asked[(i+1)%len(asked)].Lookup(radius.State)
				states[i] = slices.Clone(state)
			}
		}
		if _, accepts := parallel(t, cs, func(i int, c *caller) []byte {
			return c.request(radius.AccessRequest, userName(n), code, states[i], "")
		}); accepts != 1 {
			t.Errorf("from %s: %d of %d requests with one code were accepted", from, accepts, len(cs))
		}
	}
}

// A shim that was killed right after its answer knows the login: the copy of
// the request, whose answer may have been lost, gets the same verdict, and
// another request with that code or that State does not. A login whose code had
// yet to come goes on.
func TestKilledShimKnowsItsVerdicts(t *testing.T) {
	s := populated(t, 3)
	node := launchShim(t, s)
	only, asking := newCaller(t, fromOnly, node.address), newCaller(t, fromAsk, node.address)
	ask := func(c *caller, b []byte, want radius.Code) radius.Packet {
		t.Helper()
		p, err := c.exchange(b, patience)
		if err != nil || p.Code() != want {
			t.Fatalf("%v, %v; want %v", p, err, want)
		}
		return p
	}
	codes := []string{codeNow(0), codeNow(1)}
	first := slices.Clone(only.request(radius.AccessRequest, userName(0), codes[0], nil, ""))
	ask(only, first, radius.AccessAccept)
	value, _ := ask(asking, asking.request(radius.AccessRequest, userName(1), "pw", nil, ""), radius.AccessChallenge).Lookup(radius.State)
	state := slices.Clone(value)
	second := slices.Clone(asking.request(radius.AccessRequest, userName(1), codes[1], state, ""))
	ask(asking, second, radius.AccessAccept)
	value, _ = ask(asking, asking.request(radius.AccessRequest, userName(2), "pw", nil, ""), radius.AccessChallenge).Lookup(radius.State)
	between := slices.Clone(value)
	if err := syscall.Kill(node.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	node = launchShim(t, s)
	only, asking = newCaller(t, fromOnly, node.address), newCaller(t, fromAsk, node.address)
	ask(only, first, radius.AccessAccept)
	ask(asking, second, radius.AccessAccept)
	ask(asking, asking.request(radius.AccessRequest, userName(2), codeNow(2), between, ""), radius.AccessAccept)
	ask(only, only.request(radius.AccessRequest, userName(0), codes[0], nil, ""), radius.AccessReject)
	ask(asking, asking.request(radius.AccessRequest, userName(1), "123456", state, ""), radius.AccessReject)
	value, _ = ask(asking, asking.request(radius.AccessRequest, userName(1), "pw", nil, ""), radius.AccessChallenge).Lookup(radius.State)
	ask(asking, asking.request(radius.AccessRequest, userName(1), codes[1], slices.Clone(value), ""), radius.AccessReject)
}
