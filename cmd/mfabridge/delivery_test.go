package main

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

// A text code goes out by a provider over HTTPS, and logs its user in by
// RADIUS.
func TestRADIUSLoginByTextOfAProvider(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	const number, user = "+44 2079460123", fixtures.Tim
	texts := make(chan [2]string, 10)
	gateway := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		if name != "AC1" || password != "CANARY-WORD" || r.URL.Path != "/Accounts/AC1/Messages.json" || r.FormValue("From") != "+14255550100" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		texts <- [2]string{r.FormValue("To"), r.FormValue("Body")}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"sid": "SM1", "status": "queued", "error_code": null}`)
	}))
	defer gateway.Close()

	m := moved(t)
	m.write(t, "gateway.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: gateway.Certificate().Raw})))
	m.write(t, "gateway.secret", "CANARY-WORD")
	m.write(t, "number", number)
	config := m.write(t, "engine.yaml", fmt.Sprintf(`store: sqlite:cloud.db
listeners:
  api: {listen: "127.0.0.1:0"}
channels:
  text:
    providers:
      - name: main
        mode: live
        http: {profile: twilio, url: "%s/Accounts/<$account$>/Messages.json", vars: {account: AC1, from: "+14255550100"}, basic: {password: "file:gateway.secret"}, ca: gateway.pem, allow_private: true}
    budget: {countries: {"+1": 1}, others: 1}
`, gateway.URL))
	if r := must(t, exitDone, "engine", "provider", "list", "--config", config); !strings.Contains(r.out, "http (twilio)") || !strings.Contains(r.out, "reach every user") {
		t.Errorf("list says\n%s", r.out)
	}
	r := must(t, exitDone, "engine", "provider", "test", "main", "--config", config, "--number", "file:"+m.path("number"))
	if !strings.Contains(r.out, "has taken a message to +44 ********23") || strings.Contains(r.out+r.err, "2079460123") || len(texts) != 1 {
		t.Errorf("test says\n%s%s", r.out, r.err)
	}
	if got := <-texts; got[0] != "+442079460123" {
		t.Errorf("the test went to %s", got[0])
	}

	secretFile := m.write(t, "vpn.secret", sharedSecret)
	shim := startShim(t, m.write(t, "shim.yaml", strings.Replace(radclientYAML, "store: sqlite:cloud.db", "config: engine.yaml", 1)))
	name := fmt.Sprintf("User-Name = %q", user)
	ask := func() string {
		return radclient(t, shim.address, secretFile, name, `User-Password = "x"`)
	}
	out := ask()
	state := stateOf.FindStringSubmatch(out)
	if !strings.Contains(out, "Received Access-Challenge") || state == nil {
		t.Fatalf("not asked:\n%s\n%s", out, shim.stop())
	}
	got := <-texts
	_, code, _ := strings.Cut(got[1], " is ")
	code = code[:6]
	if out := radclient(t, shim.address, secretFile, name, fmt.Sprintf("User-Password = %q", code), "State = "+state[1]); !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("the code of the text:\n%s", out)
	}
	if left, _ := filepath.Glob(m.path("cloud.db.outbox/*")); len(left) != 0 {
		t.Errorf("the outbox holds %v", left)
	}
	if out := ask(); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("beyond the budget of the country:\n%s", out)
	}
	log := shim.stop()
	if !strings.Contains(log, "budget of texts is met") {
		t.Errorf("no word of the budget in\n%s", log)
	}
	if !strings.Contains(log, "message was taken over") || strings.Contains(log, got[0][3:]) || strings.Contains(log, code) || strings.Contains(log, "CANARY-WORD") {
		t.Errorf("the log is\n%s", log)
	}
	gateway.Close()
	if r := must(t, exitFailed, "engine", "provider", "test", "main", "--config", config, "--number", "file:"+m.path("number")); !strings.Contains(r.err, "cannot be reached") || strings.Contains(r.err, "2079460123") {
		t.Errorf("test of a provider that is gone says\n%s", r.err)
	}
	must(t, exitFailed, "engine", "provider", "test", "other", "--config", config, "--number", "file:"+m.path("number"))
}
