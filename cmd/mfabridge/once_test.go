package main

import (
	"fmt"
	"slices"
	"sync"
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
