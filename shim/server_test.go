package shim_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

func TestRetransmissionGetsTheSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		request := r.build(ask{user: "ada", password: "123456"})
		r.send(request, ask{}.source())
		first := r.receive()
		want(t, r.checked(first, request), radius.AccessAccept)
		for range 3 {
			time.Sleep(9 * time.Second)
			r.send(append(bytes.Clone(request), 0, 0), ask{}.source()) // padding does not count
			if got := r.receive(); !bytes.Equal(got, first) {
				t.Error("another answer to the same request")
			}
		}
		synctest.Wait() // what has left is counted then
		if got := r.engine.calls(); got[0] != 1 || r.server.Counters().Repeated != 3 {
			t.Errorf("calls %v, repeated %d", got, r.server.Counters().Repeated)
		}
		time.Sleep(3 * time.Second) // 30 s are over
		r.send(request, ask{}.source())
		want(t, r.checked(r.receive(), request), radius.AccessReject)
		if got := r.engine.calls(); got[0] != 2 {
			t.Errorf("calls %v after the cache's time", got)
		}
	})
}

func TestDuplicateInFlightIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.engine.hold = make(chan struct{})
		request := r.build(ask{user: "ada", password: "123456"})
		for range 3 {
			r.send(request, ask{}.source())
			synctest.Wait()
		}
		r.silent("while it is at work")
		close(r.engine.hold)
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
		synctest.Wait()
		r.silent("after the one answer")
		if got := r.server.Counters(); got.InFlight != 2 || r.engine.calls()[0] != 1 {
			t.Errorf("in flight %d, calls %v", got.InFlight, r.engine.calls())
		}
	})
}

func TestOtherAuthenticatorReplacesTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		hold := make(chan struct{})
		r.engine.hold = hold
		r.send(r.build(ask{user: "ada", password: "123456", id: 5}), ask{}.source())
		synctest.Wait()
		r.engine.set(func() { r.engine.hold = nil })
		second := r.build(ask{user: "bob", password: "000000", id: 5})
		r.send(second, ask{}.source())
		want(t, r.checked(r.receive(), second), radius.AccessReject)
		close(hold)
		synctest.Wait()
		r.silent("the old request's answer")
		r.send(second, ask{}.source())
		want(t, r.checked(r.receive(), second), radius.AccessReject)
		synctest.Wait() // what has left is counted then
		if got := r.server.Counters(); got.Superseded != 1 || got.Repeated != 1 {
			t.Errorf("superseded %d, repeated %d", got.Superseded, got.Repeated)
		}
	})
}

// The authenticator alone is no name of a login: of a client whose random numbers
// repeat another person's request may have the same, and must not get the first
// one's Access-Accept.
func TestSameAuthenticatorIsNoCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		first := r.build(ask{user: "ada", password: "123456", id: 5})
		r.serial--
		second := r.build(ask{user: "bob", password: "000000", id: 5})
		for range 2 {
			r.send(first, ask{}.source())
			want(t, r.checked(r.receive(), first), radius.AccessAccept)
		}
		for range 2 {
			r.send(second, ask{}.source())
			want(t, r.checked(r.receive(), second), radius.AccessReject)
		}
		synctest.Wait() // what has left is counted then
		if n := r.server.Counters().Repeated; n != 2 {
			t.Errorf("%d repeats", n)
		}
	})
}

func TestBadMessageAuthenticatorTouchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		good := r.build(ask{user: "ada", password: "123456", id: 5})
		bare := append(bytes.Clone(good[:20]), good[38:]...)
		binary.BigEndian.PutUint16(bare[2:], uint16(len(bare)))
		wrong := bytes.Clone(good)
		wrong[25] ^= 1
		twice := append(bytes.Clone(good), good[20:38]...)
		binary.BigEndian.PutUint16(twice[2:], uint16(len(twice)))
		other := r.build(ask{user: "bob", password: "1", id: 5})
		other[25] ^= 1
		attack := func(when string) {
			for _, b := range [][]byte{bare, wrong, twice, other} {
				r.send(b, ask{}.source())
				synctest.Wait()
				r.silent(when)
			}
		}
		attack("before the request")
		r.engine.hold = make(chan struct{})
		r.send(good, ask{}.source())
		synctest.Wait()
		attack("while it is at work")
		close(r.engine.hold)
		first := r.receive()
		want(t, r.checked(first, good), radius.AccessAccept)
		attack("after it")
		r.send(good, ask{}.source())
		if !bytes.Equal(r.receive(), first) {
			t.Error("the cached answer is gone")
		}
		if got := r.server.Counters().Dropped; got["no_message_authenticator"] != 3 || got["wrong_message_authenticator"] != 9 {
			t.Errorf("dropped %v", got)
		}
		if got := r.engine.calls(); got[0] != 1 {
			t.Errorf("calls %v", got)
		}
	})
}

func TestUnknownClientsAndCodesAreDroppedInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		good := r.build(ask{user: "ada", password: "123456"})
		r.send(good, ask{from: "127.0.0.99"}.source())
		r.send(good, ask{from: "::1"}.source())
		for _, code := range []byte{0, 2, 3, 4, 11, 40, 255} {
			b := bytes.Clone(good)
			b[0] = code
			r.send(b, ask{}.source())
		}
		for _, n := range []int{0, 1, 19} {
			r.send(good[:n], ask{}.source())
		}
		r.send(append(bytes.Clone(good[:22]), make([]byte, 4075)...), ask{}.source())
		synctest.Wait()
		r.silent("what is no request of a client")
		if got := r.server.Counters().Dropped; got["unknown_client"] != 2 || got["unexpected_code"] != 7 || got["malformed"] != 4 {
			t.Errorf("dropped %v", got)
		}
		want(t, r.login(ask{user: "ada", password: "123456"}), radius.AccessAccept)
	})
}

func TestStatusServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		w := radius.NewRequest(nil, radius.StatusServer, 3, [16]byte{1})
		w.Add(radius.UserName, []byte("ada")) // ignored
		w.Add(radius.ProxyState, []byte("back"))
		b, err := r.secret.SealRequest(&w)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r.send(b, ask{}.source())
			p := r.checked(r.receive(), b)
			want(t, p, radius.AccessAccept)
			if v, n := p.Lookup(radius.ProxyState); string(v) != "back" || n != 1 {
				t.Errorf("Proxy-State %q", v)
			}
		}
		b[30] ^= 1
		r.send(b, ask{}.source())
		bare := append(bytes.Clone(b[:3]), 20)
		r.send(append(bare, b[4:20]...), ask{}.source())
		synctest.Wait()
		r.silent("Status-Server without a right Message-Authenticator")
		if got := r.server.Counters(); got.StatusServer != 2 || r.engine.calls() != [3]int{1} { // the second is spared a look
			t.Errorf("answered %d, calls %v", got.StatusServer, r.engine.calls())
		}
	})
}

func TestPanicCostsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *shim.Options) { o.Workers = 1 })
		r.engine.hook = func(*cloud.Challenge, *cloud.Decision) { panic("fault in a test") }
		request := r.build(ask{user: "ada", password: "000000"})
		for range 3 {
			r.send(request, ask{}.source())
			synctest.Wait()
			r.engine.set(func() { clear(r.engine.begun) })
		}
		r.silent("a request that panicked")
		r.engine.set(func() { r.engine.hook = nil })
		want(t, r.login(ask{user: "ada", password: "123456", id: 1}), radius.AccessAccept)
		r.close()
		if got := r.server.Counters().Panics; got != 3 || !strings.Contains(r.log.String(), "fault in a test") {
			t.Errorf("%d panics counted", got)
		}
	})
}

func TestOverloadIsDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *shim.Options) { o.Workers, o.Queue, o.CallTimeout = 2, 3, time.Hour })
		defer r.close()
		r.engine.hold = make(chan struct{})
		var requests [][]byte
		for i := range 20 {
			requests = append(requests, r.build(ask{user: "ada", password: "000000", station: strings.Repeat("x", i+1), id: byte(i)}))
			r.send(requests[i], ask{}.source())
			synctest.Wait()
		}
		if got := r.server.Counters().Dropped["overload"]; got != 15 {
			t.Errorf("%d dropped, want 15", got)
		}
		close(r.engine.hold)
		for range 5 {
			b := r.receive()
			r.checked(b, requests[b[1]])
		}
		// What was dropped is answered when it comes again.
		r.send(requests[19], ask{}.source())
		want(t, r.checked(r.receive(), requests[19]), radius.AccessReject)
	})
}

func TestRequestsThatWaitedTooLongAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *shim.Options) { o.Workers, o.Verifier = 1, fakeOf(o.Verifier) })
		defer r.close()
		r.engine.hold = make(chan struct{})
		for i := range 3 {
			r.send(r.build(ask{user: "ada", password: "000000", station: strings.Repeat("x", i+1), id: byte(i)}), ask{}.source())
		}
		time.Sleep(21 * time.Second) // the first two calls time out after 10 s each
		r.silent("an engine that hangs")
		if got := r.server.Counters(); got.Dropped["overload"] != 1 || got.Reasons["outage"] != 2 {
			t.Errorf("counters %+v", got)
		}
	})
}

func TestShutdownAnswersWhatWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.engine.hold = make(chan struct{})
		request := r.build(ask{user: "ada", password: "123456"})
		r.send(request, ask{}.source())
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- r.stop(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("shutdown did not wait: %v", err)
		default:
		}
		close(r.engine.hold)
		if err := <-done; err != nil {
			t.Errorf("shutdown: %v", err)
		}
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
		if err := r.server.Serve(newMemoryConn()); err != shim.ErrServerClosed {
			t.Errorf("Serve after Shutdown: %v", err)
		}
		if err := r.server.Shutdown(t.Context()); err != shim.ErrServerClosed {
			t.Errorf("second Shutdown: %v", err)
		}
	})
}

func TestShutdownGivesUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *shim.Options) { o.CallTimeout = time.Hour })
		r.engine.hold = make(chan struct{})
		r.send(r.build(ask{user: "ada", password: "123456"}), ask{}.source())
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		if err := r.stop(ctx); err != context.DeadlineExceeded {
			t.Errorf("shutdown: %v", err)
		}
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		synctest.Wait()
		r.silent("a login that was cut off")
	})
}

func TestBoundsOfMemory(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	slots, sources, freed := shim.FloodReplies(1000, 300_000, now)
	if slots > 1000 || sources > 1000 || freed > 1000 {
		t.Errorf("reply cache holds %d slots, %d sources, %d freed", slots, sources, freed)
	}
	held, first, last := shim.RememberWrong(3*shim.RecentMax, now)
	if held != shim.RecentMax || first || !last {
		t.Errorf("%d wrong passwords are held; first %v, last %v", held, first, last)
	}
}

func TestFullReplyCacheKeepsRequestsAtWork(t *testing.T) {
	for _, n := range []int{1, 9, 10, 11, 100, 1001} {
		if !shim.AnswerAfterFlood(10, n, time.Unix(1_900_000_000, 0)) {
			t.Errorf("after %d other requests the answer must not go out", n)
		}
	}
}

// A server whose engine is away does not claim to be alive: its client is to
// ask another one.
func TestStatusServerIsSilentWhileTheEngineIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		status := func(id byte) []byte {
			w := radius.NewRequest(nil, radius.StatusServer, id, [16]byte{id})
			b, err := r.secret.SealRequest(&w)
			if err != nil {
				t.Fatal(err)
			}
			r.send(b, ask{}.source())
			return b
		}
		r.engine.set(func() { r.engine.err = &cloud.Error{Kind: cloud.Unavailable, Message: "store is locked"} })
		r.send(r.build(ask{user: "ada", password: "123456", id: 1}), ask{}.source())
		synctest.Wait()
		for id := range byte(3) {
			status(id)
			synctest.Wait()
			r.silent("Status-Server while the engine is away")
		}
		if got := r.server.Counters(); got.Dropped["engine_away"] != 3 || got.StatusServer != 0 {
			t.Errorf("counters %+v", got)
		}
		r.engine.set(func() { r.engine.err = nil })
		for id := range byte(2) {
			b := status(10 + id)
			want(t, r.checked(r.receive(), b), radius.AccessAccept)
		}
		if got := r.engine.calls()[0]; got != 5 { // the login and four probes
			t.Errorf("Begin was called %d times", got)
		}
		for _, key := range r.engine.keys[1:] {
			if key == "" {
				t.Error("an engine elsewhere may not be asked again where its answer was lost")
			}
		}
		want(t, r.login(ask{user: "ada", password: "123456", id: 2}), radius.AccessAccept)
	})
}
