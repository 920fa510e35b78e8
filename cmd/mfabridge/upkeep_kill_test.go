package main

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killed runs a command that is killed at random instants of the time that it
// takes undisturbed, and looks at what each kill has left.
func killed(t *testing.T, rounds int, whole time.Duration, args []string, left func(done bool)) {
	t.Helper()
	at := moments{whole, rand.New(rand.NewPCG(7, uint64(len(args))))}
	for range rounds {
		killed := cutShort(t, at.next(), args...)
		at.told(killed)
		left(!killed)
	}
}

// took runs a command to its end and tells how long that was.
func took(t *testing.T, args ...string) time.Duration {
	t.Helper()
	begun := time.Now()
	if r := stopped(t, giveUp, syscall.SIGKILL, args...); r.code != exitDone {
		t.Fatalf("%v: exit code %d: %s", args, r.code, r.err)
	}
	return time.Since(begun)
}

// A rotation of the key that is killed at any moment loses nothing: every
// secret opens, with the key file as it is then, and the next run goes on.
func TestKeyRotationSurvivesKills(t *testing.T) {
	s := generated(t, 1500)
	must(t, exitDone, "apply", s.plan)
	on := func(words ...string) []string {
		return append(append([]string{"engine"}, words...), "--store", s.store)
	}
	check := func(bool) {
		t.Helper()
		if r := must(t, exitDone, on("key", "check")...); strings.Contains(r.out, "does not open") {
			t.Fatal(r.out)
		}
	}
	rotate := on("key", "rotate", "--reason", "test")
	whole := took(t, rotate...)
	killed(t, 12, whole, rotate, check)
	must(t, exitDone, on("key", "reseal", "--reason", "test")...)
	retire := on("key", "retire", "--reason", "test")
	killed(t, 6, whole/2, retire, check)
	must(t, exitDone, retire...)
	if r := must(t, exitDone, on("key", "check")...); strings.Count(r.out, "\n") != 2 {
		t.Errorf("keys are left that nothing needs:\n%s", r.out)
	}
	must(t, exitDone, on("audit", "verify")...)
	must(t, exitDone, "check", s.plan, "--all")
	for _, name := range holds(t, s.folder) {
		if strings.HasPrefix(name, ".cloud.db.key.new-") {
			t.Errorf("left behind: %s", name)
		}
	}
}

// A backup and a restore that are killed at any moment leave nothing by the
// name that was asked for, or all of it; what they left otherwise goes with the
// next run, and what was restored is safe.
func TestRestoreSurvivesKills(t *testing.T) {
	s := generated(t, 1500)
	must(t, exitDone, "apply", s.plan)
	dir := t.TempDir()
	copied, back := filepath.Join(dir, "nightly.db"), filepath.Join(dir, "back.db")
	backup := []string{"engine", "backup", copied, "--store", s.store}
	whole := took(t, backup...)
	takeAway(t, copied)
	killed(t, 8, whole, backup, func(done bool) {
		if _, err := os.Lstat(copied); err == nil {
			must(t, exitDone, "engine", "restore", copied, "--store", "sqlite:"+back, "--engine-key", "file:"+s.path("cloud.db.key"), "--reason", "test")
			takeAway(t, back)
		} else if done {
			t.Fatal("no backup after a run that was done")
		}
		takeAway(t, copied)
	})
	must(t, exitDone, backup...)
	if got := holds(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}

	restore := []string{"engine", "restore", copied, "--store", "sqlite:" + back, "--engine-key", "file:" + s.path("cloud.db.key"), "--reason", "test"}
	whole = took(t, restore...)
	takeAway(t, back)
	killed(t, 12, whole, restore, func(done bool) {
		if _, err := os.Lstat(back); err == nil {
			r := must(t, exitDone, "engine", "audit", "export", "--store", "sqlite:"+back, "--engine-key", "file:"+s.path("cloud.db.key"))
			if !strings.Contains(r.out, `"action":"engine.restore"`) {
				t.Fatal("a store has the name that no restore has made safe")
			}
		} else if done {
			t.Fatal("no store after a run that was done")
		}
		takeAway(t, back)
	})
	must(t, exitDone, restore...)
	must(t, exitDone, "engine", "key", "check", "--store", "sqlite:"+back, "--engine-key", "file:"+s.path("cloud.db.key"))
	must(t, exitDone, "engine", "audit", "verify", "--store", "sqlite:"+back, "--engine-key", "file:"+s.path("cloud.db.key"))
	for _, name := range holds(t, dir) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("left behind: %s", name)
		}
	}
}

// takeAway removes a store.
func takeAway(t *testing.T, path string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		if err := os.RemoveAll(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}
