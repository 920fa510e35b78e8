package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

// awaitEvent looks into a shim's events until a line has a text.
func awaitEvent(t *testing.T, config, name, text string) string {
	t.Helper()
	var r result
	await(t, func() bool {
		r = mfabridge(t, "shim", "why", "--config", config, "--format", "json", name)
		return strings.Contains(r.out, text)
	}, func() string { return fmt.Sprintf("no event of %s with %q:\n%s%s", name, text, r.out, r.err) })
	return r.out
}

func TestConfigurationIsSwappedWholeOrNotAtAll(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	m := moved(t)
	secretFile := m.write(t, "vpn.secret", sharedSecret)
	path := m.write(t, "shim.yaml", radclientYAML)
	shim := startShim(t, path)
	ask := func(want string) {
		t.Helper()
		if out := radclient(t, shim.address, secretFile, fmt.Sprintf("User-Name = %q", fixtures.Ada), `User-Password = "x"`); !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	hup := func(yaml string) {
		t.Helper()
		m.write(t, "shim.yaml", yaml)
		if err := syscall.Kill(shim.pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	ask("Received Access-Challenge")

	other := strings.Replace(radclientYAML, "name: vpn", "name: gate", 1)
	other = strings.Replace(other, "primary_done_by_client: true", "primary_done_by_client: true, code_entry: only", 1)
	hup(other)
	awaitLog(t, shim, "configuration swapped")
	ask("Received Access-Reject") // the field is the code now
	awaitEvent(t, path, "gate", `"client":"gate"`)

	taken, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.LocalAddr().String()
	for yaml, why := range map[string]string{
		strings.Replace(other, "primary: none", "primary: nobody", 1):               "contradicts primary: nobody",
		strings.Replace(other, "data: .", "data: other", 1):                         "data cannot be changed while the shim runs",
		strings.Replace(other, "cloud.db", "other.db", 1):                           "engine.store cannot be changed while the shim runs",
		strings.Replace(other, `["127.0.0.1:0"]`, `["`+busy+`"]`, 1):                "address already in use",
		strings.Replace(other, "vpn.secret", "none.secret", 1) + "  colour: blue\n": "colour",
	} {
		hup(yaml)
		awaitLog(t, shim, why)
		ask("Received Access-Reject")
	}
	log := shim.stop()
	if !strings.Contains(log, "radius.clients.gate.code_entry: only (new)") || strings.Contains(log, sharedSecret) {
		t.Errorf("the log does not say what changed, or says too much:\n%s", log)
	}
	r := must(t, exitDone, "shim", "why", "--config", m.write(t, "shim.yaml", other), strings.ToUpper(fixtures.Ada))
	if !strings.Contains(r.out, "wrong_code: the code is wrong") || !strings.Contains(r.out, "challenge  user="+fixtures.Ada) {
		t.Errorf("why says\n%s", r.out)
	}
	must(t, exitFailed, "shim", "why", "--config", path, "nobody.at.all")
	must(t, exitUsage, "shim", "why", "--config", path, "--format", "xml", "x")
	if _, err := os.Stat(m.path("observe.json")); err != nil {
		t.Errorf("counts are not kept: %v", err)
	}
}

// awaitLog waits until the shim has logged a text.
func awaitLog(t *testing.T, s shimProcess, text string) {
	t.Helper()
	await(t, func() bool { return strings.Contains(s.log(), text) }, func() string { return fmt.Sprintf("the log never says %q:\n%s", text, s.log()) })
}

// TestPortsAndClusterKeysAreSwapped: a running shim moves to other ports and
// gets other cluster keys. A login that began before goes on as long as the old
// key opens.
func TestPortsAndClusterKeysAreSwapped(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	m := moved(t)
	secretFile := m.write(t, "vpn.secret", sharedSecret)
	m.write(t, "first.key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	m.write(t, "second.key", "MTEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	before, after, ops := "127.0.0.1:"+peer.FreePort(t), "127.0.0.1:"+peer.FreePort(t), "127.0.0.1:"+peer.FreePort(t)
	configure := func(listen, keys, more string) string {
		return m.write(t, "shim.yaml", strings.Replace(radclientYAML, "radius:\n  listen: [\"127.0.0.1:0\"]\n",
			fmt.Sprintf("cluster_keys: [%s]\n%sradius:\n  listen: [%q]\n", keys, more, listen), 1))
	}
	shim := startShim(t, configure(before, "file:first.key", ""))
	name := fmt.Sprintf("User-Name = %q", fixtures.Ada)
	begin := func(address string) string {
		t.Helper()
		out := radclient(t, address, secretFile, name, `User-Password = "x"`)
		state := stateOf.FindStringSubmatch(out)
		if state == nil {
			t.Fatalf("not asked at %s:\n%s", address, out)
		}
		return "State = " + state[1]
	}
	swaps := 0
	swap := func(listen, keys, more string) {
		t.Helper()
		configure(listen, keys, more)
		if err := syscall.Kill(shim.pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		swaps++
		awaitCount(t, shim, "configuration swapped", swaps)
	}
	refused := func(state, why string) {
		t.Helper()
		radclient(t, after, secretFile, name, `User-Password = "000000"`, state)
		awaitEvent(t, m.path("shim.yaml"), fixtures.Ada, why)
	}

	// The port that it has itself is no other program's.
	configure(strings.Replace(before, "127.0.0.1", "0.0.0.0", 1), "file:first.key", "")
	if err := syscall.Kill(shim.pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, shim, "this shim listens on "+before+" until all that is new is open")

	begun := begin(before)
	swap(after, "file:second.key, file:first.key", fmt.Sprintf("ops: %q\n", ops))
	refused(begun, `"reason":"wrong_code"`) // not a State that nobody opens
	awaitEnd(t, before)
	if r, err := http.Get("http://" + ops + "/readyz"); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("ops: %v, %v", r, err)
	}
	begun = begin(after)
	swap(after, "file:first.key", "")
	refused(begun, `"reason":"state_altered"`)
	if _, err := http.Get("http://" + ops + "/readyz"); err == nil {
		t.Error("ops is there though nobody names it")
	}
	swap(before, "file:first.key", "") // back again
	begin(before)
	if log := shim.stop(); !strings.Contains(log, "every login that was read is answered") {
		t.Errorf("the log is\n%s", log)
	}
}

// awaitEnd waits until a port is free.
func awaitEnd(t *testing.T, address string) {
	t.Helper()
	await(t, func() bool {
		pc, err := net.ListenPacket("udp4", address)
		return err == nil && pc.Close() == nil // it was only to see
	}, func() string { return address + " is never given back" })
}

// awaitCount waits until the shim has logged a text so many times.
func awaitCount(t *testing.T, s shimProcess, text string, n int) {
	t.Helper()
	await(t, func() bool { return strings.Count(s.log(), text) >= n }, func() string {
		return fmt.Sprintf("the log says %q fewer than %d times:\n%s", text, n, s.log())
	})
}
