package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"filippo.io/age"

	"mfabridge/fixtures"
)

const adaUPN = "ada@contoso.example"

// enrol makes a terminal an authenticator of a user, by a code of the helpdesk,
// and returns its id.
func (s *served) enrol(t *testing.T, user, file string) string {
	t.Helper()
	who, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	store, out := "sqlite:"+filepath.Join(s.dir, "cloud.db"), filepath.Join(s.dir, file)
	must(t, exitDone, "engine", "user", "activation", user, "--store", store, "--hand-out", out+".age", "--seal-to", who.Recipient().String(), "--reason", "test")
	sealed, err := os.ReadFile(out + ".age")
	if err != nil {
		t.Fatal(err)
	}
	open, err := age.Decrypt(bytes.NewReader(sealed), who)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(open)
	code := regexp.MustCompile(`(?m)^code  (\S+)$`).FindSubmatch(text)
	if err != nil || code == nil {
		t.Fatalf("%v: %s", err, text)
	}
	if err := os.WriteFile(out+".code", code[1], 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, "authenticator", "activate", "--url", s.pages, "--ca", filepath.Join(s.dir, "engine.crt"), "--user", user, "--name", "Phone of "+file,
		"--code", "file:"+out+".code", "--device", out)
	list := must(t, exitDone, "authenticator", "devices", "--device", out).out
	id := regexp.MustCompile(`(?m)^(\S+) +Phone of ` + file + ` \(this\)`).FindStringSubmatch(list)
	if id == nil {
		t.Fatal(list)
	}
	return id[1]
}

// A helpdesk, elsewhere and on the store, sees which telephone is which, removes
// the one that was stolen, and is told what to do next; nobody's is removed that
// is not meant.
func TestHelpdeskRemovesAnAuthenticator(t *testing.T) {
	s := serveEngine(t, t.TempDir())
	store := "sqlite:" + filepath.Join(s.dir, "cloud.db")
	people := filepath.Join(s.dir, "people.csv")
	if err := os.WriteFile(people, []byte("UserPrincipalName,Roles\nboss@contoso.example,User Administrator\n"+adaUPN+",\ngrace@contoso.example,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, "engine", "user", "import", people, "--to", store, "--reason", "test")
	first, second := s.enrol(t, adaUPN, "one.json"), s.enrol(t, adaUPN, "two.json")
	others, bosses := s.enrol(t, "grace@contoso.example", "three.json"), s.enrol(t, "boss@contoso.example", "four.json")
	here := []string{"--store", store}
	there := append([]string{"--store", s.api}, s.app(t, "desk", "helpdesk")...)
	remove := func(at []string, words ...string) []string {
		return slices.Concat([]string{"engine", "user", "device-remove"}, words, at)
	}
	why := []string{"--reason", "ticket 4711"}

	shown := must(t, exitDone, append([]string{"engine", "user", "show", adaUPN}, there...)...).out
	if !regexp.MustCompile(`(?m)^authenticator +active "Phone of one.json", id ` + first + `, never used$`).MatchString(shown) {
		t.Errorf("show:\n%s", shown)
	}
	shown = must(t, exitDone, append([]string{"engine", "user", "show", adaUPN, "--format", "json"}, there...)...).out
	if !regexp.MustCompile(`"authenticators":\[{"id":"` + first + `","name":"Phone of one.json","created":"[^"]+","last_used":null,"push_service":false,"pin":false,"locked":false},`).MatchString(shown) {
		t.Errorf("show as JSON:\n%s", shown)
	}
	for name, c := range map[string]struct {
		words []string
		code  int
		says  string
	}{
		"somebody else's":       {remove(there, adaUPN, others, why[0], why[1]), exitFailed, "never was theirs"},
		"an unknown one":        {remove(there, adaUPN, "none", why[0], why[1]), exitFailed, "engine user show " + adaUPN},
		"an unknown user's":     {remove(there, "nobody", first, why[0], why[1]), exitFailed, "there is no user"},
		"an administrator's":    {remove(there, "boss@contoso.example", bosses, why[0], why[1]), exitFailed, "administrative role"},
		"without a reason":      {remove(there, adaUPN, first), exitUsage, "--reason is missing"},
		"without an id":         {remove(there, adaUPN, why[0], why[1]), exitUsage, "ID"},
		"on a store that isn't": {remove([]string{"--store", store + ".none"}, adaUPN, first, why[0], why[1]), exitFailed, "there is no store"},
	} {
		if r := mfabridge(t, c.words...); r.code != c.code || !strings.Contains(r.err, c.says) || r.out != "" {
			t.Errorf("%s: exit code %d, %s%s", name, r.code, r.out, r.err)
		}
	}
	for _, file := range []string{"one.json", "two.json", "three.json", "four.json"} {
		must(t, exitDone, "authenticator", "devices", "--device", filepath.Join(s.dir, file))
	}

	r := must(t, exitDone, remove(there, adaUPN, second, why[0], why[1])...)
	if r.out != adaUPN+": \"Phone of two.json\" approves nothing more, and its codes have ended\n"+adaUPN+" is asked by push from now on\n" {
		t.Errorf("removed over HTTPS: %s", r.out)
	}
	if r := must(t, exitFailed, remove(there, adaUPN, second, why[0], why[1])...); !strings.Contains(r.err, "removed before") || !strings.Contains(r.err, "nothing was changed") {
		t.Errorf("once more: %s", r.err)
	}
	must(t, exitFailed, "authenticator", "devices", "--device", filepath.Join(s.dir, "two.json"))
	must(t, exitFailed, "authenticator", "run", "--device", filepath.Join(s.dir, "two.json"))
	must(t, exitDone, "authenticator", "devices", "--device", filepath.Join(s.dir, "one.json"))

	if r := must(t, exitDone, remove(here, adaUPN, first, why[0], why[1])...); !strings.Contains(r.out, adaUPN+" has no second factor left: ") || !strings.Contains(r.out, "engine user pass issue") {
		t.Errorf("the last one, on the store: %s", r.out)
	}
	must(t, exitFailed, "authenticator", "devices", "--device", filepath.Join(s.dir, "one.json"))
	must(t, exitDone, append([]string{"engine", "user", "invite", adaUPN}, append(why, here...)...)...)
	invited := regexp.MustCompile(`"method":"authenticator","id":"([^"]+)"`).FindStringSubmatch(must(t, exitDone, append([]string{"engine", "user", "show", adaUPN, "--format", "json"}, here...)...).out)
	if invited == nil {
		t.Fatal("no invitation is shown")
	}
	if r := must(t, exitFailed, remove(there, adaUPN, invited[1], why[0], why[1])...); !strings.Contains(r.err, "engine invite "+adaUPN+" --revoke") {
		t.Errorf("an invitation: %s", r.err)
	}
	audit := must(t, exitDone, append([]string{"engine", "audit", "export"}, here...)...).out
	for _, want := range []string{` via desk","action":"device.remove"`, `"detail":"device=` + second + `","reason":"ticket 4711"`, `"detail":"device=` + first + `"`} {
		if !strings.Contains(audit, want) {
			t.Errorf("the audit has no %s:\n%s", want, audit)
		}
	}
	if n := strings.Count(audit, "device.remove"); n != 2 {
		t.Errorf("%d removals in the audit", n)
	}
}

// Whoever loses an authenticator hears of it by the provider of --engine-config;
// that nobody delivers the message is said, and keeps no stolen telephone alive.
func TestRemovalIsToldByTheChannelsOfTheEngine(t *testing.T) {
	const number = "442079460103"
	texts := make(chan [2]string, 10)
	var refuses atomic.Bool
	gateway := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		texts <- [2]string{r.FormValue("To"), r.FormValue("Body")}
		if refuses.Load() {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"code": 21610, "message": "CANARY: the number +`+number+` has unsubscribed"}`)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"sid": "SM1", "status": "queued", "error_code": null}`)
	}))
	defer gateway.Close()
	m := moved(t)
	m.write(t, "gateway.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gateway.Certificate().Raw})))
	m.write(t, "gateway.secret", "CANARY-WORD")
	config := m.write(t, "engine.yaml", fmt.Sprintf(`store: sqlite:cloud.db
listeners:
  api: {listen: "127.0.0.1:0"}
channels:
  text:
    providers:
      - name: main
        mode: live
        http: {profile: twilio, url: "%s/Accounts/<$account$>/Messages.json", vars: {account: AC1, from: "+14255550100"}, basic: {password: "file:gateway.secret"}, ca: gateway.pem, allow_private: true}
`, gateway.URL))
	for _, refuse := range []bool{false, true} {
		refuses.Store(refuse)
		device := newHandset(t, m, fixtures.Tim).device
		r := must(t, exitDone, "engine", "user", "device-remove", fixtures.Tim, device, "--store", m.store, "--engine-config", config, "--reason", "test")
		if len(texts) == 0 {
			t.Fatalf("nobody was told:\n%s", r.err)
		}
		got := <-texts
		if got[0] != "+"+number || !strings.HasSuffix(got[1], "was removed by your organisation. If you did not ask for that, call your helpdesk.") || strings.Contains(got[1], device) {
			t.Errorf("the text is %q", got)
		}
		if !strings.Contains(r.out, "approves nothing more") || strings.Contains(r.err, "the user was not told") != refuse || strings.Contains(r.out+r.err, number[2:]) || strings.Contains(r.err, "CANARY") {
			t.Errorf("refused: %t, and it says\n%s%s", refuse, r.out, r.err)
		}
		if left, _ := filepath.Glob(m.path("cloud.db.outbox/*")); len(left) != 0 || len(texts) != 0 {
			t.Errorf("%d more texts, the outbox holds %v", len(texts), left)
		}
	}
	shown := must(t, exitDone, "engine", "user", "show", fixtures.Tim, "--store", m.store).out
	if strings.Contains(shown, "authenticator") && strings.Contains(shown, "active") {
		t.Errorf("an authenticator is left:\n%s", shown)
	}
}
