package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/peer"
)

// desk is a user who was moved, with an engine that serves authenticators and a
// shim that asks them, each a process of its own.
type desk struct {
	story
	engine  *served
	shim    string // address
	secret  string // file
	reasons func() string
}

func newDesk(t *testing.T, number string) desk {
	t.Helper()
	peer.Path(t, "radclient", "freeradius-utils")
	peer.Path(t, "oathtool", "oathtool")
	s := moved(t)
	slapd := ldaptest.Start(t, ldaptest.Options{LDIF: directoryEntry("grace", fixtures.Grace, "")})
	s.write(t, "bind.secret", ldaptest.RootPassword)
	s.write(t, "cluster.key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	d := desk{story: s, secret: s.write(t, "vpn.secret", sharedSecret), engine: serveStore(t, s.folder)}
	yaml := fmt.Sprintf(pushYAML, slapd.LDAPS, slapd.CAFile, ldaptest.Root)
	shim := startShim(t, s.write(t, "shim.yaml", strings.Replace(yaml, "push_wait: 3m", "push_wait: 3m"+number, 1)))
	d.shim, d.reasons = shim.address, shim.stop
	return d
}

// activate makes an authenticator of Grace, by her password and the code of
// the old app that was moved.
func (d desk) activate(t *testing.T, file, code string) {
	t.Helper()
	d.write(t, "grace.password", "correct horse battery")
	d.write(t, "grace.code", code)
	must(t, exitDone, "engine", "user", "password", fixtures.Grace, "--store", d.store, "--password", "file:"+d.path("grace.password"), "--reason", "test")
	r := must(t, exitDone, "authenticator", "activate", "--url", d.engine.pages, "--ca", d.path("engine.crt"), "--user", fixtures.Grace, "--name", "Terminal of Grace",
		"--password", "file:"+d.path("grace.password"), "--answer", "file:"+d.path("grace.code"), "--device", d.path(file))
	if info, err := os.Stat(d.path(file)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file of the authenticator: %v, %v", info, err)
	}
	if !strings.Contains(r.out, "authenticator of "+fixtures.Grace) {
		t.Errorf("activate says %s", r.out)
	}
}

// login sends one Access-Request of Grace.
func (d desk) login(t *testing.T, password, more string) chan string {
	t.Helper()
	answered := make(chan string, 1)
	ctx, cancel := context.WithTimeout(t.Context(), giveUp)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, peer.Path(t, "radclient", "freeradius-utils"), "-x", "-t", "240", "-r", "1", "-S", d.secret, d.shim, "auth")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("User-Name = \"grace\", User-Password = %q, Calling-Station-Id = \"198.51.100.7\", %sMessage-Authenticator = 0x00\n", password, more))
	go func() {
		out, _ := cmd.CombinedOutput()
		answered <- string(out)
	}()
	return answered
}

func (d desk) press(t *testing.T, code int, word, file string, more ...string) result {
	t.Helper()
	args := append([]string{"authenticator", word, "--device", d.path(file)}, more...)
	return must(t, code, args...)
}

// A user of the old app, from the export to a RADIUS login that a person
// approves in the terminal: planned, applied, invited, activated; approved,
// denied and reported; a code of the new app behind the password.
func TestAuthenticatorApprovesRADIUSLogins(t *testing.T) {
	d := newDesk(t, "")
	d.activate(t, "one.json", oathtool(t, fixtures.CanaryDeviceBase32))
	d.press(t, exitNotNow, "approve", "one.json")
	if r := must(t, exitDone, "check", d.plan); strings.Contains(r.out, "grace") {
		t.Errorf("the plan holds no more after an activation:\n%s", r.out)
	}

	held := d.login(t, "correct horse", "")
	if r := d.press(t, exitDone, "approve", "one.json", "--wait", "60s"); !strings.Contains(r.out, "grace@contoso.example signs in to vpn from 198.51.100.7") || !strings.Contains(r.out, "approved") {
		t.Errorf("approve says %s", r.out)
	}
	if out := <-held; !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("an approved login:\n%s", out)
	}
	held = d.login(t, "correct horse,push", "")
	d.press(t, exitDone, "deny", "one.json", "--wait", "60s")
	if out := <-held; !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a denied login:\n%s", out)
	}
	code := strings.TrimSpace(must(t, exitDone, "authenticator", "code", "--device", d.path("one.json")).out)
	if out := <-d.login(t, "correct horse,"+code, ""); !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("a code of the new app:\n%s", out)
	}
	held = d.login(t, "correct horse,PUSH", "")
	if r := d.press(t, exitDone, "deny", "one.json", "--fraud", "--wait", "60s"); !strings.Contains(r.out, "denied and reported") {
		t.Errorf("a report says %s", r.out)
	}
	if out := <-held; !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a reported login:\n%s", out)
	}
	if log := must(t, exitDone, "engine", "audit", "export", "--store", d.store).out; !strings.Contains(log, "user.fraud") || !strings.Contains(log, "device.activate") || strings.Contains(log, code) {
		t.Errorf("the audit:\n%s", log)
	}
	if log := d.reasons(); !strings.Contains(log, `"reason":"user_denied"`) {
		t.Errorf("the shim's log:\n%s", log)
	}
}

// The login shows a number, and only who sees it can approve; two devices, of
// which the first to answer decides.
func TestAuthenticatorMatchesNumbers(t *testing.T) {
	d := newDesk(t, ", push_number: true")
	d.activate(t, "one.json", oathtool(t, fixtures.CanaryDeviceBase32))
	must(t, exitDone, "engine", "user", "invite", fixtures.Grace, "--store", d.store, "--reason", "a second phone")
	code := strings.TrimSpace(must(t, exitDone, "authenticator", "code", "--device", d.path("one.json")).out)
	d.activate(t, "two.json", code)

	shown := <-d.login(t, "correct horse,push", "")
	number, state := shownNumber.FindStringSubmatch(shown), stateOf.FindStringSubmatch(shown)
	if number == nil || state == nil {
		t.Fatalf("no number is shown:\n%s", shown)
	}
	if r := d.press(t, exitUsage, "approve", "one.json"); !strings.Contains(r.err, "number") {
		t.Errorf("without a number: %s", r.err)
	}
	waits := d.login(t, "", "State = "+state[1]+", ")
	r := must(t, exitDone, "authenticator", "run", "--device", d.path("one.json"), "--device", d.path("two.json"), "--answer", "deny", "--count", "1")
	if !strings.Contains(r.out, "denied") {
		t.Errorf("run says %s %s", r.out, r.err)
	}
	if out := <-waits; !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("the device that was first:\n%s", out)
	}
	d.press(t, exitNotNow, "approve", "two.json", "--number", number[1])

	shown = <-d.login(t, "correct horse,PUSH", "")
	number, state = shownNumber.FindStringSubmatch(shown), stateOf.FindStringSubmatch(shown)
	if number == nil || state == nil {
		t.Fatalf("no number is shown:\n%s", shown)
	}
	waits = d.login(t, "", "State = "+state[1]+", ")
	var out bytes.Buffer
	person, typing := io.Pipe()
	go func() { _, _ = io.WriteString(typing, "7\n"+number[1]+"\n") }() // the first is no number of two digits
	ended := run(t.Context(), []string{"mfabridge", "authenticator", "run", "--device", d.path("two.json"), "--ca", d.path("engine.crt"), "--count", "1"},
		streams{in: person, out: &out, err: io.Discard})
	if ended != exitDone || !strings.Contains(out.String(), "approved") {
		t.Errorf("run ended with %d and says %s", ended, out.String())
	}
	if out := <-waits; !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("the number that was matched:\n%s", out)
	}
}

func TestAuthenticatorRefuses(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return dir + "/" + name }
	if err := os.WriteFile(path("open.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("bad.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		code int
		says string
		args []string
	}{
		"no file":             {exitFailed, "activate makes one", []string{"code", "--device", path("none.json")}},
		"a file for all":      {exitFailed, "open.json", []string{"code", "--device", path("open.json")}},
		"another file":        {exitFailed, "bad.json", []string{"code", "--device", path("bad.json")}},
		"no address":          {exitUsage, "--url", []string{"activate", "--user", "ada"}},
		"a clear address":     {exitFailed, "in the clear", []string{"activate", "--user", "ada", "--url", "http://engine.example", "--device", path("new.json")}},
		"a file that is":      {exitFailed, "does not exist yet", []string{"activate", "--user", "ada", "--url", "http://127.0.0.1:1", "--device", path("bad.json")}},
		"nobody there":        {exitUnavailable, "does not answer", []string{"activate", "--user", "ada", "--url", "http://127.0.0.1:1", "--device", path("new.json")}},
		"a word that is none": {exitUsage, "approve, deny or fraud", []string{"run", "--answer", "yes"}},
	} {
		r := mfabridgeIn(t, "abcd-efgh-jkmn\n", append([]string{"authenticator"}, c.args...)...)
		if r.code != c.code || !strings.Contains(r.err, c.says) {
			t.Errorf("%s: exit code %d, want %d: %s", name, r.code, c.code, r.err)
		}
	}
	if _, err := os.Stat(path("new.json")); err == nil {
		t.Error("a file is left of an activation that failed")
	}
}
