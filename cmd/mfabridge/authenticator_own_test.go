package main

import (
	"regexp"
	"strings"
	"testing"

	"mfabridge/fixtures"
)

// A RADIUS login that is approved with a PIN; its user looks at it afterwards and
// says that it was somebody else's.
func TestAuthenticatorWithAPINLooksAfterItself(t *testing.T) {
	d := newDesk(t, "")
	must(t, exitDone, "engine", "settings", "--store", d.store, "--pin", "yes", "--pin-length", "6", "--reason", "test")
	d.write(t, "grace.password", "correct horse battery")
	d.write(t, "grace.code", oathtool(t, fixtures.CanaryDeviceBase32))
	pin, wrong := "file:"+d.write(t, "pin", "273914\n"), "file:"+d.write(t, "wrong", "111112\n")
	must(t, exitDone, "engine", "user", "password", fixtures.Grace, "--store", d.store, "--password", "file:"+d.path("grace.password"), "--reason", "test")
	at := []string{"--device", d.path("one.json"), "--ca", d.path("engine.crt")}
	do := func(code int, words ...string) result {
		t.Helper()
		return must(t, code, append(append([]string{"authenticator"}, words...), at...)...)
	}
	// The engine asks for the PIN that nobody has given, and takes it at a prompt.
	r := mfabridgeIn(t, "273914\n", append([]string{"authenticator", "activate", "--url", d.engine.pages, "--user", fixtures.Grace,
		"--password", "file:" + d.path("grace.password"), "--answer", "file:" + d.path("grace.code")}, at...)...)
	if r.code != exitDone || !strings.Contains(r.err, "needs a PIN of at least 6 digits") {
		t.Fatalf("%d %s %s", r.code, r.out, r.err)
	}
	held := d.login(t, "correct horse,push", "")
	if r := do(exitFailed, "approve", "--wait", "60s", "--pin", wrong); !strings.Contains(r.err, "4 more can be tried") {
		t.Errorf("a wrong PIN: %s", r.err)
	}
	if r := do(exitDone, "approve", "--pin", pin); !strings.Contains(r.out, "approved") {
		t.Errorf("the PIN: %s %s", r.out, r.err)
	}
	if out := <-held; !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("the login:\n%s", out)
	}
	if r := do(exitFailed, "pin", "--pin", pin); !strings.Contains(r.err, "--old") {
		t.Errorf("another PIN without the old one: %s", r.err)
	}
	do(exitDone, "pin", "--pin", "file:"+d.write(t, "new", "518264\n"), "--old", pin)
	list := do(exitDone, "devices").out
	id := regexp.MustCompile(`(?m)^(\S+) +Terminal \(this\) .* yes$`).FindStringSubmatch(list)
	if id == nil {
		t.Fatalf("devices:\n%s", list)
	}
	do(exitDone, "rename", id[1], "Desk")
	if r := do(exitDone, "devices", "--format", "json"); !regexp.MustCompile(
		`^{"type":"authenticator","id":"` + id[1] + `","name":"Desk","this":true,"created":"[\dT:.-]+Z","last_used":"[\dT:.-]+Z","pin":true,"locked":false}\n$`).MatchString(r.out) {
		t.Errorf("devices: %s", r.out)
	}
	list = do(exitDone, "approvals").out
	login := regexp.MustCompile(`(?m)^(\S+) .* approved +Desk$`).FindStringSubmatch(list)
	if login == nil {
		t.Fatalf("approvals:\n%s", list)
	}
	if r := do(exitDone, "report", login[1]); !strings.Contains(r.out, "tell your helpdesk") {
		t.Errorf("report: %s", r.out)
	}
	if r := do(exitDone, "approvals", "--format", "json"); !regexp.MustCompile(
		`(?m)^{"type":"approval","id":"` + login[1] + `","at":"[\dT:.-]+Z","app":".+","from":".+","answer":"approved","reported":true,"by":"Desk"}$`).MatchString(r.out) {
		t.Errorf("approvals: %s", r.out)
	}
	do(exitUsage, "devices", "--format", "xml")
	if list := do(exitDone, "approvals").out; !strings.Contains(list, "approved, reported") {
		t.Errorf("approvals:\n%s", list)
	}
	// An invitation that is open lets somebody in, also beside an authenticator: it is seen and revoked.
	must(t, exitDone, "engine", "user", "invite", fixtures.Grace, "--store", d.store, "--reason", "second telephone")
	if r := must(t, exitDone, "engine", "invite", fixtures.Grace, "--store", d.store); !strings.Contains(r.out, " pending ") {
		t.Errorf("an invitation beside an authenticator: %s", r.out)
	}
	if r := must(t, exitDone, "engine", "invite", fixtures.Grace, "--store", d.store, "--revoke", "--reason", "not needed"); !regexp.MustCompile(` done +-\n`).MatchString(r.out) {
		t.Errorf("after it was revoked: %s", r.out)
	}
	if r := must(t, exitDone, "engine", "user", "show", fixtures.Grace, "--store", d.store); strings.Contains(r.out, "invited") {
		t.Errorf("it was not revoked: %s", r.out)
	}
	do(exitDone, "remove", id[1], "--lost")
	do(exitFailed, "devices")
	audit := must(t, exitDone, "engine", "audit", "export", "--store", d.store).out
	for _, want := range []string{"device.pin", "device.rename", "user.fraud", "after=approved", "device.lost"} {
		if !strings.Contains(audit, want) {
			t.Errorf("the audit has no %s", want)
		}
	}
	for _, never := range []string{"273914", "518264", "111112"} {
		if strings.Contains(audit, never) {
			t.Errorf("a PIN is in the audit")
		}
	}
}

// A person sees whether requests reach the terminal, and why not.
func TestAuthenticatorTest(t *testing.T) {
	d := newDesk(t, "")
	d.activate(t, "one.json", oathtool(t, fixtures.CanaryDeviceBase32))
	at := []string{"authenticator", "test", "--device", d.path("one.json")}
	if r := must(t, exitDone, at...); !regexp.MustCompile(`^a request reaches this authenticator, in \d+ ms\n$`).MatchString(r.out) {
		t.Errorf("%s%s", r.out, r.err)
	}
	ops := strings.TrimPrefix(d.engine.ops, "http://")
	await(t, func() bool { return strings.Contains(scrape(t, ops), `mfabridge_engine_in_flight{kind="streams"} 0`) },
		func() string { return "the stream of the first test never ends" })
	if r := must(t, exitDone, append(at, "--format", "json")...); !regexp.MustCompile(`^{"type":"test","arrived":true,"milliseconds":[\d.]+,"streams":1,"push_service":"none"}\n$`).MatchString(r.out) {
		t.Errorf("%s%s", r.out, r.err)
	}
	must(t, exitUsage, append(at, "--format", "csv")...)
	must(t, exitUsage, append(at, "--wait", "0s")...)
	for range 4 {
		must(t, exitDone, at...)
	}
	last, tests := mfabridge(t, at...), 7
	for ; last.code == exitDone && tests < 30; tests++ { // more than six only where the minute has ended meanwhile
		last = mfabridge(t, at...)
	}
	if last.code != exitUnavailable || !strings.Contains(last.err, "tested often enough") {
		t.Errorf("test %d: exit code %d, %s", tests, last.code, last.err)
	}
	id := regexp.MustCompile(`(?m)^(\S+) +Terminal of Grace \(this\)`).FindStringSubmatch(must(t, exitDone, "authenticator", "devices", "--device", d.path("one.json")).out)
	must(t, exitDone, "authenticator", "remove", id[1], "--lost", "--device", d.path("one.json"))
	must(t, exitFailed, at...)
	d.engine.kill()
	must(t, exitUnavailable, at...)
}
