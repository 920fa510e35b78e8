package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// terminal makes a pseudo-terminal and collects what is shown on it.
func terminal(t *testing.T) (screen *os.File, shown func() string) {
	t.Helper()
	screen, _, shown = keyboard(t)
	return screen, shown
}

// keyboard is terminal with the other side, into which somebody types.
func keyboard(t *testing.T) (screen, keys *os.File, shown func() string) {
	t.Helper()
	var text bytes.Buffer
	screen, keys, reading := pseudoTerminal(t, &text)
	return screen, keys, func() string {
		t.Helper()
		_ = screen.Close()
		reading.Wait()
		return text.String()
	}
}

// pseudoTerminal makes a terminal of which all that is shown goes to w, until
// the last one who shows something on it has closed it.
func pseudoTerminal(t *testing.T, w io.Writer) (screen, keys *os.File, reading *sync.WaitGroup) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	reading = &sync.WaitGroup{}
	reading.Go(func() { _, _ = io.Copy(w, master) }) // ends with EIO when the last writer has gone
	return screen, master, reading
}

// On a terminal a run shows a bar with its rate, the time left and what has
// failed, and takes it away again; a run that goes on does not count what
// earlier ones have done for its rate.
func TestProgressOnATerminal(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	if r := mfabridge(t, "apply", m.plan, "--max-users", "1000"); r.code != exitNotNow {
		t.Fatalf("exit code %d: %s", r.code, r.err)
	}
	screen, shown := terminal(t)
	cmd := child(t.Context(), "apply", m.plan, "--rehearse-faults", "denied=10%,slow:20ms", "--rate", "500")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, screen
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != exitPartly {
		t.Fatalf("%v: %s", err, shown())
	}
	text := shown()
	if !regexp.MustCompile(`applying, [0-9]+ a second, [0-9ms]+ left, [0-9]+ failed +[0-9]+% \|█`).MatchString(text) {
		t.Errorf("no bar with rate, time and failures:\n%q", text)
	}
	for _, rate := range regexp.MustCompile(`([0-9]+) a second`).FindAllStringSubmatch(text, -1) {
		if len(rate[1]) > 3 { // 500 changes are fewer users
			t.Errorf("a rate of %s users a second", rate[1])
		}
	}
	if !strings.Contains(text, "hint: mend the cause") || strings.Contains(out.String(), "█") || !strings.Contains(out.String(), " failed, ") {
		t.Errorf("on the terminal:\n%q\nin the output:\n%s", text, out.String())
	}
	m.goesOnFrom(t)
}

// Where the rate has no room it is left out: a line that is too long would stay
// on the screen with each update.
func TestProgressOnANarrowTerminal(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	screen, shown := terminal(t)
	if err := unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 20, Col: 50}); err != nil {
		t.Fatal(err)
	}
	cmd := child(t.Context(), "apply", m.plan, "--rehearse-faults", "denied=10%,slow:20ms", "--rate", "500", "--max-users", "200")
	cmd.Stderr = screen
	err := cmd.Run()
	text := shown()
	if cmd.ProcessState.ExitCode() != exitNotNow {
		t.Fatalf("%v: %s", err, text)
	}
	lines := regexp.MustCompile(`applying[^\r]*`).FindAllString(text, -1)
	if len(lines) < 2 || !strings.Contains(text, " failed ") {
		t.Errorf("no bar:\n%q", text)
	}
	for _, line := range lines {
		line, _, _ = strings.Cut(line, "\x1b")
		if n := utf8.RuneCountInString(strings.TrimRight(line, " ")); n > 50 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

// goesOnFrom runs apply to its end where some changes were settled before.
func (m mixed) goesOnFrom(t *testing.T) {
	t.Helper()
	must(t, exitDone, "apply", m.plan)
	must(t, exitDone, "check", m.plan, "--all")
	if got := m.listing(t); !maps.Equal(got, m.want) {
		t.Errorf("the store differs: %s", firstDifference(got, m.want))
	}
}

// The first Ctrl-C waits for the batch that is being written, however long
// that takes; the second ends the process at once, and costs nothing.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt) // what is ignored here, as in a script's background, the process would ignore too
	defer signal.Stop(heard)
	m := mixedStore(t)
	m.reset(t)
	cmd := child(t.Context(), "apply", m.plan, "--format", "json", "--rehearse-faults", "slow@2:1h")
	reader, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for line := range follow(reader) {
		if strings.Contains(line, `"type":"batch"`) {
			break
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	sent := 0
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for running := true; running; {
		select {
		case <-ended:
			running = false
		case <-every.C:
			if sent++; sent > int(giveUp/(100*time.Millisecond)) {
				t.Fatal("the process does not end")
			}
			_ = cmd.Process.Signal(syscall.SIGINT)
		}
	}
	if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGINT || sent < 2 {
		t.Errorf("after %d signals: %v", sent, cmd.ProcessState)
	}
	m.goesOnFrom(t)
}

// asking starts a command that asks for a secret on a terminal, presses a key once
// it does, and returns its exit code, what it said, and whether the terminal shows
// again what is typed.
func asking(t *testing.T, press func(cmd *exec.Cmd, screen, keys *os.File), args ...string) (code int, text string, again bool) {
	t.Helper()
	screen, keys, shown := keyboard(t)
	echo := func() bool {
		state, err := unix.IoctlGetTermios(int(screen.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag&unix.ECHO != 0
	}
	if !echo() {
		t.Fatal("the terminal shows nothing to begin with")
	}
	cmd := child(t.Context(), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for asked := false; !asked; asked = !echo() {
		select {
		case <-ended:
			t.Fatalf("it ended by itself: %s", shown())
		case <-every.C:
		}
	}
	press(cmd, screen, keys)
	<-ended
	again = echo()
	return cmd.ProcessState.ExitCode(), shown(), again
}

// Ctrl-C where a secret is asked for ends the command, and the terminal shows
// again what is typed.
func TestInterruptWhereASecretIsAskedFor(t *testing.T) {
	code, text, again := asking(t, func(cmd *exec.Cmd, _, _ *os.File) { _ = cmd.Process.Signal(syscall.SIGINT) }, "oath", "code")
	if code != exitInterrupted || !strings.Contains(text, "error: interrupted") || !again {
		t.Errorf("exit code %d, typed text is shown: %v, said %q", code, again, text)
	}
}

// Ctrl-D says that nothing comes: the command says so and ends. Behind some text
// it ends that, as in any program that reads lines.
func TestEndOfInputWhereASecretIsAskedFor(t *testing.T) {
	typing := func(text string) func(*exec.Cmd, *os.File, *os.File) {
		return func(_ *exec.Cmd, _, keys *os.File) {
			if _, err := keys.WriteString(text); err != nil {
				t.Error(err)
			}
		}
	}
	code, text, again := asking(t, typing("\x04"), "oath", "code")
	if code != exitFailed || !strings.Contains(text, "nothing was typed") || !again {
		t.Errorf("exit code %d, typed text is shown: %v, said %q", code, again, text)
	}
	for _, typed := range []string{"GEZDGNBVGY3TQOJQ\x04\x04", "GEZDGNBVGY3TQOJQX\b\n"} {
		code, text, again = asking(t, typing(typed), "oath", "code", "--counter", "1")
		if code != exitDone || !regexp.MustCompile(`(?m)^\d{6}\r?$`).MatchString(text) || strings.Contains(text, "GEZD") || !again {
			t.Errorf("%q: exit code %d, typed text is shown: %v, said %q", typed, code, again, text)
		}
	}
}

// A terminal that can do no more than write lines, as that of an editor, gets no
// escape sequences: neither colours nor a bar.
func TestDumbTerminal(t *testing.T) {
	s := planned(t)
	for kind, drawn := range map[string]bool{"xterm": true, "dumb": false} {
		screen, shown := terminal(t)
		cmd := child(t.Context(), "show", s.plan)
		cmd.Env = append(cmd.Env, "TERM="+kind)
		cmd.Stdout, cmd.Stderr = screen, screen
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		if text := shown(); strings.Contains(text, "\x1b") != drawn || !strings.Contains(text, "outlook") {
			t.Errorf("%s: %q", kind, text)
		}
	}
	screen, shown := terminal(t)
	cmd := child(t.Context(), "apply", s.plan)
	cmd.Env = append(cmd.Env, "TERM=dumb")
	cmd.Stdout, cmd.Stderr = screen, screen
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if text := shown(); strings.Contains(text, "\x1b") || !strings.Contains(text, " done, 0 failed") {
		t.Errorf("%q", text)
	}
}
