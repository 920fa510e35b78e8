package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/shim/journal"
)

func open(t *testing.T, o journal.Options) *journal.Journal {
	t.Helper()
	if o.MaxFile == 0 {
		o.MaxFile = 1 << 20
	}
	j, err := journal.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func all(t *testing.T, folder string) (out []string) {
	t.Helper()
	for line, err := range journal.Lines(folder) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(line))
	}
	return out
}

func TestLinesComeBackInOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "events")
	if got := all(t, dir); got != nil {
		t.Errorf("a folder that is not there: %q", got)
	}
	still := time.Unix(1e9, 0)
	j := open(t, journal.Options{Folder: dir, MaxFile: 20, Now: func() time.Time { return still }})
	for i := range 10 {
		if err := j.Append(fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if got := all(t, dir); len(got) != 10 || got[0] != `{"n":0}` || got[9] != `{"n":9}` {
		t.Errorf("got %q", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 5 {
		t.Errorf("%d files", len(entries))
	}
}

func TestOldFilesGo(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Folder: dir, MaxFile: 20, Keep: 3})
	for i := range 100 {
		if _, err := fmt.Fprintf(j, "{\"n\":%2d}\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(dir)
	if got := all(t, dir); len(entries) != 3 || got[len(got)-1] != `{"n":99}` {
		t.Errorf("%d files, last line %q", len(entries), got[len(got)-1])
	}
}

// A program that is started over and over makes a file each time: that is no
// reason to forget what it had to tell before.
func TestRestartsTakeNoHistoryAway(t *testing.T) {
	dir := t.TempDir()
	start := func(n int) {
		j := open(t, journal.Options{Folder: dir, MaxFile: 1 << 10, Keep: 2})
		if _, err := fmt.Fprintf(j, "{\"n\":%3d}\n", n); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 50 {
		start(n)
	}
	if got := all(t, dir); len(got) != 50 || got[0] != `{"n":  0}` {
		t.Errorf("%d lines are left, the first is %q", len(got), got[0])
	}
	for n := range 150 {
		start(50 + n)
	}
	if got := all(t, dir); len(got) < 1000/10 || len(got) > 128 || got[len(got)-1] != `{"n":199}` {
		t.Errorf("%d lines are left, the last is %q", len(got), got[len(got)-1])
	}
}

// But it does not fill the folder with files, however little is in each.
func TestRestartsLeaveSoManyFiles(t *testing.T) {
	dir := t.TempDir()
	for n := range 140 {
		j := open(t, journal.Options{Folder: dir, MaxFile: 1 << 20, Keep: 2})
		if _, err := fmt.Fprintf(j, "{\"n\":%3d}\n", n); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := all(t, dir); len(got) != 128 || got[0] != `{"n": 12}` || got[127] != `{"n":139}` {
		t.Errorf("%d lines are left, from %q to %q", len(got), got[0], got[len(got)-1])
	}
}

func TestAClockThatGoesBackLosesNothing(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	j := open(t, journal.Options{Folder: dir, MaxFile: 20, Keep: 2, Now: func() time.Time { return now }})
	for i := range 10 {
		now = now.Add(-time.Hour)
		if err := j.Append(fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := all(t, dir); len(got) != 4 || got[0] != `{"n":6}` || got[3] != `{"n":9}` {
		t.Errorf("got %q", got)
	}
}

func TestTornAndForeignLinesDoNotCount(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"20200101T000000.000000000Z.jsonl": "one\ntwo\nthr", "20210101T000000.000000000Z.jsonl": strings.Repeat("x", journal.MaxLine+5) + "\nfour\n", "readme": "five\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(all(t, dir), " "); got != "one two four" {
		t.Errorf("got %q", got)
	}
	j := open(t, journal.Options{Folder: dir})
	for _, bad := range []string{"a\nb", strings.Repeat("x", journal.MaxLine)} {
		if err := j.Append([]byte(bad)); err == nil {
			t.Errorf("%.10q was taken", bad)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Folder: dir, MaxFile: 4096})
	var w sync.WaitGroup
	for i := range 32 {
		w.Go(func() {
			for n := range 20 {
				if err := j.Append(fmt.Appendf(nil, `{"worker":%d,"n":%d}`, i, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	w.Wait()
	if got := all(t, dir); len(got) != 640 {
		t.Errorf("%d lines of 640", len(got))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// A disk tells of what it lost once, to whoever asks first: lines that came while
// an fsync failed have its error, though the next one would succeed, and later
// ones go into another file.
func TestFsyncThatFailsIsTheErrorOfAllThatItMayBeAbout(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Folder: dir})
	no, asked, say := errors.New("the disk fails"), make(chan struct{}), make(chan struct{})
	var once sync.Once
	j.SyncBy(func(*os.File) (err error) {
		once.Do(func() {
			close(asked)
			<-say
			err = no
		})
		return err
	})
	var first, second error
	var w sync.WaitGroup
	w.Go(func() { first = j.Append([]byte("one")) })
	<-asked
	w.Go(func() { second = j.Append([]byte("two")) })
	for len(all(t, dir)) < 2 { // it is written, and waits for the fsync
		runtime.Gosched()
	}
	close(say)
	w.Wait()
	if !errors.Is(first, no) || !errors.Is(second, no) {
		t.Errorf("%v, %v", first, second)
	}
	if err := j.Append([]byte("three")); err != nil {
		t.Error(err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.jsonl"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		for line, err := range journal.Lines(dir) {
			if err != nil || strings.Contains(string(line), "\n") {
				t.Fatal(err)
			}
			n++
		}
		if n > strings.Count(string(b), "\n") {
			t.Errorf("%d lines", n)
		}
	})
}

// Who makes room by moving or removing files takes no line with them that
// comes after.
func TestFileThatIsTakenAwayIsBegunAnew(t *testing.T) {
	folder := t.TempDir()
	j, err := journal.Open(journal.Options{Folder: folder, MaxFile: 1 << 20, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for n, away := range []func(string) error{func(string) error { return nil }, os.Remove,
		func(name string) error { return os.Rename(name, filepath.Join(t.TempDir(), "moved")) }} {
		names, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := away(name); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Append(fmt.Appendf(nil, `{"n":%d}`, n)); err != nil {
			t.Fatal(err)
		}
		var last string
		for line, err := range journal.Lines(folder) {
			if err != nil {
				t.Fatal(err)
			}
			last = string(line)
		}
		if want := fmt.Sprintf(`{"n":%d}`, n); last != want {
			t.Errorf("after line %d the folder ends with %q", n, last)
		}
	}
}
