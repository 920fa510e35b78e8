package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/peer"
)

// apiCaller is somebody who calls the API of a served engine.
type apiCaller struct{ base, token string }

// calls asks for a token of an application of the store of a served engine.
func (s *served) calls(t testing.TB, name, role string) apiCaller {
	t.Helper()
	s.app(t, name, role)
	word, err := os.ReadFile(filepath.Join(s.dir, name+".secret"))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {name}, "client_secret": {strings.TrimSpace(string(word))}}
	answer, err := http.PostForm(s.api+"/oauth2/token", form)
	if err != nil {
		t.Fatal(err)
	}
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if err := errors.Join(json.NewDecoder(answer.Body).Decode(&granted), answer.Body.Close()); err != nil || granted.AccessToken == "" {
		t.Fatalf("no token: %s, %v", answer.Status, err)
	}
	return apiCaller{base: s.api, token: granted.AccessToken}
}

// post sends a JSON body and returns status and answer.
func (c apiCaller) post(t testing.TB, path, body string) (int, string) {
	t.Helper()
	return c.do(t, http.MethodPost, path, body)
}

func (c apiCaller) do(t testing.TB, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// serveConfigured serves the store of a story with an engine.yaml of one's own,
// over HTTP on the loopback.
func serveConfigured(t testing.TB, s story, yaml string) *served {
	t.Helper()
	path := s.write(t, "engine.yaml", "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\"}\n  ops: {listen: \"127.0.0.1:0\"}\n"+yaml)
	e := &served{dir: s.folder}
	e.cmd = child(context.WithoutCancel(t.Context()), "engine", "serve", "--config", path)
	e.begin(t)
	t.Cleanup(e.kill)
	return e
}

const enginePrimaries = `  pages: {listen: "127.0.0.1:0", trusted_proxies: ["127.0.0.1"]}
public_url: https://mfa.contoso.example
sign_in: %[5]s
primaries:
  corp: {type: ldap, urls: ["%[1]s"], ca: %[2]s, bind_dn: "%[3]s", bind_password: file:bind.secret, base_dn: "dc=corp,dc=example"}
  old: {type: radius, servers: [{address: "%[4]s", secret: "file:old.secret", message_authenticator: observe}]}
usernames: {domains: {CORP: corp.example}}
`

// The engine asks OpenLDAP and FreeRADIUS for passwords, as engine.yaml says,
// and finds its user by what they answer.
func TestEngineAsksPrimaries(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	slapd := ldaptest.Start(t, ldaptest.Options{LDIF: directoryEntry("ada", fixtures.Ada, "") + directoryEntry("mallory", fixtures.Grace, "S-1-5-21-66-66-66-1")})
	s.write(t, "bind.secret", ldaptest.RootPassword)
	s.write(t, "old.secret", "a secret of the home server")
	home := peer.HomeServer(t, "a secret of the home server", fmt.Sprintf("%s Cleartext-Password := \"pa55 of the home\"\n", fixtures.Ada))
	awaitStatus(t, home, s.write(t, "home.secret", "a secret of the home server"))
	config := func(signIn string) string {
		return fmt.Sprintf(enginePrimaries, slapd.LDAPS, slapd.CAFile, ldaptest.Root, home, signIn)
	}
	e := serveConfigured(t, s, config("corp"))
	vpn := e.calls(t, "vpn", "shim")
	says := func(primary, user, password string) string {
		t.Helper()
		body, err := json.Marshal(map[string]any{"user": user, "password": password, "primary": primary, "client": map[string]string{"app": "vpn", "station": user + primary}})
		if err != nil {
			t.Fatal(err)
		}
		_, answer := vpn.post(t, "/verify/v1/passwords", string(body))
		return answer
	}
	for name, c := range map[string]struct{ primary, user, password, want string }{
		"by its account there":      {"", `CORP\ada`, "correct horse", `"upn":"` + fixtures.Ada + `"`},
		"by name":                   {"corp", fixtures.Ada, "correct horse", `"upn":"` + fixtures.Ada + `"`},
		"by RADIUS":                 {"old", fixtures.Ada, "pa55 of the home", `"upn":"` + fixtures.Ada + `"`},
		"RADIUS, wrong":             {"old", fixtures.Ada, "correct horse", "wrong_password"},
		"LDAP, wrong":               {"corp", fixtures.Ada, "pa55 of the home", "wrong_password"},
		"another one's name by SID": {"", `CORP\mallory`, "correct horse", "wrong_password"},
		"nobody":                    {"", `CORP\nobody`, "correct horse", "wrong_password"},
		"the engine keeps none":     {"engine", fixtures.Ada, "correct horse", "wrong_password"},
		"an unknown primary":        {"nothing", fixtures.Ada, "correct horse", `"code":"invalid"`},
	} {
		if got := says(c.primary, c.user, c.password); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}

	// SIGHUP changes who is asked, and keeps what is the same.
	s.write(t, "engine.yaml", strings.Replace("store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\"}\n  ops: {listen: \"127.0.0.1:0\"}\n"+config("old"), "CORP: corp", "KORP: corp", 1))
	if err := e.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	e.wait(t, "were read again")
	if got := says("", fixtures.Ada, "pa55 of the home"); !strings.Contains(got, `"ok":true`) {
		t.Errorf("after SIGHUP by RADIUS: %s", got)
	}
	if got := says("corp", `CORP\ada`, "correct horse"); !strings.Contains(got, "wrong_password") {
		t.Errorf("after SIGHUP by a domain that is gone: %s", got)
	}
	if got := says("corp", `KORP\ada`, "correct horse"); !strings.Contains(got, `"ok":true`) {
		t.Errorf("after SIGHUP by a domain that is new: %s", got)
	}

	// What a directory refuses is not taken.
	s.write(t, "bind.secret", "not the password of anybody")
	if err := e.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if line := e.wait(t, "were not read again"); !strings.Contains(line, "check bind_dn and bind_password") || strings.Contains(line, "not the password") {
		t.Errorf("the log says %s", line)
	}
	if got := says("corp", `KORP\ada`, "correct horse"); !strings.Contains(got, `"ok":true`) {
		t.Errorf("after a SIGHUP that was refused: %s", got)
	}
}

// On the public listener behind a proxy limits count by whom the proxy names.
func TestLimitsBehindAProxy(t *testing.T) {
	s := moved(t)
	must(t, exitDone, "engine", "user", "invite", fixtures.Ada, "--store", s.store, "--reason", "test")
	e := serveConfigured(t, s, "  pages: {listen: \"127.0.0.1:0\", trusted_proxies: [\"127.0.0.1\"]}\npublic_url: https://mfa.contoso.example\n")
	guess := func(from string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.pages+"/authenticator/v1/pass", strings.NewReader(`{"user":"`+fixtures.Ada+`","pass":"aaaa-aaaa-aaaa"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", "198.51.100.9, "+from)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("a guess: %s", answer.Status)
		}
	}
	guess("192.0.2.7")
	guess("192.0.2.8")
	audit := must(t, exitDone, "engine", "audit", "export", "--store", s.store).out
	for _, want := range []string{"192.0.2.7", "192.0.2.8"} {
		if !strings.Contains(audit, want) {
			t.Errorf("the audit does not name %s", want)
		}
	}
	if strings.Contains(audit, "198.51.100.9") || strings.Contains(audit, "127.0.0.1") {
		t.Error("the audit names the proxy, or what anybody may write")
	}
}
