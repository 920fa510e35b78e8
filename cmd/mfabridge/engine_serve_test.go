package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

// certify writes a certificate for 127.0.0.1 that signs itself.
func certify(t testing.TB, dir string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "engine test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "engine.crt"), filepath.Join(dir, "engine.key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: inner}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// served is an engine as a process of its own.
type served struct {
	dir, api, ops string
	pages         string
	cmd           *exec.Cmd
	lines         chan string
	line          string // that says where it listens
}

// serveEngine makes a store in a folder and serves it over TLS.
func serveEngine(t testing.TB, dir string) *served {
	t.Helper()
	must(t, exitDone, "engine", "init", "--store", "sqlite:"+filepath.Join(dir, "cloud.db"), "--domain", "contoso.example")
	return serveStore(t, dir)
}

// serveStore serves the store cloud.db of a folder over TLS.
func serveStore(t testing.TB, dir string) *served {
	t.Helper()
	certify(t, dir, 1)
	s := &served{dir: dir}
	s.start(t, "127.0.0.1:"+peer.FreePort(t)) // it may come back there
	t.Cleanup(s.kill)
	return s
}

// start begins the process, with its api listener at an address.
func (s *served) start(t testing.TB, address string) {
	t.Helper()
	config := "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"" + address + "\", tls: {cert: engine.crt, key: engine.key}}\n" +
		"  ops: {listen: \"127.0.0.1:0\"}\n  pages: {listen: \"127.0.0.1:" + peer.FreePort(t) + "\", tls: {cert: engine.crt, key: engine.key}}\n"
	if err := os.WriteFile(filepath.Join(s.dir, "engine.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = child(context.WithoutCancel(t.Context()), "engine", "serve", "--config", filepath.Join(s.dir, "engine.yaml"))
	s.begin(t)
}

// begin starts the process and waits until it listens.
func (s *served) begin(t testing.TB) {
	t.Helper()
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	s.lines = lines
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	line := s.wait(t, "engine is listening on")
	s.line = line
	s.api, s.ops = listening(t, line, "api"), listening(t, line, "ops")
	if strings.Contains(line, "(pages)") {
		s.pages = listening(t, line, "pages")
	}
}

// kill ends the process at once.
func (s *served) kill() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() }

func listening(t testing.TB, line, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(\S+) \(` + name + `\)`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("no %s in %q", name, line)
	}
	return m[1]
}

// wait reads what the process says until a line holds a text.
func (s *served) wait(t testing.TB, text string) string {
	t.Helper()
	var seen []string
	timeout := time.After(giveUp)
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				t.Fatalf("the engine ended without %q:\n%s", text, strings.Join(seen, "\n"))
			}
			if seen = append(seen, line); strings.Contains(line, text) {
				return line
			}
		case <-timeout:
			t.Fatalf("the engine did not say %q:\n%s", text, strings.Join(seen, "\n"))
		}
	}
}

// app registers an application; its secret is in a file.
func (s *served) app(t testing.TB, name, role string) []string {
	t.Helper()
	file := filepath.Join(s.dir, name+".secret")
	must(t, exitDone, "engine", "app", "add", name, "--role", role, "--for", "720h", "--secret-out", file, // a hurried clock goes far
		"--store", "sqlite:"+filepath.Join(s.dir, "cloud.db"), "--reason", "test")
	return []string{"--client-id", name, "--client-secret", "file:" + file, "--ca", filepath.Join(s.dir, "engine.crt")}
}

// contoso writes the sample with device secrets.
func contoso(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "contoso")
	if err := os.CopyFS(path, fixtures.ContosoSecrets()); err != nil {
		t.Fatal(err)
	}
	return path
}

// A plan is made for an engine elsewhere, applied and checked, and gives what
// the same plan gives on a store in process.
func TestPlanOverHTTPS(t *testing.T) {
	dir := t.TempDir()
	s := serveEngine(t, dir)
	access := s.app(t, "mover", "migrate")
	export, f := contoso(t, dir), filepath.Join(dir, "f.plan")
	with := func(words ...string) []string { return append(words, access...) }
	must(t, exitDone, with("preflight", "--to", s.api)...)
	must(t, exitDone, with("plan", export, "--to", s.api, "-o", f, "--create-users", "--default-country", "US")...)
	must(t, exitDone, with("apply", f)...)
	must(t, exitDone, with("check", f, "--all")...)

	other := filepath.Join(dir, "other.db")
	g := filepath.Join(dir, "g.plan")
	must(t, exitDone, "engine", "init", "--store", "sqlite:"+other, "--domain", "contoso.example")
	must(t, exitDone, "plan", export, "--to", "sqlite:"+other, "-o", g, "--create-users", "--default-country", "US")
	must(t, exitDone, "apply", g)
	remote := must(t, exitDone, "engine", "user", "list", "--store", "sqlite:"+filepath.Join(dir, "cloud.db")).out
	local := must(t, exitDone, "engine", "user", "list", "--store", "sqlite:"+other).out
	if remote != local || strings.Count(local, "\n") < 10 {
		t.Errorf("over HTTPS:\n%s\nin process:\n%s", remote, local)
	}
	must(t, exitDone, with("apply", f)...) // nothing is left to do
	must(t, exitDone, with("undo", f)...)
	if left := must(t, exitDone, "engine", "user", "list", "--store", "sqlite:"+filepath.Join(dir, "cloud.db")).out; strings.Contains(left, "@") {
		t.Errorf("after undo:\n%s", left)
	}
}

// An engine elsewhere is administered by the commands that administer a store,
// and says in its audit who asked, through which application, and why.
func TestAdministerOverHTTPS(t *testing.T) {
	dir := t.TempDir()
	s := serveEngine(t, dir)
	store := "sqlite:" + filepath.Join(dir, "cloud.db")
	admin, desk := s.app(t, "root", "admin"), s.app(t, "desk", "helpdesk")
	as := func(who []string, words ...string) []string {
		return append(append(append([]string{"engine"}, words...), "--store", s.api), who...)
	}
	far := func(who []string, words ...string) []string {
		return as(who, append(words, "--reason", "ticket 4711")...)
	}
	people := filepath.Join(dir, "people.csv")
	if err := os.WriteFile(people, []byte("UserPrincipalName,Roles\nboss@contoso.example,User Administrator\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, "engine", "user", "import", people, "--to", store, "--reason", "test")
	must(t, exitDone, far(admin, "user", "add", "ada@contoso.example", "--alias", "ada")...)
	must(t, exitDone, far(admin, "group", "add", "Pilots")...)
	must(t, exitDone, far(admin, "group", "join", "Pilots", "--user", "ada")...)
	must(t, exitDone, far(admin, "policy", "set", "hardwareOath", "--state", "enabled", "--include", "Pilots")...)
	must(t, exitDone, far(admin, "user", "disable", "ada")...)
	must(t, exitDone, far(admin, "user", "enable", "ada")...)
	must(t, exitDone, far(desk, "user", "block", "ada", "--for", "1h")...)
	must(t, exitDone, far(desk, "user", "unblock", "ada")...)
	must(t, exitDone, far(desk, "user", "invite", "ada")...)
	if r := must(t, exitDone, as(desk, "invite", "ada")...); !strings.Contains(r.out, "pending") {
		t.Errorf("the invitation over HTTPS: %s", r.out)
	}
	letters := filepath.Join(dir, "letters.csv")
	must(t, exitDone, append(far(desk, "invite", "ada", "--renew"), "--out", letters, "--url", "https://mfa.contoso.example")...)
	if text, err := os.ReadFile(letters); err != nil || !strings.Contains(string(text), "https://mfa.contoso.example/authenticator#user=ada%40contoso.example") {
		t.Errorf("the mail merge holds %s, %v", text, err)
	}
	if r := must(t, exitDone, far(desk, "invite", "ada", "--revoke")...); !strings.Contains(r.out, "none") {
		t.Errorf("a revoked invitation: %s", r.out)
	}
	must(t, exitDone, far(desk, "user", "pin", "ada", "--required", "yes", "--reset")...)
	must(t, exitDone, far(admin, "settings", "--pin-length", "6", "--may-select", "push")...)
	word := filepath.Join(dir, "new.secret")
	must(t, exitDone, far(admin, "app", "add", "vpn", "--role", "shim", "--secret-out", word)...)
	if text, err := os.ReadFile(word); err != nil || len(text) < 40 {
		t.Errorf("the secret's file has %d bytes, %v", len(text), err)
	}
	for _, words := range [][]string{{"user", "list"}, {"user", "show", "ada"}, {"group", "list"}, {"group", "members", "Pilots"}, {"policy", "show"}, {"app", "list"}, {"settings"}, {"invite", "ada"}} {
		here := must(t, exitDone, append(append([]string{"engine"}, words...), "--store", store)...)
		there := must(t, exitDone, as(admin, words...)...)
		if here.out != there.out || here.out == "" {
			t.Errorf("%v over HTTPS:\n%s\non the store:\n%s", words, there.out, here.out)
		}
	}
	must(t, exitDone, far(admin, "app", "remove", "vpn")...)

	for _, c := range []struct {
		words []string
		says  string
	}{
		{far(desk, "user", "block", "boss@contoso.example"), "administrative role"},
		{far(desk, "user", "invite", "boss@contoso.example"), "administrative role"},
		{far(desk, "settings", "--pin", "yes"), "role helpdesk may not do this"},
		{far(desk, "user", "pin", "boss@contoso.example", "--required", "no"), "administrative role"},
		{far(desk, "user", "enable", "ada"), "role helpdesk may not do this"},
		{far(desk, "app", "add", "mine", "--role", "admin", "--secret-out", filepath.Join(dir, "mine")), "role helpdesk may not do this"},
		{as(desk, "user", "list"), "role helpdesk may not do this"},
		{far(admin, "user", "block", "nobody"), "there is no user"},
		{far(admin, "group", "remove", "Pilots"), "the method policy names the group"},
	} {
		if r := must(t, exitFailed, c.words...); !strings.Contains(r.err, c.says) {
			t.Errorf("%v: %s", c.words, r.err)
		}
	}
	if r := must(t, exitPartly, far(desk, "invite", "boss@contoso.example", "--new")...); !strings.Contains(r.err, "administrative role") {
		t.Errorf("the invitation of an administrator: %s", r.err)
	}
	if _, err := os.Stat(filepath.Join(dir, "mine")); err == nil {
		t.Error("a secret's file is left of an application that was refused")
	}
	audit := must(t, exitDone, "engine", "audit", "export", "--store", store).out
	for _, want := range []string{"via root", "via desk", "ticket 4711"} {
		if !strings.Contains(audit, want) {
			t.Errorf("the audit does not say %q:\n%s", want, audit)
		}
	}
}

func TestWhoIsNotLetIn(t *testing.T) {
	dir := t.TempDir()
	s := serveEngine(t, dir)
	export, f := contoso(t, dir), filepath.Join(dir, "f.plan")
	mover, shim := s.app(t, "mover", "migrate"), s.app(t, "vpn", "shim")
	plan := []string{"plan", export, "--to", s.api, "-o", f, "--create-users"}
	for name, c := range map[string]struct {
		access []string
		code   int
		says   string
	}{
		"nobody":          {nil, exitUsage, "asks who calls"},
		"another role":    {shim, exitFailed, "role shim may not do this"},
		"no authority":    {mover[:4], exitUnavailable, "certificate"},
		"another secret":  {append([]string{"--client-id", "mover"}, shim[2:]...), exitFailed, "does not let the application mover in"},
		"an unknown name": {append([]string{"--client-id", "nobody"}, shim[2:]...), exitFailed, "does not let the application nobody in"},
	} {
		r := mfabridge(t, append(append([]string{}, plan...), c.access...)...)
		if r.code != c.code || !strings.Contains(r.err, c.says) || !strings.Contains(r.err, "hint: ") && c.code != exitUnavailable {
			t.Errorf("%s: exit code %d, %q", name, r.code, r.err)
		}
		if _, err := os.Stat(f); err == nil {
			t.Fatalf("%s: a plan was written", name)
		}
	}
	auditor := s.app(t, "board", "auditor")
	if r := mfabridge(t, append([]string{"preflight", "--to", s.api}, auditor...)...); r.code != exitGate || !strings.Contains(r.out, "blocker  permission.write: an application of role auditor") {
		t.Errorf("preflight of who only reads: exit code %d, %s%s", r.code, r.out, r.err)
	}
	if r := mfabridge(t, append([]string{"preflight", "--to", s.api}, mover...)...); r.code != exitDone || !strings.Contains(r.out, "passed   permission.write: ") {
		t.Errorf("preflight of who may write: exit code %d, %s%s", r.code, r.out, r.err)
	}
	if r := mfabridge(t, append([]string{"plan", export, "--to", s.api, "-o", f, "--create-users"}, auditor...)...); r.code != exitDone || !strings.Contains(r.err, "apply would fail: blocker  permission.write") {
		t.Errorf("a plan of who only reads: exit code %d, %s", r.code, r.err)
	}
	if r := mfabridge(t, append([]string{"apply", f}, auditor...)...); r.code != exitFailed || !strings.Contains(r.err, "hint: mfabridge preflight --to TARGET says") {
		t.Errorf("apply of who only reads: exit code %d, %s", r.code, r.err)
	}
	if r := mfabridge(t, "plan", export, "--to", "http://engine.contoso.example", "-o", f); r.code != exitUsage || !strings.Contains(r.err, "in the clear") {
		t.Errorf("http to elsewhere: %d, %s", r.code, r.err)
	}
	if r := mfabridge(t, "engine", "user", "list", "--store", s.api); r.code != exitUsage {
		t.Errorf("a store over HTTP: %d, %s", r.code, r.err)
	}
}

// The certificate changes while the engine runs, and the engine ends in order.
func TestServeReloadsAndDrains(t *testing.T) {
	dir := t.TempDir()
	s := serveEngine(t, dir)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	serial := func() string {
		t.Helper()
		r, err := client.Get(s.api + "/.well-known/oauth-authorization-server")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(text), s.api) {
			t.Errorf("discovery does not name the engine: %s", text)
		}
		return r.TLS.PeerCertificates[0].SerialNumber.String()
	}
	if got := serial(); got != "1" {
		t.Fatalf("certificate %s", got)
	}
	certify(t, dir, 2)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "certificates were read again")
	if got := serial(); got != "2" {
		t.Errorf("certificate %s after SIGHUP", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "engine.crt"), []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "were not read again")
	if got := serial(); got != "2" {
		t.Errorf("certificate %s after one that cannot be read", got)
	}
	yaml, err := os.ReadFile(filepath.Join(dir, "engine.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	again := func(text, says string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "engine.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.wait(t, says)
	}
	other := t.TempDir()
	certify(t, other, 3)
	moved := strings.ReplaceAll(strings.ReplaceAll(string(yaml), "engine.crt", filepath.Join(other, "engine.crt")), "engine.key", filepath.Join(other, "engine.key"))
	again(moved+"limits: {in_flight: 7}\n", "limits cannot change while the engine runs")
	again(moved+"channells: {}\n", "unknown key")
	if got := serial(); got != "2" {
		t.Errorf("certificate %s after a configuration that was refused", got)
	}
	again(moved+"tokens: {life: 1m}\n", "certificates were read again")
	if got := serial(); got != "3" {
		t.Errorf("certificate %s after one under another name", got)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		r, err := http.Get(s.ops + path)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %v", path, r, err)
		}
		r.Body.Close()
	}
	for _, want := range []string{`mfabridge_engine_certificate_end_seconds{listener="api"}`, "mfabridge_store_commits_total", "mfabridge_store_queue 0"} {
		await(t, func() bool { return strings.Contains(scrape(t, strings.TrimPrefix(s.ops, "http://")), want) }, // the queue holds something now and then
			func() string { return want + " is not among the metrics" })
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "every request that was read is answered")
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the engine ended with %v", err)
	}
}
