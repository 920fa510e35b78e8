//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mfabridge/fixtures/gen"
	"mfabridge/internal/hint"
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

func mixedStore(t testing.TB) mixed {
	t.Helper()
	s := story{folder: t.TempDir()}
	s.plan, s.store = s.path("move.plan"), "sqlite:"+s.path("cloud.db")
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
	must(t, exitDone, "plan", s.path("half"), "--to", s.store, "-o", s.path("half.plan"), "--create-users")
	must(t, exitDone, "apply", s.path("half.plan"))
	m := mixed{story: s, base: s.path("base")}
	must(t, exitDone, "plan", s.path("export"), "--to", s.store, "-o", s.plan, "--create-users", "--default-country", "US",
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
			r := stopped(t, time.Minute, syscall.SIGKILL, "apply", m.plan, "--rehearse-faults", test.faults)
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
	if r := stopped(t, time.Minute, syscall.SIGKILL, "apply", m.plan, "--rehearse-faults", "die-after@2"); !r.killed {
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
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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

// A journal that is gone costs nothing but its memory: what is made is found.
// That of another plan, and what is none, are refused.
func TestApplyJournals(t *testing.T) {
	m := mixedStore(t)
	journal := m.plan + ".journal"
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(journal + suffix)
	}
	m.whole(t, "already", must(t, exitDone, "apply", m.plan, "--format", "json").out)

	m.reset(t) // and in the middle
	if r := stopped(t, time.Minute, syscall.SIGKILL, "apply", m.plan, "--rehearse-faults", "die-after@2"); !r.killed {
		t.Fatalf("%+v", r)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(journal + suffix)
	}
	out := must(t, exitDone, "apply", m.plan, "--format", "json").out
	if got := m.counts(t, out); got["done"]+got["already"] != m.total || got["already"] == 0 || got["done"] == 0 {
		t.Errorf("changes %v, want %d in all", got, m.total)
	}
	if got := m.listing(t); !maps.Equal(got, m.want) {
		t.Errorf("the store differs: %s", firstDifference(got, m.want))
	}

	m.reset(t)
	copyFiles(t, m.path("half.plan.journal"), filepath.Dir(m.plan))
	if err := os.Rename(m.path("half.plan.journal"), journal); err != nil {
		t.Fatal(err)
	}
	if r := mfabridge(t, "apply", m.plan); r.code != exitFailed || !strings.Contains(r.err, "belongs to another plan") || !strings.Contains(r.err, "hint: ") {
		t.Errorf("a foreign journal: exit code %d, %s", r.code, r.err)
	}
	m.write(t, "move.plan.journal", strings.Repeat("not a journal ", 1000))
	if r := mfabridge(t, "apply", m.plan); r.code != exitFailed || !strings.Contains(r.err, "cannot be used") {
		t.Errorf("no journal: exit code %d, %s", r.code, r.err)
	}
	if err := os.Remove(journal); err != nil {
		t.Fatal(err)
	}
	m.goesOn(t)
}

// Two machines with copies of the plan, each with a journal of its own, on one
// store: one works at a time, and the second finds what the first has made.
func TestApplyTwoMachines(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	machines := []string{m.path("one"), m.path("two")}
	for _, dir := range machines {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		copyFiles(t, m.plan, dir)
		copyFiles(t, m.plan+".key", dir)
	}
	ends := make([]ran, 2)
	var running sync.WaitGroup
	for i, dir := range machines {
		running.Go(func() {
			ends[i] = stopped(t, time.Minute, syscall.SIGKILL, "apply", filepath.Join(dir, "move.plan"), "--rehearse-faults", "slow:5ms", "--rate", "20000")
		})
	}
	running.Wait()
	for _, e := range ends {
		if e.code != exitDone && e.code != exitNotNow {
			t.Errorf("exit code %d: %s", e.code, e.err)
		}
	}
	made := map[string]int{}
	for _, dir := range machines {
		for outcome, n := range m.counts(t, must(t, exitDone, "apply", filepath.Join(dir, "move.plan"), "--format", "json").out) {
			made[outcome] += n
		}
	}
	if made["done"] != m.total || made["already"] != m.total {
		t.Errorf("both together: %v, want %d done and as many found", made, m.total)
	}
	if got := m.listing(t); !maps.Equal(got, m.want) {
		t.Errorf("the store differs: %s", firstDifference(got, m.want))
	}

	// Half on one machine; then the other takes over, with a copy of the
	// journal and without.
	for _, withJournal := range []bool{true, false} {
		m.reset(t)
		for _, dir := range machines {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				_ = os.Remove(filepath.Join(dir, "move.plan.journal"+suffix))
			}
		}
		r := stopped(t, time.Minute, syscall.SIGKILL, "apply", filepath.Join(machines[0], "move.plan"), "--rehearse-faults", "die-after@3")
		if !r.killed {
			t.Fatalf("%+v", r)
		}
		if withJournal {
			copyFiles(t, filepath.Join(machines[0], "move.plan.journal*"), machines[1])
		}
		got := m.counts(t, must(t, exitDone, "apply", filepath.Join(machines[1], "move.plan"), "--format", "json").out)
		if got["done"]+got["already"] != m.total || withJournal && got["already"] > 0 {
			t.Errorf("with the journal %v: %v, want %d", withJournal, got, m.total)
		}
		if got := m.listing(t); !maps.Equal(got, m.want) {
			t.Errorf("with the journal %v: the store differs: %s", withJournal, firstDifference(got, m.want))
		}
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

// Waves one after the other, with a gate between them, come to the same end.
func TestApplyWavesAndGate(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	log := m.path("gate.log")
	script := m.write(t, "gate.sh", `#!/bin/sh
echo "$1 $MFABRIDGE_WAVE $MFABRIDGE_NEXT_WAVE $MFABRIDGE_WAVE_DONE $MFABRIDGE_WAVE_FAILED $MFABRIDGE_WAVE_STALE" >>"`+log+`"
cat
[ -z "$MFABRIDGE_NEXT_WAVE" ] || [ -e "`+m.path("open")+`" ]
`)
	gate := []string{"apply", m.plan, "--gate", "sh " + script + " 'two words'", "--format", "json"}
	r := mfabridge(t, gate...)
	if r.code != exitGate || !strings.Contains(r.err, "the gate behind wave pilot is not met: exit status 1") || !strings.Contains(r.out, `"type":"gate","wave":"pilot","next":"first","passed":false,"exit":1`) {
		t.Errorf("a closed gate: exit code %d, %s", r.code, r.err)
	}
	r = mfabridge(t, "apply", m.plan, "--wave", "pilot")
	if r.code != exitDone || !strings.Contains(r.out, "0 failed, 0 stale, 0 left") {
		t.Errorf("the pilot: exit code %d, %s", r.code, r.out)
	}
	m.write(t, "open", "")
	r = mfabridge(t, gate...)
	if r.code != exitDone {
		t.Fatalf("an open gate: exit code %d, %s", r.code, r.err)
	}
	m.whole(t, "done", r.out)
	for _, want := range []string{`{"type":"wave","wave":"pilot","state":"begin"`, `{"type":"wave","wave":"","state":"end"`, `{"type":"batch","wave":"first"`} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no line %s", want)
		}
	}
	asked, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(asked)), "\n")
	if len(lines) != 3 || lines[0] != lines[1] || !strings.HasPrefix(lines[0], "two words pilot first ") || !strings.HasPrefix(lines[2], "two words first  ") {
		t.Errorf("the gate was asked %q", lines)
	}
}

// USR1 makes a run wait behind its batch, with its lock; USR2 lets it go on.
func TestApplyPause(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	cmd := child(t.Context(), "apply", m.plan, "--format", "json", "--rate", "2000")
	reader, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := follow(reader)
	await := func(part string) {
		t.Helper()
		for line := range lines {
			if strings.Contains(line, part) {
				return
			}
		}
		t.Fatalf("no line with %s\n%s", part, errs.String())
	}
	signal := func(s syscall.Signal) {
		t.Helper()
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	await(`"type":"batch"`)
	for range 2 {
		signal(syscall.SIGUSR1)
		await(`"type":"pause","paused":true`)
		if r := mfabridge(t, "apply", m.plan); r.code != exitNotNow || !strings.Contains(r.err, "hint: wait until it has ended") {
			t.Errorf("another run while the first waits: exit code %d, %s", r.code, r.err)
		}
		signal(syscall.SIGUSR2)
		await(`"type":"pause","paused":false`)
	}
	await(`"type":"summary"`)
	if err := cmd.Wait(); err != nil || !strings.Contains(errs.String(), "going on") {
		t.Errorf("%v: %s", err, errs.String())
	}
	m.goesOn(t)
}

// follow reads lines as they come.
func follow(r io.Reader) <-chan string {
	lines := make(chan string, 1<<16)
	go func() {
		defer close(lines)
		dec := json.NewDecoder(r)
		for {
			var line json.RawMessage
			if dec.Decode(&line) != nil {
				return
			}
			lines <- string(line)
		}
	}()
	return lines
}

// The limits of the command line are refused where they make no sense.
func TestApplyOptionsRefused(t *testing.T) {
	s := planned(t)
	for _, args := range [][]string{
		{"--rate", "0"}, {"--rate", "fast"}, {"--rate", "10/h"}, {"--rate", "10/"}, {"--rate", "-1"}, {"--rate", "NaN"}, {"--concurrency", "0"}, {"--concurrency", "65"},
		{"--quiet-hours", "8-18"}, {"--quiet-hours", "08:00-18:00;"}, {"--gate", "  "}, {"--gate", "'open"}, {"--gate", "true", "--wave", "pilot"},
		{"--rehearse-faults", "explode"}, {"--max-failures", "-1"},
	} {
		r := mfabridge(t, append([]string{"apply", s.plan}, args...)...)
		if r.code != exitUsage || !strings.Contains(r.err, "mfabridge: hint: ") {
			t.Errorf("%v: exit code %d, %s", args, r.code, r.err)
		}
	}
	if r := mfabridge(t, "apply", s.plan, "--wave", "pilot"); r.code != exitFailed || !strings.Contains(r.err, `no wave "pilot"`) {
		t.Errorf("an unknown wave: exit code %d, %s", r.code, r.err)
	}
	quiet := mfabridge(t, "apply", s.plan, "--quiet-hours", "00:00-24:00")
	if quiet.code != exitNotNow || !strings.Contains(quiet.err, "quiet hours are on until") {
		t.Errorf("quiet hours: exit code %d, %s", quiet.code, quiet.err)
	}
	if _, err := os.Stat(s.plan + ".journal"); err == nil {
		t.Error("a run that did not begin left a journal")
	}
}

func TestParseRate(t *testing.T) {
	for given, want := range map[string]float64{"10": 10, "10/s": 10, "300/m": 5, "0.5/s": 0.5} {
		if got, err := parseRate(given); err != nil || got != want {
			t.Errorf("%s: %v, %v", given, got, err)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for given, want := range map[string][]string{
		"./ask": {"./ask"}, " sh  -c 'a b; \"c\"' ": {"sh", "-c", `a b; "c"`}, `x "" y`: {"x", "", "y"}, `a"b c"d`: {"ab cd"}, `$HOME *|;`: {"$HOME", "*|;"},
	} {
		if got, err := splitWords(given); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for _, wrong := range []string{"", "''", "a 'b", `"`} {
		if got, err := splitWords(wrong); err == nil || hint.Of(err) == "" {
			t.Errorf("%q: %q", wrong, got)
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
