package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/internal/peer"
)

// TestServiceManagerIsTold: a shim that runs as a service says when it is
// ready, that it lives, that it takes a new configuration and that it stops.
func TestServiceManagerIsTold(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	path := m.write(t, "shim.yaml", radclientYAML)
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := child(ctx, "shim", "serve", "--config", path)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=200000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			_ = cmd.Process.Kill() // the test has failed
			_ = cmd.Wait()
		}
	}()
	hear := func(want string) {
		t.Helper()
		if err := manager.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for b := make([]byte, 4096); ; {
			n, err := manager.Read(b)
			if err != nil {
				t.Fatalf("%q is never said: %v", want, err)
			}
			if strings.Contains(string(b[:n]), want) {
				return
			}
		}
	}
	signal := func(s os.Signal) {
		t.Helper()
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	hear("READY=1\nSTATUS=listening on 127.0.0.1:")
	hear("WATCHDOG=1")
	hear("WATCHDOG=1")
	m.write(t, "shim.yaml", strings.Replace(radclientYAML, "name: vpn", "name: gate", 1))
	signal(syscall.SIGHUP)
	hear("RELOADING=1")
	hear("READY=1\nSTATUS=configuration swapped")
	m.write(t, "shim.yaml", "colour: blue\n")
	signal(syscall.SIGHUP)
	hear("RELOADING=1")
	hear("READY=1\nSTATUS=a new configuration is refused")
	signal(syscall.SIGTERM)
	hear("STOPPING=1")
	ended = true
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestUnitIsGood: systemd finds nothing wrong with the unit, and it takes away
// nearly all that there is to take.
func TestUnitIsGood(t *testing.T) {
	analyze := peer.Path(t, "systemd-analyze", "systemd")
	text, err := os.ReadFile("../../packaging/mfabridge-shim.service")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(text string) string {
		t.Helper()
		unit := filepath.Join(t.TempDir(), "mfabridge-shim.service")
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
}
