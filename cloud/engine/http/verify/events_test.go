package verify_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/verify"
	"mfabridge/cloud/engine/http/wire"
)

// rig is the face with a core whose verdicts the test speaks. Its callers are
// named by their tokens.
type rig struct {
	table    *serve.Table
	face     *verify.Face
	stop     context.CancelFunc
	core     verify.Core
	verdicts atomic.Pointer[chan engine.Verdict]
	out      atomic.Bool // nobody is let in any more
}

// Authenticate implements [serve.Authenticator].
func (r *rig) Authenticate(_ context.Context, token string) (serve.Caller, error) {
	if r.out.Load() {
		return serve.Caller{}, &cloud.Error{Kind: cloud.Denied, Message: "out"}
	}
	return serve.Caller{App: token, Role: engine.RoleShim}, nil
}

// stream is what the face hears; closing the channel breaks it.
func (r *rig) stream(ctx context.Context) iter.Seq2[engine.Verdict, error] {
	ch := make(chan engine.Verdict)
	r.verdicts.Store(&ch)
	return func(yield func(engine.Verdict, error) bool) {
		for {
			select {
			case v, ok := <-ch:
				if !ok {
					yield(engine.Verdict{}, errors.New("broken"))
					return
				}
				if !yield(v, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// decide speaks n verdicts on challenges of an application.
func (r *rig) decide(app string, first, n int) {
	for i := range n {
		*r.verdicts.Load() <- engine.Verdict{Owner: app, Decision: cloud.Decision{Challenge: cloud.ChallengeID(fmt.Sprintf("c%d", first+i)), State: cloud.Approved}}
	}
	synctest.Wait()
}

func build(t *testing.T) *rig {
	t.Helper()
	r := &rig{}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() { stop(); synctest.Wait() })
	r.stop = stop
	r.face = verify.New(ctx, verify.Options{Verdicts: r.stream, For: func(string) verify.Core { return r.core }})
	var err error
	if r.table, err = serve.New(serve.Options{Routes: r.face.Routes(), Auth: r}); err != nil {
		t.Fatal(err)
	}
	return r
}

// listener is one open stream.
type listener struct {
	mu    sync.Mutex
	seen  []string // "name data-challenge"
	last  string
	beats int
	ended bool
	leave context.CancelFunc
}

func (l *listener) beaten() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.beats
}

// listen opens a stream of a node, after an id.
func (r *rig) listen(t *testing.T, app, node, last string) *listener {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	l := &listener{leave: leave}
	pr, pw := io.Pipe()
	q := httptest.NewRequestWithContext(ctx, "GET", "/verify/v1/events?node="+node, nil)
	q.Body, q.ContentLength = http.NoBody, 0
	q.Header.Set("Authorization", "Bearer "+app)
	if last != "" {
		q.Header.Set("Last-Event-ID", last)
	}
	go func() {
		r.table.Handler(serve.API).ServeHTTP(&writer{header: http.Header{}, w: pw}, q)
		_ = pw.Close()
	}()
	go func() {
		var name string
		for lines := bufio.NewScanner(pr); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			l.mu.Lock()
			switch field {
			case "event":
				name = value
				l.seen = append(l.seen, name)
			case "id":
				l.last = value
			case ":":
				l.beats++
			case "data":
				if _, rest, ok := strings.Cut(value, `"id":"`); ok {
					id, _, _ := strings.Cut(rest, `"`)
					l.seen[len(l.seen)-1] += " " + id
				}
			}
			l.mu.Unlock()
		}
		l.mu.Lock()
		l.ended = true
		l.mu.Unlock()
	}()
	t.Cleanup(leave)
	synctest.Wait()
	return l
}

func (l *listener) text() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := strings.Join(l.seen, ",")
	if l.ended {
		s += ",ended"
	}
	return s
}

func (l *listener) id() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// writer is a connection that is flushed at once.
type writer struct {
	header http.Header
	w      io.Writer
}

func (w *writer) Header() http.Header               { return w.header }
func (w *writer) WriteHeader(int)                   {}
func (w *writer) Write(b []byte) (int, error)       { return w.w.Write(b) }
func (w *writer) Flush()                            {}
func (w *writer) SetWriteDeadline(time.Time) error  { return nil }
func (w *writer) SetReadDeadline(_ time.Time) error { return nil }

// expect looks once all goroutines of the bubble wait: time that has passed in it
// does not tell that they do.
func expect(t *testing.T, l *listener, want, what string) {
	t.Helper()
	synctest.Wait()
	if got := l.text(); got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// Every node hears of every verdict of its application, each by its own stream
// which goes on where it was.
func TestNodesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t)
		one, two, other := r.listen(t, "a", "one", ""), r.listen(t, "a", "two", ""), r.listen(t, "b", "one", "")
		r.decide("a", 1, 1)
		expect(t, one, "open,decision c1", "node one")
		expect(t, two, "open,decision c1", "node two")
		expect(t, other, "open", "another application")
		two.leave()
		synctest.Wait()
		r.decide("a", 2, 2)
		time.Sleep(verify.KeepFor + time.Minute) // its application has a stream still
		expect(t, r.listen(t, "a", "two", two.id()), "open,decision c2,decision c3", "node two, after a break")
		expect(t, one, "open,decision c1,decision c2,decision c3", "node one")
		again := r.listen(t, "a", "one", "")
		expect(t, one, "open,decision c1,decision c2,decision c3,replaced,ended", "a stream whose node has come back")
		if one.id() == "" {
			t.Error("that it was replaced takes from a node where it was")
		}
		r.decide("a", 4, 1)
		expect(t, again, "open,decision c4", "the stream in its place")
	})
}

// A node that has missed something is told so, whatever the cause.
func TestNodesHearThatTheyMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t)
		one, two := r.listen(t, "a", "one", ""), r.listen(t, "a", "two", "")
		r.decide("a", 1, 1)
		two.leave()
		synctest.Wait()
		close(*r.verdicts.Load()) // between core and face
		time.Sleep(2 * time.Second)
		expect(t, one, "open,decision c1,reset", "who listened")
		expect(t, r.listen(t, "a", "two", two.id()), "open,reset", "who was away and had all before")
		r.decide("a", 2, 1)
		expect(t, one, "open,decision c1,reset,decision c2", "after it")

		three := r.listen(t, "a", "three", "")
		three.leave()
		synctest.Wait()
		r.decide("a", 10, verify.MaxBehind+10)
		expect(t, r.listen(t, "a", "three", three.id()), "open,reset", "who was too far behind")
		for _, id := range []string{"?", "x-1", "-", strings.Repeat("9", 100)} {
			expect(t, r.listen(t, "a", "four", id), "open,reset", "an id of nobody")
		}
	})
}

// What an application without a stream would have heard is kept for a while,
// whoever else comes, and then forgotten.
func TestWhoIsAwayIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t)
		one := r.listen(t, "a", "one", "")
		r.decide("a", 1, 1)
		one.leave()
		synctest.Wait()
		r.decide("a", 2, 1)
		time.Sleep(verify.KeepFor)
		r.listen(t, "b", "", "")
		again := r.listen(t, "a", "one", one.id())
		expect(t, again, "open,decision c2", "who was away for five minutes")
		again.leave()
		synctest.Wait()
		r.decide("a", 3, 1)
		time.Sleep(verify.KeepFor + time.Second)
		r.listen(t, "b", "", "")
		expect(t, r.listen(t, "a", "one", again.id()), "open,reset", "who was away for longer")
	})
}

// An id that this process has not given out yet, or that another one has, is of
// nobody.
func TestIDsOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t)
		one := r.listen(t, "a", "one", "")
		r.decide("a", 1, 1)
		one.leave()
		synctest.Wait()
		epoch, digits, _ := strings.Cut(one.id(), "-")
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]string{fmt.Sprintf("%s-%d", epoch, n-1): "open,decision c1", fmt.Sprintf("%s-%d", epoch, n): "open",
			fmt.Sprintf("%s-%d", epoch, n+1): "open,reset", fmt.Sprintf("%s-%d", epoch, uint64(math.MaxUint64)): "open,reset", fmt.Sprintf("other-%d", n): "open,reset"} {
			l := r.listen(t, "a", "two", id)
			expect(t, l, want, id)
			l.leave()
			synctest.Wait()
		}
	})
}

func TestApplicationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t)
		for i := range verify.MaxFeeds {
			l := r.listen(t, fmt.Sprint(i), "", "")
			l.leave()
			synctest.Wait()
		}
		expect(t, r.listen(t, "0", "", ""), "open", "one that is known")
		expect(t, r.listen(t, "more", "", ""), ",ended", "one more")
		time.Sleep(verify.KeepFor + time.Second)
		expect(t, r.listen(t, "more", "", ""), "open", "one more, once the others are forgotten")
	})
}

// A stream ends when its application may not call any more, and after an hour.
func TestStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t)
		l := r.listen(t, "a", "", "")
		time.Sleep(verify.MaxStream - time.Second)
		expect(t, l, "open", "within the hour")
		if n := l.beaten(); n != int(verify.MaxStream/verify.Beat)-1 {
			t.Errorf("%d beats in an hour", n)
		}
		time.Sleep(2 * time.Second)
		expect(t, l, "open,ended", "after an hour")
		l = r.listen(t, "a", "", "")
		r.out.Store(true)
		time.Sleep(verify.Beat + time.Second)
		expect(t, l, "open,ended", "an application that was removed")
		r.out.Store(false)
		l = r.listen(t, "a", "", "")
		r.out.Store(true)
		r.decide("a", 1, 1)
		expect(t, l, "open,ended", "a verdict for an application that was removed")
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t)
		var last *listener
		for i := range verify.MaxNodes {
			last = r.listen(t, "a", fmt.Sprintf("%064d", i), "")
			expect(t, last, "open", "a node")
		}
		for path, want := range map[string]int{"?node=more": 503, "?node=" + strings.Repeat("n", 65): 400, "?node=a&node=b": 400, "?nodes=a": 400} {
			q := httptest.NewRequest("GET", "/verify/v1/events"+path, nil)
			q.Body, q.ContentLength = http.NoBody, 0
			q.Header.Set("Authorization", "Bearer a")
			w := httptest.NewRecorder()
			r.table.Handler(serve.API).ServeHTTP(w, q)
			if w.Code != want {
				t.Errorf("%.20s: %d, want %d", path, w.Code, want)
			}
		}
		expect(t, r.listen(t, "b", "one", ""), "open", "another application")
		last.leave()
		synctest.Wait()
		expect(t, r.listen(t, "a", "more", ""), "open", "a node in the place of one that has left")
	})
}

// oneChallenge is a core that knows one.
type oneChallenge struct {
	verify.Core
	state atomic.Value // of cloud.State
}

func (c *oneChallenge) Look(context.Context, []cloud.ChallengeID) ([]cloud.Decision, error) {
	return []cloud.Decision{{Challenge: "c1", User: "ada", State: c.state.Load().(cloud.State)}}, nil
}

// ask looks at c1, and says later what was answered and when.
func (r *rig) ask(ctx context.Context, wait string) (answer *httptest.ResponseRecorder, took *time.Duration) {
	q := httptest.NewRequestWithContext(ctx, "GET", "/verify/v1/challenges/c1?wait="+wait, nil)
	q.Body, q.ContentLength = http.NoBody, 0
	q.Header.Set("Authorization", "Bearer vpn")
	begun, answer, took := time.Now(), httptest.NewRecorder(), new(time.Duration)
	go func() {
		r.table.Handler(serve.API).ServeHTTP(answer, q)
		*took = time.Since(begun)
	}()
	synctest.Wait()
	return answer, took
}

// A look waits as long as it says, for no longer than the caller and the server
// are there, and leaves nothing behind.
func TestLookEnds(t *testing.T) {
	for name, c := range map[string]struct {
		wait string
		end  func(r *rig, hangUp func())
		took time.Duration
		says string
	}{
		"no verdict":            {"20s", nil, 20 * time.Second, "pending"},
		"the longest wait":      {wire.MaxWait.String(), nil, wire.MaxWait, "pending"},
		"no wait":               {"0s", nil, 0, "pending"},
		"a longer wait":         {(wire.MaxWait + 1).String(), nil, 0, "wait must be"},
		"the server ends":       {"20s", func(r *rig, _ func()) { r.stop() }, 5 * time.Second, "pending"},
		"the caller hangs up":   {"20s", func(_ *rig, hangUp func()) { hangUp() }, 5 * time.Second, ""},
		"a verdict":             {"20s", func(r *rig, _ func()) { r.core.(*oneChallenge).state.Store(cloud.Approved); r.decide("vpn", 1, 1) }, 5 * time.Second, "approved"},
		"a verdict of another":  {"20s", func(r *rig, _ func()) { r.decide("wlan", 1, 1) }, 20 * time.Second, "pending"},
		"a verdict on another":  {"20s", func(r *rig, _ func()) { r.decide("vpn", 2, 1) }, 20 * time.Second, "pending"},
		"what is no time":       {"soon", nil, 0, "wait must be"},
		"a time that has ended": {"-1s", nil, 0, "wait must be"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, core := build(t), &oneChallenge{}
				r.core = core
				core.state.Store(cloud.Pending)
				ctx, hangUp := context.WithCancel(t.Context())
				defer hangUp()
				answer, took := r.ask(ctx, c.wait)
				time.Sleep(5 * time.Second)
				if c.end != nil {
					c.end(r, hangUp)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if *took != c.took || !strings.Contains(answer.Body.String(), c.says) {
					t.Errorf("answered after %v: %s", *took, answer.Body)
				}
				if n := r.face.Waiters(); n != 0 {
					t.Errorf("%d challenges are waited for", n)
				}
			})
		})
	}
}

// A look that waits hears of the verdict also where the core's stream broke
// before.
func TestLookWaitsOnAfterABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, core := build(t), &oneChallenge{}
		r.core = core
		core.state.Store(cloud.Pending)
		answer, took := r.ask(t.Context(), "20s")
		close(*r.verdicts.Load())
		time.Sleep(2 * time.Second) // of the bubble: the next stream is heard
		synctest.Wait()
		if *took != 0 {
			t.Fatalf("answered without a verdict: %s", answer.Body)
		}
		core.state.Store(cloud.Approved)
		r.decide("vpn", 1, 1)
		synctest.Wait()
		if *took != 2*time.Second || !strings.Contains(answer.Body.String(), "approved") {
			t.Errorf("answered after %v: %s", *took, answer.Body)
		}
		time.Sleep(time.Minute)
	})
}
