package main

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel/rcs/rcstest"
	"mfabridge/cloud/engine/channel/smpp/smpptest"
	"mfabridge/fixtures"
)

const wiredYAML = `channels:
  text:
    providers:
      - name: centre
        mode: live
        smpp: {host: 127.0.0.1, port: %d, system_id: contoso, password: "file:centre.secret", from: Contoso, ca: centre.pem, allow_private: true}
  rcs:
    countries: [all]
    wait: 3s
    providers:
      - name: agent
        mode: live
        rcs: {url: "%s", agent: %s, account: "file:agent.json", ca: rcs.pem, allow_private: true}
`

// wired is an engine whose texts go by RCS, and by SMPP behind it.
type wired struct {
	story
	*served
	centre *smpptest.Centre
	agent  *rcstest.Service
	config string
}

func wireUp(t *testing.T) *wired {
	t.Helper()
	w := &wired{story: moved(t), agent: rcstest.New(t)}
	authority := func(s *httptest.Server) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	}
	w.centre = smpptest.Listen(t, &tls.Config{Certificates: w.agent.TLS.Certificates})
	w.centre.Receipts = "DELIVRD"
	w.write(t, "centre.secret", smpptest.Password)
	w.write(t, "centre.pem", authority(w.agent.Server))
	w.write(t, "rcs.pem", authority(w.agent.Server))
	w.write(t, "agent.json", string(w.agent.File(t).Reveal()))
	w.write(t, "number", "+44 2079460123")
	w.served = serveConfigured(t, w.story, fmt.Sprintf(wiredYAML, w.centre.Address.Port(), w.agent.URL, rcstest.Agent))
	w.config = w.path("engine.yaml")
	return w
}

// texts waits until the centre has n texts, and returns them.
func (w *wired) texts(t *testing.T, n int) []smpptest.Text {
	t.Helper()
	tick, over := time.NewTicker(10*time.Millisecond), time.After(giveUp)
	defer tick.Stop()
	for {
		if all := w.centre.Texts(); len(all) >= n {
			return all
		}
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("%d texts, want %d", w.centre.Count(), n)
		}
	}
}

func codeIn(text string) string {
	_, code, _ := strings.Cut(text, " is ")
	return code[:min(6, len(code))]
}

// asks begins a login and returns its id.
func asks(t *testing.T, c apiCaller, path, body string) string {
	t.Helper()
	status, answer := c.post(t, path, body)
	var begun struct{ ID, State, Reason string }
	if err := json.Unmarshal([]byte(answer), &begun); err != nil || status != 200 || begun.ID == "" || begun.State != "" && begun.State != "pending" {
		t.Fatalf("%d %s", status, answer)
	}
	return begun.ID
}

// A login whose code goes by RCS, and by SMPP when no receipt comes; then one that
// goes by SMPP at once.
func TestLoginByRCSAndSMPP(t *testing.T) {
	w := wireUp(t)
	vpn := w.calls(t, "vpn", "shim")
	begin := `{"user":"` + fixtures.Tim + `","method":"sms","client":{"app":"VPN","station":"s"}}`
	begun := time.Now()
	id := asks(t, vpn, "/verify/v1/challenges", begin)
	w.agent.Lock()
	byRCS := len(w.agent.Messages)
	w.agent.Unlock()
	text := w.texts(t, 1)[0]
	if took := time.Since(begun); byRCS != 1 || took < 2*time.Second {
		t.Errorf("%d by RCS, one by SMPP after %v", byRCS, took)
	}
	if text.To != "442079460103" {
		t.Errorf("it went to %s", text.To)
	}
	if status, answer := vpn.post(t, "/verify/v1/challenges/"+id+"/answer", `{"code":"`+codeIn(text.Text)+`"}`); !strings.Contains(answer, `"approved"`) {
		t.Errorf("the code: %d %s", status, answer)
	}
	id = asks(t, vpn, "/verify/v1/challenges", begin) // RCS is left alone for a while
	text = w.texts(t, 2)[1]
	if status, answer := vpn.post(t, "/verify/v1/challenges/"+id+"/answer", `{"code":"`+codeIn(text.Text)+`"}`); !strings.Contains(answer, `"approved"`) {
		t.Errorf("the second code: %d %s", status, answer)
	}
}

// Providers of both kinds are listed, tried and enabled by command, and what is
// said of them holds no secret and no number.
func TestProvidersBySMPPAndRCS(t *testing.T) {
	w := wireUp(t)
	if r := must(t, exitDone, "engine", "provider", "list", "--config", w.config); !strings.Contains(r.out, "smpp") || !strings.Contains(r.out, "rcs") ||
		!strings.Contains(r.out, "127.0.0.1") || !strings.Contains(r.out, "texts reach every user") {
		t.Errorf("list says\n%s", r.out)
	}
	for _, name := range []string{"centre", "agent"} {
		r := must(t, exitDone, "engine", "provider", "test", name, "--config", w.config, "--number", "file:"+w.path("number"))
		if !strings.Contains(r.out, name+" has taken a message to +44 ********23") || strings.Contains(r.out+r.err, "2079460123") {
			t.Errorf("test says\n%s%s", r.out, r.err)
		}
	}
	if r := must(t, exitDone, "engine", "provider", "enable", "centre", "--evaluate", "--config", w.config, "--reason", "look first"); !strings.Contains(r.out, "centre: evaluate") {
		t.Errorf("enable says\n%s", r.out)
	}
	if r := must(t, exitDone, "engine", "provider", "list", "--config", w.config); !strings.Contains(r.out, "texts do not reach every user") {
		t.Errorf("list says\n%s", r.out)
	}
	w.write(t, "centre.secret", "wrong")
	r := must(t, exitFailed, "engine", "provider", "test", "centre", "--config", w.config, "--number", "file:"+w.path("number"))
	if !strings.Contains(r.err, "ESME_RINVPASWD") || strings.Contains(r.err, "2079460123") {
		t.Errorf("test with a wrong password says\n%s", r.err)
	}
}

// Somebody without a password signs in with a number and a code; nobody learns
// whose numbers there are, and the telephone is no second factor then.
func TestSignInWithANumberOverHTTP(t *testing.T) {
	w := wireUp(t)
	w.agent.Lock()
	w.agent.Without = "+" // nobody has RCS
	w.agent.Unlock()
	store := []string{"--store", w.store, "--reason", "tills"}
	add := func(args ...string) {
		t.Helper()
		must(t, exitDone, append(append([]string{"engine"}, args...), store...)...)
	}
	add("group", "add", "Field")
	add("group", "join", "Field", "--user", fixtures.Tim)
	add("policy", "set", "textSignIn", "--state", "enabled", "--include", "Field")
	tills := w.calls(t, "tills", "shim")
	numbers := `{"number":"+44 2079460103","client":{"app":"Tills","station":"till 4"}}`
	prove := func(id, code string) string {
		_, answer := tills.post(t, "/verify/v1/numbers/"+id+"/answer", `{"code":"`+code+`","client":{"app":"Tills","station":"till 4"}}`)
		return answer
	}
	asks(t, tills, "/verify/v1/numbers", numbers) // not opened yet: it is answered, and nothing is sent
	add("user", "number", "open", fixtures.Tim)
	if r := must(t, exitDone, "engine", "user", "show", fixtures.Tim, "--store", w.store); !strings.Contains(r.out, "signs in with it") {
		t.Errorf("it is shown as\n%s", r.out)
	}
	id := asks(t, tills, "/verify/v1/numbers", numbers)
	text := w.texts(t, 1)
	if len(text) != 1 {
		t.Errorf("%d texts: one went out before sign-in by number was opened", len(text))
	}
	if answer := prove(id, "000000"); !strings.Contains(answer, `"ok":false`) || !strings.Contains(answer, "wrong_code") {
		t.Errorf("a wrong code: %s", answer)
	}
	if answer := prove(id, codeIn(text[0].Text)); !strings.Contains(answer, `"ok":true`) || !strings.Contains(answer, `"upn":"`+fixtures.Tim+`"`) || !strings.Contains(answer, "Field") {
		t.Errorf("the code: %s", answer)
	}
	if answer := prove(id, codeIn(text[0].Text)); !strings.Contains(answer, "wrong_code") {
		t.Errorf("the code again: %s", answer)
	}
	nobody := asks(t, tills, "/verify/v1/numbers", `{"number":"+44 2079460999","client":{"app":"Tills","station":"till 5"}}`)
	if answer := prove(nobody, "123456"); !strings.Contains(answer, "wrong_code") {
		t.Errorf("nobody's number: %s", answer)
	}
	if _, answer := tills.post(t, "/verify/v1/challenges", `{"user":"`+fixtures.Tim+`","method":"sms","client":{"app":"VPN"}}`); !strings.Contains(answer, "no_method") {
		t.Errorf("as a second factor: %s", answer)
	}
	if status, answer := tills.post(t, "/verify/v1/numbers", `{"number":"2079460123","client":{}}`); status != 400 || !strings.Contains(answer, "country code") {
		t.Errorf("without a country: %d %s", status, answer)
	}
	desk := w.calls(t, "desk", "helpdesk")
	user := `{"user":"` + fixtures.Tim + `","by":{"who":"desk","reason":"ticket"}}`
	if status, _ := desk.post(t, "/admin/v1/users/number/open", user); status != 403 {
		t.Errorf("a helpdesk opens sign-in: %d", status)
	}
	add("user", "number", "close", fixtures.Tim)
	asks(t, tills, "/verify/v1/numbers", numbers)
	if n := w.centre.Count(); n != 1 {
		t.Errorf("%d texts after it was closed", n)
	}
}
