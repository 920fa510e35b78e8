package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/internal/sleep"
)

// hurry is how many seconds pass in one on the clock of a [hurriedRun] while
// somebody waits.
const hurry = 250

// fastClock shows a time that passes faster than it does while somebody sleeps by
// it, and as it does otherwise: a machine that is busy, and takes long over a
// request, is not hours late at its answer.
type fastClock struct {
	mu     sync.Mutex
	shown  time.Time // what it showed at
	at     time.Time
	asleep int // how many sleep by it
}

func newFastClock() *fastClock { return &fastClock{shown: time.Now(), at: time.Now()} }

// look is what it shows. The lock is held.
func (c *fastClock) look() time.Time {
	now := time.Now()
	passed := now.Sub(c.at)
	if c.asleep > 0 {
		passed *= hurry
	}
	c.shown, c.at = c.shown.Add(passed), now
	return c.shown
}

func (c *fastClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.look()
}

func (c *fastClock) wait(ctx context.Context, d time.Duration) error {
	count := func(n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.look()
		c.asleep += n
	}
	count(1)
	defer count(-1)
	return sleep.For(ctx, d/hurry+1)
}

// hurriedRun is a rehearsal of Graph whose server and commands share a clock
// that runs fast: what waits as Graph asks for does not make a test wait.
type hurriedRun struct {
	*rehearsed
	clock *fastClock
}

// hurried serves a rehearsal within this process, on its own clock.
func hurried(t *testing.T, made, assume []string) *hurriedRun {
	t.Helper()
	dir := t.TempDir()
	r := &hurriedRun{rehearsed: &rehearsed{served: &served{dir: dir}, story: story{folder: dir}}, clock: newFastClock()}
	r.tenant(t, made, append(slices.Clone(assume), "token-life=24h")) // who asks for tokens goes by another clock
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	told, tell := io.Pipe()
	p := &program{streams: streams{in: strings.NewReader(""), out: io.Discard, err: tell}, now: r.clock.now, sleep: r.clock.wait, every: progressEvery}
	ended := make(chan int, 1)
	go func() {
		ended <- p.run(ctx, []string{"mfabridge", "engine", "serve", "--config", filepath.Join(dir, "engine.yaml")})
		_ = tell.Close()
	}()
	listens := make(chan string, 1)
	go func() {
		for scanner := bufio.NewScanner(told); scanner.Scan(); {
			if strings.Contains(scanner.Text(), "engine is listening on") {
				listens <- scanner.Text()
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitDone && code != exitInterrupted {
			t.Errorf("the server ended with %d", code)
		}
	})
	select {
	case line := <-listens:
		url := listening(t, line, "graph")
		r.flags = append(r.app(t, "migration", "migrate"), "--graph-url", url, "--authority-url", url)
	case code := <-ended:
		ended <- code
		t.Fatalf("the server ended with %d", code)
	}
	return r
}

// run is a command on the fast clock.
func (r *hurriedRun) run(t *testing.T, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{streams: streams{in: strings.NewReader(""), out: &out, err: &errs}, now: r.clock.now, sleep: r.clock.wait, every: progressEvery}
	code := p.run(t.Context(), append([]string{"mfabridge"}, args...))
	return result{code: code, out: out.String(), err: errs.String()}
}

// must is run with the exit code that it must end with.
func (r *hurriedRun) must(t *testing.T, code int, args ...string) result {
	t.Helper()
	got := r.run(t, args...)
	if got.code != code {
		t.Fatalf("mfabridge %s: exit code %d, want %d\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), got.code, code, got.out, got.err)
	}
	return got
}
