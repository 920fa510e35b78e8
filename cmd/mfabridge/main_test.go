package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// runMain makes the test binary behave as the program: a child process to be
// killed is started as exec.Command(os.Args[0]) with this variable set.
const runMain = "MFABRIDGE_TEST_RUN_MAIN"

// runEcho makes it an echo for benchmarks; the value is kind, port and path, see
// runEchoes.
const runEcho = "MFABRIDGE_TEST_RUN_ECHO"

// runBare makes it a bare HTTPS server with the certificate of that folder.
const runBare = "MFABRIDGE_TEST_RUN_BARE"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	if what := os.Getenv(runEcho); what != "" {
		fmt.Fprintln(os.Stderr, runEchoes(what))
		os.Exit(1)
	}
	if folder := os.Getenv(runBare); folder != "" {
		fmt.Fprintln(os.Stderr, bare(folder))
		os.Exit(1)
	}
	testscript.Main(m, map[string]func(){"mfabridge": main})
}

// giveUp is how long a test waits for what is sure to come, on a machine that is
// busy, too: it is there to end what hangs, and says nothing of how fast a thing
// has to be.
const giveUp = 5 * time.Minute

// await waits until something is so, and looks again and again.
func await(t testing.TB, is func() bool, orElse func() string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(giveUp); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal(orElse())
		}
	}
}

// child returns the program as a process of its own. A data race ends it at once:
// most of them are killed in the end, and nobody would hear of it.
func child(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), runMain+"=1", "TERM=xterm", "GORACE=halt_on_error=1 "+os.Getenv("GORACE"))
	return cmd
}

// result is what one run of the program left.
type result struct {
	code     int
	out, err string
}

// mfabridge runs the program within this process.
func mfabridge(t testing.TB, args ...string) result {
	t.Helper()
	return mfabridgeIn(t, "", args...)
}

func mfabridgeIn(t testing.TB, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), append([]string{"mfabridge"}, args...),
		streams{in: strings.NewReader(stdin), out: &out, err: &errs})
	return result{code: code, out: out.String(), err: errs.String()}
}

// must runs the program and fails the test unless it ends with code.
func must(t testing.TB, code int, args ...string) result {
	t.Helper()
	r := mfabridge(t, args...)
	if r.code != code {
		t.Fatalf("mfabridge %s: exit code %d, want %d\nstdout:\n%s\nstderr:\n%s",
			strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	return r
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Cmds:                scriptCommands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
