package shim_test

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// held are clients that wait for a person: "vpn" holds for the default time,
// "other" is like it, "show" shows numbers, "fall" falls back to a code,
// "rough" has no stations, "words" and "append" read more in the password
// field, "keep" and "too" have a cache. All have the primary "old".
const heldClients = `
engine: {store: sqlite:unused.db}
primaries:
  old: {type: radius, servers: [{address: "127.0.0.1:1", secret: file:s}]}
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - {name: vpn, networks: [127.0.1.1], secret: file:s, primary: old}
    - {name: other, networks: [127.0.1.2], secret: file:s, primary: old}
    - {name: show, networks: [127.0.1.3], secret: file:s, primary: old, push_number: true}
    - {name: fall, networks: [127.0.1.4], secret: file:s, primary: old, fallback_oath: true}
    - {name: rough, networks: [127.0.1.5], secret: file:s, primary: old, calling_station: unreliable}
    - {name: words, networks: [127.0.1.6], secret: file:s, primary: old, factor_delimiter: ","}
    - {name: append, networks: [127.0.1.7], secret: file:s, primary: old, code_entry: append}
    - {name: keep, networks: [127.0.1.8], secret: file:s, primary: old, cache: {for: 1h}}
    - {name: too, networks: [127.0.1.15], secret: file:s, primary: old, cache: {for: 1h}}
    - {name: none, networks: [127.0.1.9], secret: file:s, primary: none, primary_done_by_client: true, push_wait: 10s}
    - {name: bare, networks: [127.0.1.14], secret: file:s, primary: none, primary_done_by_client: true, without_password: true, push_wait: 10s, calling_station: unreliable}
    - {name: both, networks: [127.0.1.10], secret: file:s, primary: old, code_entry: append, factor_delimiter: "::"}
    - {name: reject, networks: [127.0.1.11], secret: file:s, primary: old, on_outage: reject}
    - {name: showfall, networks: [127.0.1.12], secret: file:s, primary: old, push_number: true, fallback_oath: true}
    - {name: crowd, networks: [127.0.1.13], secret: file:s, primary: old, code_entry: append, calling_station: unreliable}
`

const (
	vpn, other, show, fall, rough, wordy = "127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4", "127.0.1.5", "127.0.1.6"
	appended, keeps, nobody, bothWays    = "127.0.1.7", "127.0.1.8", "127.0.1.9", "127.0.1.10"
	rejects, showfall, crowd, keepsToo   = "127.0.1.11", "127.0.1.12", "127.0.1.13", "127.0.1.15"
)

// configured loads clients and makes a cluster key.
func configured(t testing.TB, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte(clientSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Parse([]byte(text), "shim.yaml", dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MakeKeys(); err != nil {
		t.Fatal(err)
	}
	return c
}

// holding is a rig of held clients, with their primary.
func holding(t testing.TB, change ...func(*shim.Options)) (*rig, *home) {
	h := &home{}
	set := func(o *shim.Options) {
		o.Config, o.Primaries = configured(t, heldClients), map[string]shim.Primary{"old": h}
	}
	r := newRig(t, append([]func(*shim.Options){set}, change...)...)
	h.engine = r.engine
	return r, h
}

// start sends a request and leaves it waiting.
func (r *rig) start(q ask) []byte {
	r.t.Helper()
	b := r.build(q)
	r.send(b, q.source())
	synctest.Wait()
	return b
}

// waitingFor checks how many logins wait, and that none was answered.
func (r *rig) waitingFor(n int) {
	r.t.Helper()
	synctest.Wait()
	if got := r.server.Counters().Waiting; got != n {
		r.t.Errorf("%d logins wait, want %d", got, n)
	}
	r.silent("while a login waits")
}

var pushLogin = ask{from: vpn, user: "push", password: "pw", station: "laptop"}

func TestPushIsHeldAndAnsweredOnce(t *testing.T) {
	for _, test := range []struct {
		state cloud.State
		why   cloud.Reason
		code  radius.Code
	}{{cloud.Approved, "", radius.AccessAccept}, {cloud.Refused, cloud.UserDenied, radius.AccessReject}, {cloud.Expired, cloud.TimedOut, radius.AccessReject}} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := holding(t)
			defer r.close()
			request := r.start(pushLogin)
			r.waitingFor(1)
			for range 3 { // copies while it waits
				time.Sleep(5 * time.Second)
				r.send(request, pushLogin.source())
			}
			r.waitingFor(1)
			if n := r.engine.person("id-push", test.state, test.why); n != 1 {
				t.Fatalf("%d pushes", n)
			}
			first := r.receive()
			want(t, r.checked(first, request), test.code)
			for range 2 { // copies after it
				time.Sleep(5 * time.Second)
				r.send(request, pushLogin.source())
				if !bytes.Equal(r.receive(), first) {
					t.Error("a copy got another answer")
				}
			}
			r.waitingFor(0)
			if r.engine.pushes != 1 {
				t.Errorf("%d pushes", r.engine.pushes)
			}
			if test.why != "" && r.server.Counters().Reasons[string(test.why)] != 1 {
				t.Errorf("reasons %v", r.server.Counters().Reasons)
			}
		})
	}
}

func TestPushThatNobodyAnswersIsRefusedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		start := time.Now()
		request := r.start(pushLogin)
		want(t, r.checked(r.receive(), request), radius.AccessReject)
		if took := time.Since(start); took != 45*time.Second {
			t.Errorf("answered after %s", took)
		}
		short := ask{from: nobody, user: "push", station: "laptop", id: 3}
		start = time.Now()
		request = r.start(short)
		want(t, r.checked(r.receive(), request), radius.AccessReject)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("answered after %s", took)
		}
		if got := r.server.Counters().Reasons["timed_out"]; got != 2 {
			t.Errorf("reasons %v", r.server.Counters().Reasons)
		}
		// The person was too late; the next login still finds the approval, for
		// as long as any leg would.
		r.engine.person("id-push", cloud.Approved, "")
		pushLogin := pushLogin
		pushLogin.id = 9
		want(t, r.login(pushLogin), radius.AccessAccept)
	})
}

// A verdict that is reached before the login waits, or while no stream stands,
// is found all the same.
func TestNoVerdictIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		r.engine.set(func() {
			r.engine.hook = func(c *cloud.Challenge, _ *cloud.Decision) { // approved while Begin returns
				kept := r.engine.challenges[c.ID]
				kept.State = cloud.Approved
				r.engine.decided[c.ID] = time.Now()
			}
		})
		want(t, r.login(pushLogin), radius.AccessAccept)
		r.engine.set(func() { r.engine.hook = nil })
		time.Sleep(11 * time.Second)
		q := pushLogin
		q.id = 1
		request := r.start(q)
		r.engine.breakStreams()
		start := time.Now()
		r.engine.person("id-push", cloud.Approved, "")
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("found after %s", took)
		}
		time.Sleep(11 * time.Second)
		q.id = 2
		request = r.start(q) // the stream stands again
		r.engine.person("id-push", cloud.Approved, "")
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
		if r.engine.streamCount != 2 {
			t.Errorf("%d streams", r.engine.streamCount)
		}
	})
}

// An engine that cannot be asked when the time is over has decided nothing.
func TestEngineAwayWhileALoginWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		request := r.start(pushLogin)
		q := pushLogin
		q.from, q.id = rejects, 1
		second := r.start(q)
		r.engine.set(func() { r.engine.err = &cloud.Error{Kind: cloud.Unavailable, Message: "engine is away"} })
		r.engine.breakStreams()
		want(t, r.checked(r.receive(), second), radius.AccessReject)
		time.Sleep(time.Minute)
		r.waitingFor(0)
		if got := r.server.Counters(); got.Reasons["outage"] != 2 || got.Reasons["timed_out"] != 0 {
			t.Errorf("reasons %v", got.Reasons)
		}
		// The engine is back; a copy of the request is tried anew, and joins.
		r.engine.set(func() { r.engine.err = nil })
		r.send(request, pushLogin.source())
		r.waitingFor(1)
		r.engine.person("id-push", cloud.Approved, "")
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
		if r.engine.pushes != 2 { // one for each client
			t.Errorf("%d pushes", r.engine.pushes)
		}
	})
}

// The client has used the identifier for something else: the old login's
// answer must not go out under it.
func TestHeldAnswerDoesNotGoOutUnderAnotherRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		r.start(pushLogin)
		next := ask{from: vpn, user: "ada", password: "wrong", station: "laptop"}
		want(t, r.login(next), radius.AccessReject)
		r.engine.person("id-push", cloud.Approved, "")
		synctest.Wait()
		r.silent("an answer under an identifier that has gone on")
		if got := r.server.Counters().Superseded; got != 1 {
			t.Errorf("superseded %d", got)
		}
	})
}

func TestTooManyHeldLoginsAreLeftUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t, func(o *shim.Options) { o.Held = 2 })
		defer r.close()
		var requests [][]byte
		for i := range 3 {
			q := pushLogin
			q.id, q.station = byte(i), strings.Repeat("x", i+1)
			requests = append(requests, r.start(q))
		}
		r.waitingFor(2)
		if got := r.server.Counters().Reasons["too_many_held"]; got != 1 {
			t.Errorf("%d counted", got)
		}
		r.engine.person("id-push", cloud.Approved, "")
		r.receive()
		r.receive()
		// There is room again: the copy finds its verdict.
		r.send(requests[2], pushLogin.source())
		want(t, r.checked(r.receive(), requests[2]), radius.AccessAccept)
	})
}

func TestShutdownWaitsForHeldLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		request := r.start(pushLogin)
		done := make(chan error, 1)
		go func() { done <- r.stop(t.Context()) }()
		synctest.Wait()
		r.engine.person("id-push", cloud.Approved, "")
		if err := <-done; err != nil {
			t.Errorf("shutdown: %v", err)
		}
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
	})
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		r.start(pushLogin)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := r.stop(ctx); err != context.DeadlineExceeded {
			t.Errorf("shutdown: %v", err)
		}
		synctest.Wait()
		r.silent("a login that was left to another server")
		if got := r.server.Counters(); got.Waiting != 0 || got.Reasons["stopped"] != 1 {
			t.Errorf("counters %+v", got)
		}
	})
}

// slow is a log that takes its time.
type slow struct{ slog.Handler }

func (slow) Enabled(context.Context, slog.Level) bool { return true }

func (slow) Handle(context.Context, slog.Record) error {
	time.Sleep(10 * time.Millisecond)
	return nil
}

// Between the moment in which a login waits no more and that of its answer the
// socket stays open.
func TestShutdownWaitsForAnswers(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"approved": func(r *rig) { r.engine.person("id-push", cloud.Approved, "") },
		"too late": func(*rig) {}, // by the clock
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := holding(t, func(o *shim.Options) { o.Log = slog.New(slow{slog.DiscardHandler}) })
			r.start(pushLogin)
			done := make(chan error, 1)
			go func() { done <- r.stop(t.Context()) }()
			synctest.Wait()
			end(r)
			if err := <-done; err != nil {
				t.Errorf("%s: shutdown: %v", name, err)
			}
			if r.receive() == nil {
				t.Errorf("%s: no answer", name)
			}
			if n := r.server.Counters().Dropped["send_failed"]; n != 0 {
				t.Errorf("%s: %d answers came too late for the socket", name, n)
			}
		})
	}
}

// What a proxy before us needs comes back with an answer that waited, too.
func TestHeldAnswersKeepProxyStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		defer r.close()
		q := pushLogin
		q.fill = func(w *radius.Builder) {
			w.Add(radius.ProxyState, []byte("one"))
			w.Add(radius.ProxyState, bytes.Repeat([]byte{2}, 253))
		}
		request := r.start(q)
		r.engine.person("id-push", cloud.Approved, "")
		p := r.checked(r.receive(), request)
		want(t, p, radius.AccessAccept)
		if first, n := p.Lookup(radius.ProxyState); string(first) != "one" || n != 2 {
			t.Errorf("%d Proxy-State, the first %q", n, first)
		}
	})
}

func TestHeldLoginsAreLoggedOnceWithTheirWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := holding(t)
		request := r.start(pushLogin)
		time.Sleep(7 * time.Second)
		r.engine.person("id-push", cloud.Approved, "")
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
		r.close()
		log := r.log.String()
		if strings.Count(log, `"msg":"login"`) != 1 || !strings.Contains(log, `"ms":7000`) || !strings.Contains(log, `"method":"push"`) || !strings.Contains(log, `"station":"laptop"`) {
			t.Errorf("log:\n%s", log)
		}
	})
}

// A shim is killed while a login waits. The client sends its packet to another
// one, or to the next process: it joins the push that is pending.
func TestHeldLoginGoesOnAtAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := configured(t, heldClients)
		one, h := holding(t, func(o *shim.Options) { o.Config = c })
		request := one.start(pushLogin)
		killed, cancel := context.WithCancel(t.Context())
		cancel()
		_ = one.stop(killed)
		synctest.Wait()
		one.silent("a shim that was killed")
		time.Sleep(35 * time.Second)
		two, _ := holding(t, func(o *shim.Options) {
			o.Config, o.Verifier, o.Primaries = c, one.engine, map[string]shim.Primary{"old": h}
		})
		defer two.close()
		two.send(request, pushLogin.source())
		two.waitingFor(1)
		one.engine.person("id-push", cloud.Approved, "")
		want(t, two.checked(two.receive(), request), radius.AccessAccept)
		if one.engine.pushes != 1 {
			t.Errorf("%d pushes", one.engine.pushes)
		}
	})
}

// The configuration is swapped while a login waits: it goes on as it began.
func TestSwapWhileALoginWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		request := r.start(pushLogin)
		next := configured(t, strings.Replace(heldClients, "{name: vpn, networks: [127.0.1.1]", "{name: gone, networks: [127.0.9.9]", 1))
		if err := r.server.Swap(next, map[string]shim.Primary{"old": h}); err != nil {
			t.Fatal(err)
		}
		r.engine.person("id-push", cloud.Approved, "")
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
	})
}

// An approval whose answer fits no packet is a no: the next server would fare no
// better, and a silent one counts as dead for everybody.
func TestReplyThatFitsNoPacketIsANo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, h := holding(t)
		defer r.close()
		for range 16 {
			h.reply = append(append(h.reply, 25, 250), make([]byte, 248)...)
		}
		q := pushLogin
		q.fill = func(w *radius.Builder) { w.Add(radius.ProxyState, bytes.Repeat([]byte{1}, 200)) }
		request := r.start(q)
		r.waitingFor(1)
		r.engine.person("id-push", cloud.Approved, "")
		p := r.checked(r.receive(), request)
		want(t, p, radius.AccessReject)
		if _, n := p.Lookup(radius.ProxyState); n != 1 {
			t.Errorf("%d Proxy-States", n)
		}
		if log := r.log.String(); !strings.Contains(log, `"reason":"reply_too_long"`) || !strings.Contains(log, `"method":"push"`) {
			t.Errorf("the log is\n%s", log)
		}
	})
}

// leaving is an engine whose stream takes a moment to end.
type leaving struct {
	*fakeEngine
	left *atomic.Bool
}

func (l leaving) Decisions(ctx context.Context) iter.Seq2[cloud.Decision, error] {
	stream := l.fakeEngine.Decisions(ctx)
	return func(yield func(cloud.Decision, error) bool) {
		stream(yield)
		time.Sleep(time.Second)
		l.left.Store(true)
	}
}

// Once Shutdown is back nothing of the server runs any more: what it asks may be
// closed.
func TestShutdownWaitsForTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left atomic.Bool
		r, _ := holding(t, func(o *shim.Options) { o.Verifier = leaving{o.Passwords.(*fakeEngine), &left} })
		r.start(pushLogin)
		r.waitingFor(1)
		r.close()
		if !left.Load() {
			t.Error("the stream of decisions is still being read")
		}
	})
}
