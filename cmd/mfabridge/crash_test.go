//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ran is one run of the program as a process of its own, with a folder for
// temporary files of its own.
type ran struct {
	result
	killed bool // by the signal; it had no exit code
	temp   string
	cpu    time.Duration
}

// stopped runs the program as a process that gets a signal after a while,
// unless it has ended by then.
func stopped(t *testing.T, after time.Duration, signal syscall.Signal, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	r := ran{temp: t.TempDir()}
	cmd := child(ctx, args...)
	cmd.Env = append(cmd.Env, "TMPDIR="+r.temp)
	cmd.Cancel = func() error { return cmd.Process.Signal(signal) }
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		if ctx.Err() == nil {
			t.Fatal(err)
		}
		r.killed = true // before it stood
		return r
	}
	r.code, r.out, r.err = cmd.ProcessState.ExitCode(), out.String(), errs.String()
	r.killed, r.cpu = r.code < 0, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	return r
}

// holds are the names in a folder.
func holds(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// A plan that is killed at random instants leaves nothing that the next run
// does not take away, and never a plan that is not whole.
func TestPlanSurvivesKills(t *testing.T) {
	s := generated(t, 1000)
	out := t.TempDir()
	path := filepath.Join(out, "a.plan")
	args := []string{"plan", s.path("export"), "--to", s.store, "-o", path, "--create-users", "--default-country", "US"}
	begun := time.Now()
	if r := stopped(t, giveUp, syscall.SIGKILL, args...); r.code != exitDone {
		t.Fatalf("the undisturbed run: %+v", r)
	}
	whole := time.Since(begun)
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		for _, name := range []string{path, path + ".key"} {
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		r := stopped(t, time.Duration(random.Int64N(int64(whole))), syscall.SIGKILL, args...)
		if _, err := os.Lstat(path); err == nil {
			must(t, exitDone, "show", path)
		} else if !r.killed {
			t.Fatalf("no plan after %+v", r)
		}
	}
	must(t, exitDone, append(args, "--overwrite")...)
	if got := holds(t, out); !slices.Equal(got, []string{"a.plan", "a.plan.key"}) {
		t.Errorf("left behind: %v", got)
	}
}

// A run that is killed while it makes the target, or around that, is gone on
// with by the next one, which takes away what the others left.
func TestMakingTheTargetSurvivesKills(t *testing.T) {
	s := planned(t)
	begun := time.Now()
	if r := stopped(t, giveUp, syscall.SIGKILL, "apply", s.plan); r.code != exitDone {
		t.Fatalf("the undisturbed run: exit code %d, stderr %q", r.code, r.err)
	}
	whole := time.Since(begun)
	want := s.listing(t)
	random := rand.New(rand.NewPCG(5, 6))
	for round := range 5 {
		s.startOver(t)
		for range 6 {
			stopped(t, time.Duration(random.Int64N(int64(whole))), syscall.SIGKILL, "apply", s.plan)
		}
		must(t, exitDone, "apply", s.plan)
		if got := s.listing(t); !maps.Equal(got, want) {
			t.Errorf("round %d: the store differs: %s", round, firstDifference(got, want))
		}
		must(t, exitDone, "check", s.plan, "--all")
	}
	for _, name := range holds(t, s.folder) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("left behind: %s", name)
		}
	}
}

// A key without its store is what a run leaves that was killed between the
// two: it is used. A store that is there already is not touched.
func TestBetweenKeyAndStore(t *testing.T) {
	s := moved(t)
	key, err := os.ReadFile(s.path("cloud.db.key"))
	if err != nil {
		t.Fatal(err)
	}
	s.startOver(t)
	s.write(t, "cloud.db.key", string(key))
	s.write(t, ".cloud.db.new-1", "half a store")
	s.write(t, ".cloud.db.key.new-1", "half a key")
	must(t, exitDone, "apply", s.plan)
	if again, err := os.ReadFile(s.path("cloud.db.key")); string(again) != string(key) {
		t.Errorf("the key is another one, %v", err)
	}
	for _, name := range []string{".cloud.db.new-1", ".cloud.db.key.new-1"} {
		if _, err := os.Lstat(s.path(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there still", name)
		}
	}
}

// Ctrl-C ends plan and apply with 130 and a sentence; of a plan nothing
// stays, and apply goes on where it was.
func TestInterrupt(t *testing.T) {
	s := generated(t, killUsers)
	out := t.TempDir()
	for _, after := range []int{20, 60, 100, 150} {
		r := stopped(t, time.Duration(after)*time.Millisecond, syscall.SIGINT, "plan", s.path("export"), "--to", s.store,
			"-o", filepath.Join(out, "a.plan"), "--create-users", "--default-country", "US")
		if r.killed { // it had not yet asked for signals
			continue
		}
		if r.code == exitDone {
			break
		}
		if r.code != exitInterrupted || !strings.Contains(r.err, "mfabridge: error: interrupted\n") {
			t.Errorf("plan after %d ms: exit code %d, stderr %q", after, r.code, r.err)
		}
		if left := slices.Concat(holds(t, out), holds(t, r.temp)); len(left) > 0 {
			t.Errorf("plan after %d ms left %v", after, left)
		}
	}
	for _, after := range []int{40, 80, 120, 160, 60_000} {
		r := stopped(t, time.Duration(after)*time.Millisecond, syscall.SIGINT, "apply", s.plan)
		if r.killed {
			continue
		}
		if r.code == exitDone {
			break
		}
		if r.code != exitInterrupted || !strings.Contains(r.err, "mfabridge: error: interrupted\n") {
			t.Errorf("apply after %d ms: exit code %d, stderr %q", after, r.code, r.err)
		}
	}
	must(t, exitDone, "check", s.plan, "--all")
}

// limited runs the program where files cannot grow beyond some KiB.
func limited(t *testing.T, kib string, args ...string) ran {
	t.Helper()
	r := ran{temp: t.TempDir()}
	cmd := exec.CommandContext(t.Context(), "sh", slices.Concat([]string{"-c", `ulimit -f "$0"; exec "$@"`, kib, os.Args[0]}, args)...)
	cmd.Env = append(os.Environ(), runMain+"=1", "TMPDIR="+r.temp)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	r.code, r.out, r.err = cmd.ProcessState.ExitCode(), out.String(), errs.String()
	return r
}

// On a full disk a command fails with advice and leaves nothing half-written.
func TestFullDisk(t *testing.T) {
	s := generated(t, 2000)
	before := holds(t, s.folder)
	for _, test := range []struct {
		kib  string
		args []string
	}{
		{"8", []string{"plan", s.path("export"), "--to", s.store, "-o", s.path("b.plan"), "--create-users"}},
		{"400", []string{"plan", s.path("export"), "--to", s.store, "-o", s.path("b.plan"), "--create-users"}},
		{"8", []string{"engine", "init", "--store", "sqlite:" + s.path("new.db")}},
		{"1", []string{"apply", s.plan}},
	} {
		r := limited(t, test.kib, test.args...)
		if r.code != exitFailed && r.code != exitUnavailable || !strings.Contains(r.err, "mfabridge: hint: ") {
			t.Errorf("%s KiB for %s: exit code %d, stderr %q", test.kib, test.args[0], r.code, r.err)
		}
		if got := holds(t, s.folder); !slices.Equal(got, before) {
			t.Errorf("%s KiB for %s left %v", test.kib, test.args[0], got)
		}
		if left := holds(t, r.temp); len(left) > 0 {
			t.Errorf("%s KiB for %s left %v among the temporary files", test.kib, test.args[0], left)
		}
	}
}

// A report that does not fit is told of by the name that was asked for.
func TestReportOnAFullDisk(t *testing.T) {
	s := generated(t, 2000)
	before := holds(t, s.folder)
	for _, args := range [][]string{
		{"inspect", s.path("export"), "--format", "html", "--out"},
		{"show", s.plan, "--format", "json", "--out"},
	} {
		r := limited(t, "8", append(args, s.path("report.out"))...)
		if r.code != exitFailed || !strings.Contains(r.err, "error: "+s.path("report.out")+" cannot be written: file too large") || !strings.Contains(r.err, "hint: make room") ||
			strings.Contains(r.err, ".report.out") {
			t.Errorf("%s: exit code %d, stderr %q", args[0], r.code, r.err)
		}
		if got := holds(t, s.folder); !slices.Equal(got, before) {
			t.Errorf("%s left %v", args[0], got)
		}
	}
}

// Who reads the output may go, as head does: the command ends in order,
// without a word, and leaves no temporary file.
func TestReaderGoes(t *testing.T) {
	s := generated(t, 2000)
	for _, args := range [][]string{
		{"show", s.plan}, {"show", s.plan, "--format", "json"},
		{"inspect", s.path("export")}, {"inspect", s.path("export"), "--format", "json"}, {"apply", "--help"},
	} {
		r, code := readNothing(t, args)
		if code != exitFailed || strings.Contains(r.err, "error") {
			t.Errorf("%v: exit code %d, stderr %q", args, code, r.err)
		}
		if left := holds(t, r.temp); len(left) > 0 {
			t.Errorf("%v left %v", args, left)
		}
	}
	r, code := readNothing(t, []string{"apply", s.plan, "--format", "json"})
	if code != exitPartly || !strings.Contains(r.err, "stopped, because nobody reads the output") {
		t.Errorf("apply: exit code %d, stderr %q", code, r.err)
	}
	must(t, exitDone, "apply", s.plan)
	must(t, exitDone, "check", s.plan, "--all")
}

// readNothing runs the program with a standard output that nobody reads.
func readNothing(t *testing.T, args []string) (ran, int) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	r := ran{temp: t.TempDir()}
	cmd := child(t.Context(), args...)
	cmd.Env = append(cmd.Env, "TMPDIR="+r.temp)
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = writer, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	r.err = errs.String()
	return r, cmd.ProcessState.ExitCode()
}

// A result that cannot be written is no success, whichever command lost it.
func TestOutputLost(t *testing.T) {
	s := moved(t)
	for _, args := range [][]string{
		{"show", s.plan}, {"show", s.plan, "--format", "json"}, {"apply", s.plan}, {"check", s.plan},
		{"inspect", s.path("contoso")}, {"engine", "user", "list", "--store", s.store}, {"apply", "--help"},
		{"plan", s.path("contoso"), "--to", s.store, "-o", s.path("lost.plan")},
	} {
		var errs bytes.Buffer
		code := run(t.Context(), append([]string{"mfabridge"}, args...), streams{in: strings.NewReader(""), out: fullDevice{}, err: &errs})
		if code != exitFailed || !strings.Contains(errs.String(), "the output cannot be written: no space left on device") {
			t.Errorf("%v: exit code %d, stderr %q", args, code, errs.String())
		}
	}
}

type fullDevice struct{}

func (fullDevice) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
}

// The demo tells the whole story in under a minute, on a machine that does nothing
// else, and leaves nothing behind.
func TestDemo(t *testing.T) {
	r := stopped(t, giveUp, syscall.SIGKILL, "demo")
	if r.code != exitDone {
		t.Fatalf("exit code %d (killed: %v)\n%s%s", r.code, r.killed, r.out, r.err)
	}
	if r.cpu > time.Minute {
		t.Errorf("it takes %v of CPU", r.cpu)
	}
	if left := holds(t, r.temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, want := range []string{
		"$ mfabridge inspect contoso", "outlook of ", "TOKEN_CONFLICT", "devices with a usable code secret",
		"$ mfabridge plan contoso --to sqlite:cloud.db", "digest ", "$ mfabridge apply move.plan", "53 done, 0 failed",
		" a second", "checked 53 users:  = 53",
		"types the code of her migrated token\n  -> Access-Request  <- Access-Challenge",
		"with State  <- Access-Accept", "with State  <- Access-Reject",
		"the same code once more: a code works once", "a wrong code", "whose secret was carried over",
		"by whatsapp to +442079460103", "by sms to +1", "the operator's log says: wrong_password", "the operator's log says: used_code", "the operator's log says: wrong_code",
		"Grace's phone is an authenticator of grace@contoso.example", "  approved\n  -> Access-Request  <- Access-Accept", "report written to move.html",
		"$ mfabridge engine user import tenant.csv", "wave pilot: 5 done", "0 failed, of 48", "== That was all",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("the demo does not tell %q", want)
		}
	}
	if t.Failed() {
		t.Log(r.out)
	}
}
