package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

// Two shims of one cluster share an application of an engine elsewhere: a login
// that begins at one goes on at the other, whatever happens to the engine in
// between; and while it is slow or gone there is silence, never a verdict.
func TestTwoShimsAskOneEngine(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	peer.Path(t, "oathtool", "oathtool")
	m := moved(t)
	engine := serveStore(t, filepath.Dir(m.path("cloud.db")))
	engine.app(t, "cluster", "shim")
	secretFile := m.write(t, "vpn.secret", sharedSecret)
	m.write(t, "cluster.key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	config := strings.Replace(radclientYAML, "  store: sqlite:cloud.db\n",
		fmt.Sprintf("  {url: %q, client_id: cluster, client_secret: \"file:cluster.secret\", ca: engine.crt}\ncluster_keys: [\"file:cluster.key\"]\n", engine.api), 1)
	path := m.write(t, "shim.yaml", config)
	if r := must(t, exitDone, "shim", "check", "--config", path); !strings.Contains(r.out, "the engine lets this shim in") {
		t.Errorf("check says:\n%s", r.out)
	}
	one, two := startShim(t, path), startShim(t, path)

	name := fmt.Sprintf("User-Name = %q", fixtures.Ada)
	begin := func(shim shimProcess, password string) string {
		t.Helper()
		out := radclient(t, shim.address, secretFile, name, fmt.Sprintf("User-Password = %q", password))
		state := stateOf.FindStringSubmatch(out)
		if !strings.Contains(out, "Received Access-Challenge") || state == nil {
			t.Fatalf("not asked:\n%s", out)
		}
		return "State = " + state[1]
	}
	answer := func(shim shimProcess, state, code string) string {
		return radclient(t, shim.address, secretFile, name, fmt.Sprintf("User-Password = %q", code), state)
	}
	code := oathtool(t, fixtures.CanaryTokenBase32)
	if out := answer(two, begin(one, "first"), wrong(code)); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a wrong code through the other shim:\n%s", out)
	}

	state := begin(one, "second")
	address := strings.TrimPrefix(engine.api, "https://")
	engine.kill()
	if out := brief(t, two.address, secretFile, name, `User-Password = "third"`); strings.Contains(out, "Received") {
		t.Errorf("an engine that is gone:\n%s", out)
	}
	engine.start(t, address)
	if out := answer(two, state, code); !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("begun at one shim, answered at the other after a restart of the engine:\n%s", out)
	}
	if out := answer(one, begin(two, "fourth"), code); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("the same code again:\n%s", out)
	}

	if err := engine.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if out := brief(t, one.address, secretFile, name, `User-Password = "fifth"`); strings.Contains(out, "Received") {
		t.Errorf("an engine that does not answer:\n%s", out)
	}
	if err := engine.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	begin(one, "sixth")
	must(t, exitDone, "engine", "app", "remove", "cluster", "--store", m.store, "--reason", "test")
	if out := brief(t, one.address, secretFile, name, `User-Password = "seventh"`); strings.Contains(out, "Received") {
		t.Errorf("an engine that does not let the shim in:\n%s", out)
	}
	if r := must(t, exitFailed, "shim", "check", "--config", path); !strings.Contains(r.err, "engine.url: the engine does not let the application cluster in") {
		t.Errorf("check says:\n%s", r.err)
	}
	authority, err := os.ReadFile(m.path("engine.crt"))
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, "engine.crt", string(authority)+string(authority))
	if err := syscall.Kill(one.pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	awaitLog(t, one, "what engine.ca holds cannot be changed while the shim runs")
	if log := one.stop(); !strings.Contains(log, `"reason":"outage"`) || strings.Contains(log, code) {
		t.Errorf("the log is\n%s", log)
	}
}

// brief asks without much patience, once.
func brief(t *testing.T, address, secretFile string, attributes ...string) string {
	t.Helper()
	cmd := exec.Command(peer.Path(t, "radclient", "freeradius-utils"), "-x", "-t", "2", "-r", "1", "-S", secretFile, address, "auth")
	cmd.Stdin = strings.NewReader(strings.Join(append(attributes, "Message-Authenticator = 0x00"), ", ") + "\n")
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// A shim serves the engine that it asks, by one configuration file.
func TestShimServesItsEngine(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	m := moved(t)
	secretFile := m.write(t, "vpn.secret", sharedSecret)
	m.write(t, "engine.yaml", "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\"}\n")
	path := m.write(t, "shim.yaml", strings.Replace(radclientYAML, "store: sqlite:cloud.db", "config: engine.yaml", 1))
	must(t, exitDone, "shim", "check", "--config", path)
	shim := startShim(t, path)
	out := radclient(t, shim.address, secretFile, fmt.Sprintf("User-Name = %q", fixtures.Ada), `User-Password = "x"`)
	if !strings.Contains(out, "Received Access-Challenge") {
		t.Errorf("not asked:\n%s", out)
	}
	if log := shim.stop(); !strings.Contains(log, "engine is listening on http://127.0.0.1:") {
		t.Errorf("the log is\n%s", log)
	}
	if err := os.Remove(m.path("engine.yaml")); err != nil {
		t.Fatal(err)
	}
	if r := must(t, exitFailed, "shim", "check", "--config", path); !strings.Contains(r.err, "engine.config: ") || !strings.Contains(r.err, "hint: ") {
		t.Errorf("check says:\n%s", r.err)
	}
}

// check tries the listeners of the engine that a shim serves, as it does its own.
func TestShimCheckTriesTheListenersOfItsEngine(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	taken, err := net.Listen("tcp4", "127.0.0.1:"+peer.FreePort(t)) // nobody else has it when it is free again
	if err != nil {
		t.Fatal(err)
	}
	busy := taken.Addr().String()
	m.write(t, "engine.yaml", "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\"}\n  ops: {listen: \""+busy+"\"}\n")
	path := m.write(t, "shim.yaml", strings.Replace(radclientYAML, "store: sqlite:cloud.db", "config: engine.yaml", 1))
	if r := must(t, exitDone, "shim", "check", "--config", path); !strings.Contains(r.out, "and "+busy+" is in use, perhaps by the shim") {
		t.Errorf("a listener that is taken:\n%s", r.out)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	if r := must(t, exitDone, "shim", "check", "--config", path); !strings.Contains(r.out, "and the addresses are free") {
		t.Errorf("a listener that is free again:\n%s", r.out)
	}
	m.write(t, "engine.yaml", "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\"}\n  ops: {listen: \"192.0.2.1:9813\", tls: {cert: none.crt, key: none.key}}\n")
	if r := must(t, exitFailed, "shim", "check", "--config", path); !strings.Contains(r.err, "engine.config: listeners.ops: ") || !strings.Contains(r.err, "hint: another program has that address, or this machine has not") {
		t.Errorf("an address that this machine has not:\n%s", r.err)
	}
}

// A shim that serves its engine does for it what engine serve does: devices whose
// page is closed are woken, and the audit is signed. Its tests leave the
// listeners to it.
func TestShimDoesForItsEngineWhatEngineServeDoes(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	m.write(t, "engine.yaml", "store: sqlite:cloud.db\npush: {subject: \"mailto:it@contoso.example\"}\nlisteners:\n  api: {listen: \"127.0.0.1:"+peer.FreePort(t)+"\"}\n  pages: {listen: \"127.0.0.1:0\"}\n")
	path := m.write(t, "shim.yaml", strings.Replace(radclientYAML, "store: sqlite:cloud.db", "config: engine.yaml", 1))
	p := &program{streams: streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}, now: time.Now}
	parts, err := p.loadShim(t.Context(), path, "", p.shimEngine)
	if err != nil {
		t.Fatal(err)
	}
	e := parts.engine.(*servedEngine)
	if e.waker == nil || e.waker.stop == nil {
		t.Error("nobody sends to push services")
	}
	await(t, func() bool {
		all, err := e.Checkpoints(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(all) > 0
	}, func() string { return "the audit is never signed" })
	r := mfabridgeIn(t, "000000\n", "shim", "test", "--config", path, "--user", fixtures.Ada, "--client", "vpn")
	if !strings.Contains(r.out, "< Access-Challenge") {
		t.Errorf("shim test beside a shim that runs:\n%s%s", r.out, r.err)
	}
	must(t, exitDone, "shim", "selftest", "--config", path)
	if err := parts.Close(); err != nil {
		t.Error(err)
	}
}
