package shim_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// faultyConn is a socket of which some reads or writes fail.
type faultyConn struct {
	*memoryConn
	reads, writes atomic.Int64 // that many fail
	alien         atomic.Bool  // reads yield addresses of another kind
}

func (c *faultyConn) ReadFrom(b []byte) (int, net.Addr, error) {
	if c.reads.Add(-1) >= 0 {
		if c.alien.Load() {
			return 0, &net.UnixAddr{Name: "synthetic"}, nil
		}
		return 0, nil, errors.New("a synthetic fault")
	}
	return c.memoryConn.ReadFrom(b)
}

func (c *faultyConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.writes.Add(-1) >= 0 {
		return 0, errors.New("a synthetic fault")
	}
	return c.memoryConn.WriteTo(b, to)
}

// onFaulty is a server on such a socket, and what Serve returned once it did.
func onFaulty(t *testing.T, c *faultyConn, change ...func(*shim.Options)) (r *rig, served chan error) {
	t.Helper()
	r = &rig{t: t, engine: newFakeEngine(), conn: newMemoryConn(), secret: radius.NewSecret([]byte(clientSecret)), log: new(bytes.Buffer)}
	c.memoryConn = r.conn
	o := shim.Options{Config: configuration(t), Verifier: r.engine, Passwords: r.engine, Primaries: map[string]shim.Primary{"old": r.engine.home()}, Workers: 2, Queue: 2,
		Log: slog.New(slog.NewJSONHandler(r.log, nil))}
	for _, f := range change {
		f(&o)
	}
	var err error
	if r.server, err = shim.New(o); err != nil {
		t.Fatal(err)
	}
	served = make(chan error, 1)
	go func() { served <- r.server.Serve(c) }()
	return r, served
}

// Reads that fail cost nothing as long as others succeed; a socket that cannot
// be read at all is given up.
func TestSocketThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(faultyConn)
		r, served := onFaulty(t, c)
		for id, password := range []string{"000000", "000001", "123456"} {
			synctest.Wait() // it waits for the next
			c.reads.Store(99)
			p := r.login(ask{user: "ada", password: password, id: byte(id)})
			want(t, p, map[bool]radius.Code{true: radius.AccessAccept, false: radius.AccessReject}[password == "123456"])
		}
		synctest.Wait()
		if got := r.server.Counters(); got.Dropped["read_failed"] != 3*99 || got.Received != 3 {
			t.Errorf("%d received, dropped %v", got.Received, got.Dropped)
		}
		if n := strings.Count(r.log.String(), `"reason":"read_failed"`); n != 1 {
			t.Errorf("%d lines in the log within a second", n)
		}
		if err := r.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, shim.ErrServerClosed) {
			t.Error(err)
		}
	})
	for what, alien := range map[string]bool{"faults": false, "addresses of another kind": true} {
		synctest.Test(t, func(t *testing.T) {
			c := new(faultyConn)
			c.alien.Store(alien)
			c.reads.Store(100)
			r, served := onFaulty(t, c)
			if err := <-served; err == nil || !strings.Contains(err.Error(), "socket cannot be read") {
				t.Errorf("%s: %v", what, err)
			}
			if err := r.server.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// An answer that cannot be sent is counted, and kept for the next copy.
func TestAnswersThatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(faultyConn)
		r, served := onFaulty(t, c)
		w := radius.NewRequest(nil, radius.StatusServer, 3, [16]byte{1})
		status, err := r.secret.SealRequest(&w)
		if err != nil {
			t.Fatal(err)
		}
		login := r.build(ask{user: "ada", password: "123456", id: 1})
		for round := range 3 { // a worker answers the first, a copy or the loop itself the others
			for what, request := range map[string][]byte{"Status-Server": status, "a login": login} {
				c.writes.Store(1)
				r.send(request, ask{}.source())
				synctest.Wait()
				r.silent(what)
				if what == "Status-Server" && round == 0 {
					continue
				}
				r.send(request, ask{}.source())
				want(t, r.checked(r.receive(), request), radius.AccessAccept)
			}
		}
		synctest.Wait() // what has left is counted then
		if got := r.server.Counters(); got.Dropped["send_failed"] != 6 || got.StatusServer != 2 || got.Repeated != 3 {
			t.Errorf("dropped %v, %d times status, %d repeated", got.Dropped, got.StatusServer, got.Repeated)
		}
		if calls := r.engine.calls(); calls[0] != 2 { // of the login, and of the status
			t.Errorf("calls %v", calls)
		}
		if err := r.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-served
	})
}

// While all workers are busy nobody is told that a login would be answered.
func TestStatusServerOfABusyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *shim.Options) { o.Workers, o.Queue = 1, 1 })
		defer r.close()
		r.engine.hold = make(chan struct{})
		for id := range 2 {
			r.send(r.build(ask{from: fullClient, user: "ada", password: "wrong", station: string(rune('a' + id)), id: byte(id)}), ask{from: fullClient}.source())
			synctest.Wait()
		}
		w := radius.NewRequest(nil, radius.StatusServer, 3, [16]byte{1})
		status, err := r.secret.SealRequest(&w)
		if err != nil {
			t.Fatal(err)
		}
		r.send(status, ask{}.source())
		synctest.Wait()
		r.silent("Status-Server")
		if got := r.server.Counters(); got.Dropped["overload"] != 1 || got.StatusServer != 0 {
			t.Errorf("dropped %v, %d times status", got.Dropped, got.StatusServer)
		}
		close(r.engine.hold)
		for range 2 {
			r.receive()
		}
	})
}

// tripping is a log that falls over one message while it is armed.
type tripping struct {
	slog.Handler
	on    string
	armed *atomic.Bool
}

func (h tripping) Handle(ctx context.Context, r slog.Record) error {
	if h.armed.Load() && r.Message == h.on {
		panic("fault in a test")
	}
	return h.Handler.Handle(ctx, r)
}

func (h tripping) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tripping{h.Handler.WithAttrs(attrs), h.on, h.armed}
}

// A fault of ours costs the packet that it meets, at the socket, at a worker and
// at a clerk; what comes after it finds everything in its place.
func TestFaultsOfOursCostOnePacket(t *testing.T) {
	for name, c := range map[string]struct {
		on     string
		clerks bool
		send   func(*rig)
	}{
		"at the socket": {"packet dropped", false, func(r *rig) { r.send([]byte("no packet"), ask{}.source()) }},
		"at a worker":   {"login", false, func(r *rig) { r.send(r.build(ask{user: "ada", password: "000000", id: 7}), ask{}.source()) }},
		"at a clerk":    {"login", true, func(r *rig) { r.send(r.build(ask{user: "ada", password: "000000", id: 7}), ask{}.source()) }},
		"at a clerk, before the engine": {"login", true, func(r *rig) {
			r.send(r.build(ask{user: "ada", password: "", id: 7}), ask{}.source())
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			armed := new(atomic.Bool)
			r := newRig(t, func(o *shim.Options) {
				o.Workers, o.Queue = 1, 1
				o.Log = slog.New(tripping{o.Log.Handler(), c.on, armed})
				if c.clerks {
					o.Verifier = settling{fakeOf(o.Verifier)}
				}
			})
			for range 8 { // more than there are workers, clerks and places
				armed.Store(true)
				c.send(r)
				synctest.Wait()
				r.silent(name)
				time.Sleep(2 * time.Second) // one line a second is logged of what is dropped
			}
			armed.Store(false)
			want(t, r.login(ask{user: "ada", password: "123456", id: 1}), radius.AccessAccept)
			r.close()
			if got := r.server.Counters().Panics; got != 8 || !strings.Contains(r.log.String(), "fault in a test") {
				t.Errorf("%s: %d faults counted", name, got)
			}
		})
	}
}

// A login that has waited at a clerk for longer than its client waits is left
// to its next copy.
func TestLoginsThatWaitedTooLongAtAClerk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(moody)
		r := newRig(t, func(o *shim.Options) {
			m.settling = settling{fakeOf(o.Verifier)}
			o.Verifier = m
		})
		defer r.close()
		m.do = func(context.Context, []cloud.Case) bool {
			time.Sleep(shim.DefaultCallTimeout + time.Second)
			return false
		}
		for id := range 3 { // two clerks, and one that waits
			r.send(r.build(ask{user: "ada", password: "000000", station: string(rune('a' + id)), id: byte(id)}), ask{}.source())
			synctest.Wait()
		}
		for range 2 {
			r.receive()
		}
		time.Sleep(time.Minute)
		r.silent("the third")
		if got := r.server.Counters(); got.Dropped["overload"] != 1 || got.Panics != 0 || r.engine.calls()[0] != 2 {
			t.Errorf("dropped %v, %d faults, calls %v", got.Dropped, got.Panics, r.engine.calls())
		}
	})
}
