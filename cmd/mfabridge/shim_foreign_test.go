package main

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

const foreignYAML = `engine: %s
data: front
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - {name: vpn, networks: ["127.0.0.0/8"], secret: "file:vpn.secret", primary: none, primary_done_by_client: true}
`

// A shim asks another RADIUS server for the second factor, as it would an NPS
// server with Microsoft's extension: here a second shim plays that one.
func TestSecondFactorsFromANPSServer(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	peer.Path(t, "oathtool", "oathtool")
	s := moved(t)
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	behind := startShim(t, s.write(t, "shim.yaml", radclientYAML))
	if err := os.Mkdir(s.path("front"), 0o700); err != nil {
		t.Fatal(err)
	}
	var front string
	for _, check := range []struct{ word, says string }{
		{", status_check: status_server", "1 of 1 servers of engine.radius answer"},
		{"", "the servers of engine.radius are not asked (status_check: none)"},
	} {
		front = s.write(t, "front.yaml", fmt.Sprintf(foreignYAML, fmt.Sprintf(`{radius: {servers: [{address: %q, secret: "file:vpn.secret"%s}], password: "file:vpn.secret"}}`, behind.address, check.word)))
		if r := must(t, exitDone, "shim", "check", "--config", front); !strings.Contains(r.out, check.says) {
			t.Errorf("check says:\n%s%s", r.out, r.err)
		}
	}
	shim := startShim(t, front)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(behind.log(), shim.log())
		}
	})
	code := oathtool(t, fixtures.CanaryTokenBase32)
	const prompt = "Enter the code from your token or app" // of the server behind
	if out := answer(t, shim.address, secretFile, fixtures.Ada, prompt, func() string { return wrong(code) }); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a wrong code:\n%s", out)
	}
	if out := answer(t, shim.address, secretFile, fixtures.Ada, prompt, func() string { return code }); !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("the right code:\n%s", out)
	}
	if out := answer(t, shim.address, secretFile, fixtures.Ada, prompt, func() string { return code }); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("the same code again:\n%s", out)
	}
	if out := radclient(t, shim.address, secretFile, `User-Name = "nobody@contoso.example"`, `User-Password = "x"`); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("an unknown user:\n%s", out)
	}
	// Guesses end here, whatever the server behind counts.
	name := fmt.Sprintf("User-Name = %q", fixtures.Grace)
	for range 7 {
		state := stateOf.FindStringSubmatch(radclient(t, shim.address, secretFile, name, `User-Password = "x"`))
		if state == nil {
			t.Fatal("not asked")
		}
		if out := radclient(t, shim.address, secretFile, name, `User-Password = "000000"`, "State = "+state[1]); !strings.Contains(out, "Received Access-Reject") {
			t.Errorf("a guess:\n%s", out)
		}
	}
	behind.stop()
	log := shim.stop()
	if strings.Contains(log, code) {
		t.Errorf("the log holds a code:\n%s", log)
	}
	if n := strings.Count(log, `"reason":"too_many_tries"`); n != 2 {
		t.Errorf("%d guesses were not let through:\n%s", n, log)
	}
}

// The private service is asked only where that was accepted by name, and check
// says what it can know.
func TestConnectorHasToBeAccepted(t *testing.T) {
	s := planned(t)
	s.write(t, "vpn.secret", sharedSecret)
	s.write(t, "app.secret", "a synthetic secret of an application")
	authority := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		at := "https://" + r.Host
		switch {
		case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
			fmt.Fprintf(w, `{"token_endpoint":"%s/t/oauth2/v2.0/token","authorization_endpoint":"%s/t/oauth2/v2.0/authorize","issuer":"%s/t/v2.0"}`, at, at, at)
		case r.FormValue("client_secret") == "a synthetic secret of an application" && strings.Contains(r.FormValue("scope"), "StrongAuthenticationService.svc/Connector/.default"):
			fmt.Fprint(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"synthetic"}`)
		default:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
		}
	}))
	t.Cleanup(authority.Close)
	s.write(t, "authority.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw})))
	engine := func(more string) string {
		return s.write(t, "front.yaml", fmt.Sprintf(foreignYAML, fmt.Sprintf(`{entra: {tenant: contoso.example, client_id: app, client_secret: "file:app.secret", authority: %q, ca: authority.pem%s}}`, authority.URL, more)))
	}
	if r := must(t, exitFailed, "shim", "check", "--config", engine("")); !strings.Contains(r.err, "private interface") {
		t.Errorf("check says:\n%s", r.err)
	}
	if r := must(t, exitDone, "shim", "check", "--config", engine(", private_interface: accepted")); !strings.Contains(r.out, "gives a token for the connector") {
		t.Errorf("check says:\n%s%s", r.out, r.err)
	}
	s.write(t, "app.secret", "another secret of an application")
	if r := must(t, exitFailed, "shim", "check", "--config", engine(", private_interface: accepted")); !strings.Contains(r.err, "engine.entra") || strings.Count(r.err, "\n") > 2 || strings.Contains(r.err, "another secret") {
		t.Errorf("check says:\n%s", r.err)
	}
}

// Both factors of a RADIUS login are asked for by native authentication: here
// an engine serves it, as Entra External ID would.
func TestFactorsFromNativeAuthentication(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	word := s.write(t, "tim.word", "Blue-Heron-42") // synthetic
	must(t, exitDone, "engine", "user", "password", fixtures.Tim, "--password", "file:"+word, "--store", s.store, "--reason", "test")
	added := must(t, exitDone, "engine", "native", "add", "mfabridge shim", "--store", s.store, "--reason", "test")
	id := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).FindString(added.out)
	engine := serveStore(t, s.folder)
	if err := os.Mkdir(s.path("front"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := func(id string) string {
		yaml := strings.Replace(foreignYAML, "primary: none, primary_done_by_client: true", "primary: engine", 1)
		return s.write(t, "front.yaml", fmt.Sprintf(yaml, fmt.Sprintf("{native: {url: %q, client_id: %q, ca: engine.crt}}", engine.pages+"/native", id)))
	}
	if r := must(t, exitFailed, "shim", "check", "--config", config("00000000-0000-0000-0000-000000000000")); !strings.Contains(r.err, "engine.native") {
		t.Errorf("check says:\n%s", r.err)
	}
	if r := must(t, exitDone, "shim", "check", "--config", config(id)); !strings.Contains(r.out, "External ID takes the application's requests") {
		t.Errorf("check says:\n%s%s", r.out, r.err)
	}
	shim := startShim(t, config(id))
	name := fmt.Sprintf("User-Name = %q", fixtures.Tim)
	if out := radclient(t, shim.address, secretFile, name, `User-Password = "another word"`); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a wrong password:\n%s", out)
	}
	login := func(code func() string) string {
		t.Helper()
		first := radclient(t, shim.address, secretFile, name, `User-Password = "Blue-Heron-42"`)
		state := stateOf.FindStringSubmatch(first)
		if !strings.Contains(first, "Received Access-Challenge") || !strings.Contains(first, "Enter the code sent to +44") || state == nil {
			t.Fatalf("not asked:\n%s", first)
		}
		return radclient(t, shim.address, secretFile, name, fmt.Sprintf("User-Password = %q", code()), "State = "+state[1])
	}
	if out := login(func() string { return wrong(texted(t, s.path("cloud.db.outbox"))) }); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a wrong code:\n%s", out)
	}
	if out := login(func() string { return texted(t, s.path("cloud.db.outbox")) }); !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("the right code:\n%s", out)
	}
}

// A server that is there and has a person who does not answer is a refusal once
// push_wait is over; one that is gone is silence, whatever the person does.
func TestNPSServerThatIsGoneIsAnOutage(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	waits := peer.HomeServer(t, sharedSecret, fmt.Sprintf("%s Auth-Type := Accept, Response-Packet-Type := Do-Not-Respond\n", fixtures.Ada))
	awaitStatus(t, waits, secretFile)
	login := func(server string) (shim shimProcess, ask func() string) {
		yaml := strings.Replace(foreignYAML, "primary: none", "push_wait: 3s, primary: none", 1)
		yaml = strings.Replace(yaml, "data: front", "data: "+t.TempDir()+"\nops: \"127.0.0.1:0\"", 1)
		shim = startShim(t, s.write(t, "front.yaml", fmt.Sprintf(yaml, fmt.Sprintf(`{radius: {servers: [{address: %q, secret: "file:vpn.secret"}], settle: 200ms, password: "file:vpn.secret"}}`, server))))
		address, _ := shim.split(t)
		return shim, func() string {
			return brief(t, address, secretFile, fmt.Sprintf("User-Name = %q", fixtures.Ada), `User-Password = "x"`)
		}
	}
	there, askThere := login(waits)
	gone, askGone := login("127.0.0.1:" + peer.FreePort(t))
	var both sync.WaitGroup
	both.Go(func() { askThere() })
	if out := askGone(); strings.Contains(out, "Received") {
		t.Errorf("a server that is gone:\n%s", out)
	}
	both.Wait()
	awaitLog(t, there, `"outcome":"reject","reason":"timed_out"`)
	awaitLog(t, gone, `"outcome":"silent","reason":"outage"`)
	there.stop()
	if log := gone.stop(); !strings.Contains(log, "no datagram gets to the RADIUS server") || strings.Contains(log, `"reason":"timed_out"`) {
		t.Errorf("the log is\n%s", log)
	}
}
