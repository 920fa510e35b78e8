package journal_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/shim/journal"
)

// writes is a writer that keeps what it got, call by call.
type writes struct {
	mu    sync.Mutex
	calls []string
	err   error
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, string(b))
	return len(b), w.err
}

func (w *writes) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

func TestLinesShareWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &writes{}
		g := journal.Gather(w, time.Second)
		say := func(line string) {
			if n, err := g.Write([]byte(line)); n != len(line) || err != nil {
				t.Errorf("%q: %d, %v", line, n, err)
			}
			synctest.Wait()
		}
		say("one\n")
		if got := w.all(); len(got) != 1 || got[0] != "one\n" {
			t.Errorf("the first line is not there at once: %q", got)
		}
		say("two\n")
		say("three\n")
		if got := w.all(); len(got) != 1 {
			t.Errorf("within the pause: %q", got)
		}
		<-time.After(time.Second)
		synctest.Wait()
		if got := w.all(); len(got) != 2 || got[1] != "two\nthree\n" {
			t.Errorf("after the pause: %q", got)
		}
		say("four\n")
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		say("late\n")
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Join(w.all(), ""); got != "one\ntwo\nthree\nfour\nlate\n" {
			t.Errorf("in the end: %q", got)
		}
	})
}

func TestManyWritersLoseNothing(t *testing.T) {
	w := &writes{}
	g := journal.Gather(w, time.Microsecond)
	var wg sync.WaitGroup
	const writers, each = 8, 2000
	for k := range writers {
		wg.Go(func() {
			for i := range each {
				_, _ = fmt.Fprintf(g, "%d %d %s\n", k, i, strings.Repeat("x", 200))
			}
		})
	}
	wg.Wait()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	next := [writers]int{}
	for line := range strings.Lines(strings.Join(w.all(), "")) {
		var k, i int
		if _, err := fmt.Sscanf(line, "%d %d", &k, &i); err != nil || i != next[k] || !strings.HasSuffix(line, "xxx\n") {
			t.Fatalf("%q, %v; the next of %d is %d", line, err, k, next[k])
		}
		next[k]++
	}
	for k, n := range next {
		if n != each {
			t.Errorf("writer %d: %d lines", k, n)
		}
	}
}

func TestGathererTellsTheFirstError(t *testing.T) {
	no := errors.New("no")
	w := &writes{err: no}
	g := journal.Gather(w, time.Microsecond)
	if _, err := g.Write([]byte("x\n")); err != nil {
		t.Error(err)
	}
	if err := g.Close(); !errors.Is(err, no) {
		t.Errorf("Close: %v", err)
	}
}

// A journal takes several lines at once, and refuses all of them if one is too
// long.
func TestWriteOfSeveralLines(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(journal.Options{Folder: dir, MaxFile: 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, lines := range []string{"a\nb\n", "c", "dddddddddd\neeeeee\n"} {
		if n, err := j.Write([]byte(lines)); err != nil || n != len(lines) {
			t.Errorf("%q: %d, %v", lines, n, err)
		}
	}
	if _, err := j.Write([]byte("f\n" + strings.Repeat("x", journal.MaxLine) + "\n")); err == nil {
		t.Error("a line that is too long was taken")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line, err := range journal.Lines(dir) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(line))
	}
	if strings.Join(got, " ") != "a b c dddddddddd eeeeee" {
		t.Errorf("%q", got)
	}
}
