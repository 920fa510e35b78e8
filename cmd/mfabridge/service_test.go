package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/internal/peer"
	"mfabridge/shim"
	"mfabridge/shim/config"
)

// told is the program as a service, and the manager that hears of it.
type told struct {
	t       *testing.T
	cmd     *exec.Cmd
	manager *net.UnixConn
}

// service starts the program for a manager.
func service(t *testing.T, args ...string) *told {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 2*giveUp)
	cmd := child(ctx, args...)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=200000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it has ended, or the test has failed
	})
	return &told{t: t, cmd: cmd, manager: manager}
}

// hear waits until it is told that.
func (s *told) hear(want string) {
	s.t.Helper()
	if err := s.manager.SetReadDeadline(time.Now().Add(giveUp)); err != nil {
		s.t.Fatal(err)
	}
	for b := make([]byte, 4096); ; {
		n, err := s.manager.Read(b)
		if err != nil {
			s.t.Fatalf("%q is never said: %v", want, err)
		}
		if strings.Contains(string(b[:n]), want) {
			return
		}
	}
}

func (s *told) signal(what os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(what); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the end.
func (s *told) ends(code int) {
	s.t.Helper()
	if _ = s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != code {
		s.t.Errorf("it ended with %v, want exit code %d", s.cmd.ProcessState, code)
	}
}

// TestServiceManagerIsTold: a shim that runs as a service says when it is
// ready, that it lives, that it takes a new configuration and that it stops.
func TestServiceManagerIsTold(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	path := m.write(t, "shim.yaml", radclientYAML)
	s := service(t, "shim", "serve", "--config", path)
	s.hear("READY=1\nSTATUS=listening on 127.0.0.1:")
	s.hear("WATCHDOG=1")
	s.hear("WATCHDOG=1")
	m.write(t, "shim.yaml", strings.Replace(radclientYAML, "name: vpn", "name: gate", 1))
	s.signal(syscall.SIGHUP)
	s.hear("RELOADING=1\nMONOTONIC_USEC=")
	s.hear("READY=1\nSTATUS=configuration swapped")
	m.write(t, "shim.yaml", "colour: blue\n")
	s.signal(syscall.SIGHUP)
	s.hear("RELOADING=1")
	s.hear("READY=1\nSTATUS=a new configuration is refused; the one before it goes on (the journal says why)")
	s.signal(syscall.SIGTERM)
	s.hear("STOPPING=1")
	s.hear("STATUS=stopped")
	s.ends(exitDone)
}

// An engine says the same of itself.
func TestServiceManagerIsToldOfEngines(t *testing.T) {
	m := moved(t)
	const text = "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\"}\n"
	path := m.write(t, "engine.yaml", text)
	s := service(t, "engine", "serve", "--config", path)
	s.hear("READY=1\nSTATUS=listening on http://127.0.0.1:")
	s.hear("WATCHDOG=1")
	s.hear("WATCHDOG=1")
	s.signal(syscall.SIGHUP)
	s.hear("RELOADING=1\nMONOTONIC_USEC=")
	s.hear("READY=1\nSTATUS=configuration and certificates were read again")
	m.write(t, "engine.yaml", text+"colour: blue\n")
	s.signal(syscall.SIGHUP)
	s.hear("READY=1\nSTATUS=configuration and certificates were not read again; those before stay (the journal says why)")
	s.signal(syscall.SIGTERM)
	s.hear("STOPPING=1")
	s.hear("STATUS=stopped")
	s.ends(exitDone)
}

// TestServiceManagerIsToldWhy: why a service does not start is said where it is
// looked for, and only what somebody has to mend has the code that keeps a
// manager from trying again.
func TestServiceManagerIsToldWhy(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	m.write(t, "wrong.yaml", "colour: blue\n")
	m.write(t, "nostore.yaml", strings.Replace(radclientYAML, "cloud.db", "gone.db", 1))
	m.write(t, "noengine.yaml", "store: sqlite:gone.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\"}\n")
	for _, c := range []struct {
		kind, file, says string
		code             int
	}{
		{"shim", "wrong.yaml", "STATUS=the configuration cannot be used: the journal says why", exitUsage},
		{"engine", "wrong.yaml", "STATUS=the configuration cannot be used: the journal says why", exitUsage},
		{"shim", "missing.yaml", "STATUS=the configuration", exitUsage},
		{"shim", "nostore.yaml", "make one with: mfabridge engine init", exitFailed},
		{"engine", "noengine.yaml", "make one with: mfabridge engine init", exitFailed},
	} {
		s := service(t, c.kind, "serve", "--config", m.path(c.file))
		s.hear(c.says)
		s.ends(c.code)
	}
	must(t, exitFailed, "shim", "check", "--config", m.path("wrong.yaml"))
}

// To close the port for those who watch is no error, whenever it is.
func TestClosingTheOpsPort(t *testing.T) {
	p := &program{now: time.Now}
	conf := &config.Config{Ops: "127.0.0.1:0", Data: t.TempDir()}
	for range 200 {
		ops, err := p.openOps(conf, &shimParts{log: slog.New(slog.DiscardHandler)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- ops.serve() }()
		runtime.Gosched()
		if err := ops.close(); err != nil {
			t.Fatal(err)
		}
		if err := <-served; !errors.Is(err, shim.ErrServerClosed) {
			t.Fatal(err)
		}
	}
}

// Who connects to the port for those who watch, and stays, does not take all files
// of the shim.
func TestOpsPortIsBounded(t *testing.T) {
	said := new(record)
	p := &program{now: time.Now}
	conf := &config.Config{Ops: "127.0.0.1:0", Data: t.TempDir()}
	ops, err := p.openOps(conf, &shimParts{log: slog.New(slog.NewTextHandler(said, nil))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- ops.serve() }()
	ask := func() net.Conn {
		c, err := net.Dial("tcp", ops.address.String())
		if err == nil {
			_, err = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: shim\r\n\r\n")
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	answered := func(c net.Conn) {
		t.Helper()
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "HTTP/1.1 200 OK\r\n" {
			t.Errorf("answered %q, %v", line, err)
		}
	}
	var all []net.Conn
	for range connectionsOf(conf, opsConnections) {
		c := ask()
		answered(c)
		all = append(all, c)
	}
	late := ask()
	const full = "all connections that a listener may have are taken"
	await(t, func() bool { return strings.Contains(said.String(), full) }, said.String)
	_ = all[0].Close() // makes room
	answered(late)
	if err := ops.close(); err != nil {
		t.Error(err)
	}
	<-served
	for _, c := range append(all, late) {
		_ = c.Close()
	}
}

// journald is told how bad each line is, and nobody else.
func TestJournalHearsLevels(t *testing.T) {
	m := moved(t)
	m.write(t, "wrong.yaml", "colour: blue\n")
	run := func(stream func(os.FileInfo) string) string {
		t.Helper()
		f, err := os.Create(m.path("journal"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		cmd := child(t.Context(), "shim", "serve", "--config", m.path("wrong.yaml"))
		cmd.Stderr, cmd.Env = f, append(cmd.Env, "JOURNAL_STREAM="+stream(info))
		_ = cmd.Run() // it fails: that is what is looked at
		b, err := os.ReadFile(m.path("journal"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	own := func(info os.FileInfo) string {
		stat := info.Sys().(*syscall.Stat_t)
		return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
	}
	if got := run(own); !strings.HasPrefix(got, "<3>mfabridge: error: ") || !strings.Contains(got, "\n<3>mfabridge: hint: ") {
		t.Errorf("the journal hears:\n%s", got)
	}
	if got := run(func(os.FileInfo) string { return "8:1" }); !strings.HasPrefix(got, "mfabridge: error: ") {
		t.Errorf("a file hears:\n%s", got)
	}
}

// The level of a line is that of the log, of what commands say, or of the line
// before it.
func TestLevelsOfLines(t *testing.T) {
	for in, want := range map[string]string{
		`{"time":"2026-11-22T12:00:00.000000001Z","level":"INFO","msg":"x"}` + "\n":  "<6>",
		`{"time":"2026-11-22T12:00:00.000000001Z","level":"WARN","msg":"x"}` + "\n":  "<4>",
		`{"time":"2026-11-22T12:00:00.000000001Z","level":"ERROR","msg":"x"}` + "\n": "<3>",
		`{"time":"2026-11-22T12:00:00.000000001Z","level":"DEBUG","msg":"x"}` + "\n": "<7>",
		`{"msg":"what a user types is in quotes: \"level\":\"ERROR\""}` + "\n":       "<6>",
		"mfabridge: warning: a\n": "<4>", "mfabridge: error: a\n": "<3>", "mfabridge: hint: a\n": "<3>", "mfabridge: engine is listening\n": "<6>", "other\n": "<6>",
	} {
		var out strings.Builder
		if n, err := (levels{&out}).Write([]byte(in)); n != len(in) || err != nil || out.String() != want+in {
			t.Errorf("%q: %q, %d, %v", in, out.String(), n, err)
		}
	}
	var out strings.Builder
	_, _ = (levels{&out}).Write([]byte("mfabridge: error: a\nb\n{}\n"))
	if got := out.String(); got != "<3>mfabridge: error: a\n<3>b\n<6>{}\n" {
		t.Errorf("several lines: %q", got)
	}
}

// TestUnitsAreGood: systemd finds nothing wrong with the units, and they take
// away nearly all that there is to take.
func TestUnitsAreGood(t *testing.T) {
	for _, name := range []string{"mfabridge-shim.service", "mfabridge-engine.service"} {
		t.Run(name, func(t *testing.T) { unitIsGood(t, name) })
	}
}

func unitIsGood(t *testing.T, name string) {
	analyze := peer.Path(t, "systemd-analyze", "systemd")
	text, err := os.ReadFile("../../packaging/" + name)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(text string) string {
		t.Helper()
		unit := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
		var own []string // what it says of this unit, not of those of the machine
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "mfabridge") {
				own = append(own, line)
			}
		}
		if err != nil && len(own) == 0 {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.Join(own, "")
	}
	unit := strings.ReplaceAll(string(text), "/usr/local/bin/mfabridge", self)
	if got := verify(unit); got != "" {
		t.Errorf("systemd says\n%s", got)
	}
	if got := verify(strings.Replace(unit, "WatchdogSec=30", "WatchdogSec=soon", 1)); !strings.Contains(got, "soon") {
		t.Errorf("a unit with a mistake: %q", got)
	}
	// Twenty is two points of ten; without filters either is at three.
	open := func(text string) bool {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(analyze, "security", "--offline=yes", "--threshold=20", path).Run() != nil
	}
	if open(unit) {
		t.Error("the unit leaves more open than it needs")
	}
	if !open(strings.ReplaceAll(unit, "SystemCallFilter=", "#")) {
		t.Error("a unit without filters passes, too")
	}
}
