//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mfabridge/fixtures/gen"
	"mfabridge/migrate"
)

// faultUsers are enough for several batches.
const faultUsers = 1500

// mixed is a store that holds half of the users of a generated export, and a
// plan that makes the others and gives all of them their methods.
type mixed struct {
	story
	base  string // the store as it was when the plan was made
	want  map[string]string
	total int // changes of the plan
}

// mixedOnce is the one that all tests copy.
var mixedOnce struct {
	master
	mixed
}

// mixedStore has a copy made of it; the test works in its folder.
func mixedStore(t testing.TB) mixed {
	t.Helper()
	s := mixedOnce.copy(t, func(s story) { mixedOnce.mixed = mixInto(t, s) })
	return mixed{story: s, base: s.path("base"), want: mixedOnce.want, total: mixedOnce.total}
}

func mixInto(t testing.TB, s story) mixed {
	t.Helper()
	const store = "sqlite:cloud.db"
	for _, dir := range []string{"export", "half"} {
		if err := os.Mkdir(s.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := gen.Write(s.path("export"), gen.Options{Users: faultUsers, Seed: 11, Unsorted: true, DeviceSecrets: true}); err != nil {
		t.Fatal(err)
	}
	users, err := os.ReadFile(s.path("export/users.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var half strings.Builder
	half.WriteString("Username,UserPrincipalName\n")
	for i, line := range strings.Split(string(users), "\n") {
		if i > 0 && i <= faultUsers/2 {
			half.WriteString(strings.Join(strings.SplitN(line, ",", 3)[:2], ",") + "\n")
		}
	}
	s.write(t, "half/users.csv", half.String())
	must(t, exitDone, "plan", s.path("half"), "--to", store, "-o", s.path("half.plan"), "--create-users")
	must(t, exitDone, "apply", s.path("half.plan"))
	m := mixed{story: s, base: s.path("base")}
	must(t, exitDone, "plan", s.path("export"), "--to", store, "-o", s.plan, "--create-users", "--default-country", "US",
		"--wave", "pilot=10%", "--wave", "first=40%")
	if err := os.Mkdir(m.base, 0o700); err != nil {
		t.Fatal(err)
	}
	copyFiles(t, s.path("cloud.db*"), m.base)
	m.total = m.counts(t, must(t, exitDone, "apply", s.plan, "--format", "json").out)["done"]
	m.want = s.listing(t)
	if len(m.want) < faultUsers*9/10 || m.total < 2*faultUsers {
		t.Fatalf("only %d users, %d changes", len(m.want), m.total)
	}
	return m
}

func copyFiles(t testing.TB, pattern, dir string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatal(pattern, err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// reset makes the target what it was when the plan was made, and takes the
// journal away.
func (m mixed) reset(t testing.TB) {
	t.Helper()
	m.startOver(t)
	copyFiles(t, filepath.Join(m.base, "*"), m.folder)
}

// counts are the changes of the summary that apply has written as JSON.
func (m mixed) counts(t testing.TB, out string) map[string]int {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var form struct {
		Type    string
		Changes map[string]int
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &form); err != nil || form.Type != "summary" {
		t.Fatalf("no summary: %v in %q", err, lines[len(lines)-1])
	}
	return form.Changes
}

// goesOn runs apply to its end, as nothing had happened, and wants the state
// of an undisturbed run: every change made by this plan, and made once.
func (m mixed) goesOn(t testing.TB) {
	t.Helper()
	m.whole(t, "done", must(t, exitDone, "apply", m.plan, "--format", "json").out)
}

// whole wants all changes to have had one outcome, and the target to be what
// an undisturbed run leaves.
func (m mixed) whole(t testing.TB, outcome, out string) {
	t.Helper()
	if got := m.counts(t, out); len(got) != 1 || got[outcome] != m.total {
		t.Errorf("changes %v, want %d %s", got, m.total, outcome)
	}
	if got := m.listing(t); !maps.Equal(got, m.want) {
		t.Errorf("the store differs: %s", firstDifference(got, m.want))
	}
	must(t, exitDone, "check", m.plan, "--all")
}

func firstDifference(got, want map[string]string) string {
	for _, upn := range slices.Sorted(maps.Keys(want)) {
		if got[upn] != want[upn] {
			return fmt.Sprintf("%d users, want %d; %s is\n%s, want\n%s", len(got), len(want), upn, got[upn], want[upn])
		}
	}
	return fmt.Sprintf("%d users, want %d", len(got), len(want))
}

// Whatever the target does, a run ends with the code that says so, and the
// next one comes to the same end as an undisturbed run.
func TestApplyFaults(t *testing.T) {
	m := mixedStore(t)
	for _, test := range []struct {
		faults string
		codes  []int // that the run may end with; killed is -1
	}{
		{"seed=1,throttle=60%:1ms", []int{exitDone, exitUnavailable}},
		{"seed=2,lost@1,partial@2,throttle@3:5ms,late:1s", []int{exitDone}},
		{"throttle@1:15m", []int{exitUnavailable}},
		{"throttle@3-:15m", []int{exitUnavailable}},
		{"read-only@3-", []int{exitFailed}},
		{"denied=10%", []int{exitPartly}},
		{"die@2", []int{-1}},
		{"die-after@1", []int{-1}},
		{"die-after@4", []int{-1}},
		{"partial@1,die-after@2", []int{-1, exitDone}},
		{"lost@2,die-after@3", []int{-1}},
	} {
		t.Run(test.faults, func(t *testing.T) {
			m.reset(t)
			r := stopped(t, giveUp, syscall.SIGKILL, "apply", m.plan, "--rehearse-faults", test.faults)
			if !slices.Contains(test.codes, r.code) {
				t.Fatalf("exit code %d, want one of %v\n%s", r.code, test.codes, r.err)
			}
			if r.code > 0 && !strings.Contains(r.err, "mfabridge: hint: ") && r.code != exitFailed {
				t.Errorf("no advice: %s", r.err)
			}
			m.goesOn(t)
		})
	}
}

// 429 without Retry-After makes a run wait seconds; told to be patient it
// comes through.
func TestApplyWaitsWithoutRetryAfter(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	r := must(t, exitDone, "apply", m.plan, "--format", "json", "--rehearse-faults", "throttle@2")
	m.whole(t, "done", r.out)
	if !strings.Contains(r.out, `"type":"throttle","error":"too many requests (rehearsed)","wait_seconds":0.`) || !strings.Contains(r.err, "the target cannot go on just now") {
		t.Errorf("nothing is said of the wait: %s", r.err)
	}
}

// A target that is gone half-way, and really: the store is not there any more.
func TestApplyTargetGone(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	if r := stopped(t, giveUp, syscall.SIGKILL, "apply", m.plan, "--rehearse-faults", "die-after@2"); !r.killed {
		t.Fatalf("%+v", r)
	}
	away := m.path("away")
	if err := os.Rename(m.path("cloud.db"), away); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := mfabridge(t, "apply", m.plan); r.code != exitFailed || !strings.Contains(r.err, "is not there") || !strings.Contains(r.err, "hint: ") {
			t.Errorf("exit code %d: %s", r.code, r.err)
		}
	}
	if err := os.Rename(away, m.path("cloud.db")); err != nil {
		t.Fatal(err)
	}
	m.goesOn(t)
}

// A store that SQLite itself takes for read-only (the write version in its
// header is one of the future, which counts for root as well) is refused with
// a sentence; nothing is lost.
func TestApplyReadOnlyStore(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	setWriteVersion := func(v byte) byte {
		f, err := os.OpenFile(m.path("cloud.db"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var old [1]byte
		if _, err := f.ReadAt(old[:], 18); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{v}, 18); err != nil {
			t.Fatal(err)
		}
		return old[0]
	}
	was := setWriteVersion(9)
	r := mfabridge(t, "apply", m.plan)
	if r.code == exitDone || r.code == exitPartly || !strings.Contains(r.err, "mfabridge: error: ") || strings.Contains(r.out, "done, 0 failed") && !strings.Contains(r.out, "users    0 done") {
		t.Errorf("exit code %d: %s%s", r.code, r.out, r.err)
	}
	setWriteVersion(was)
	m.goesOn(t)
}

// The disk is full in the middle of a run, of the target or of the journal:
// the run does not wait for room that nobody makes, and says what to do.
func TestApplyFullDiskInTheMiddle(t *testing.T) {
	m := mixedStore(t)
	for _, kib := range []string{"400", "1000"} {
		m.reset(t)
		ctx, cancel := context.WithTimeout(t.Context(), giveUp)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -f "$0"; exec "$@"`, kib, os.Args[0], "apply", m.plan)
		cmd.Env = append(os.Environ(), runMain+"=1")
		var errs bytes.Buffer
		cmd.Stderr = &errs
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed && code != exitUnavailable || !strings.Contains(errs.String(), "mfabridge: hint: make room") ||
			strings.Contains(errs.String(), "trying again") {
			t.Errorf("%s KiB: exit code %d, %s", kib, code, errs.String())
		}
		m.goesOn(t)
	}
}

// Some users are changed by others between the plan and its apply: they are
// left alone, the others are as ever.
func TestApplyBesideOthers(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	meddled := map[string]bool{}
	var inTheWay int
	for line := range strings.Lines(must(t, exitDone, "show", m.plan, "--format", "json").out) {
		var d struct {
			UPN    string
			Action migrate.Action
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		if d.Action == migrate.Create && inTheWay < 3 {
			inTheWay++
			meddled[d.UPN] = true
			must(t, exitDone, "engine", "user", "add", d.UPN, "--store", m.store, "--reason", "somebody else")
		}
	}
	r := mfabridge(t, "apply", m.plan, "--format", "json")
	if r.code != exitStale {
		t.Fatalf("exit code %d: %s", r.code, r.err)
	}
	for upn, is := range m.listing(t) {
		if !meddled[upn] && is != m.want[upn] {
			t.Errorf("%s is\n%s, want\n%s", upn, is, m.want[upn])
		}
		if meddled[upn] && strings.Contains(is, "mobile") {
			t.Errorf("%s was written to: %s", upn, is)
		}
	}
}

// The limit of failures holds to the user as a person runs it.
func TestApplyMaxFailures(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	for run := 1; run <= 2; run++ {
		r := mfabridge(t, "apply", m.plan, "--max-failures", "7", "--rehearse-faults", "denied=3%")
		if r.code != exitNotNow || !strings.Contains(r.out, " 7 failed, 0 stale") || !strings.Contains(r.err, "stopped at the limit of 7 failures") {
			t.Errorf("run %d: exit code %d, %s%s", run, r.code, r.out, r.err)
		}
	}
	m.goesOn(t)
}
