package channel_test

import (
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/rcs/rcstest"
	"mfabridge/cloud/engine/channel/smpp/smpptest"
	"mfabridge/internal/secret"
)

// byRCS is the block of channels with an agent, and SMS by a centre behind it.
func byRCS(t *testing.T, s *rcstest.Service, c *smpptest.Centre, ca string) string {
	t.Helper()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	write(t, filepath.Join(folder, "agent.json"), string(s.File(t).Reveal()))
	write(t, filepath.Join(folder, "token"), "SJENCPGJ")
	return bySMPP(t, c, "allow_private: true, ca: "+ca) + `
rcs: {countries: [all], providers: [{name: agent, mode: live, rcs: {url: "` + s.URL + `", agent: ` + rcstest.Agent + `, account: "file:` + folder + `/agent.json", token: "file:` + folder +
		`/token", ca: ` + folder + `/ca.pem, allow_private: true}}]}`
}

// sentByRCS are the texts that the service has taken, by id.
func sentByRCS(t *testing.T, s *rcstest.Service) (ids, texts []string) {
	t.Helper()
	s.Lock()
	defer s.Unlock()
	for id, body := range s.Messages {
		var m struct {
			Content struct {
				Text string `json:"text"`
			} `json:"contentMessage"`
		}
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatal(err)
		}
		ids, texts = append(ids, id), append(texts, m.Content.Text)
	}
	return ids, texts
}

// A number with RCS gets its code there; one without by SMS at once. What is not
// delivered in time is called back, and the same code goes by SMS.
func TestRCSFallsBackToSMS(t *testing.T) {
	s := rcstest.New(t)
	c, ca := centreTLS(t)
	s.Without = "+44"
	o := newOffice(t, byRCS(t, s, c, ca))
	o.run(t)
	has, hasNot := o.user(t, "tim", "+1 4255550100"), o.user(t, "ada", "+44 2079460123")
	asked := o.ask(t, hasNot, "")
	if _, rcs := sentByRCS(t, s); asked.State != cloud.Pending || len(rcs) != 0 || len(c.Texts()) != 1 {
		t.Fatalf("without RCS: %+v, %v, %v", asked, rcs, c.Texts())
	}
	asked = o.ask(t, has, "")
	ids, rcs := sentByRCS(t, s)
	if len(rcs) != 1 || len(c.Texts()) != 1 {
		t.Fatalf("with RCS: %v, %v", rcs, c.Texts())
	}
	o.Advance(16 * time.Second)
	until(t, "the fall-back", func() bool { return len(c.Texts()) == 2 })
	if text := c.Texts()[1].Text; text != rcs[0] {
		t.Errorf("by SMS %q, by RCS %q", text, rcs[0])
	}
	until(t, "the call back", func() bool { s.Lock(); defer s.Unlock(); return len(s.Revoked) == 1 && s.Revoked[0] == ids[0] })
	_, code, _ := strings.Cut(rcs[0], " is ")
	if d, err := o.Answer(t.Context(), cloud.Answer{Challenge: asked.ID, Code: secret.FromString(code[:6])}); err != nil || d.State != cloud.Approved {
		t.Errorf("the code: %+v, %v", d, err)
	}
}

// An agent that cannot be used is told apart by what is wrong with it, and without
// the number.
func TestAgentThatCannotBeUsed(t *testing.T) {
	s := rcstest.New(t)
	c, ca := centreTLS(t)
	text := byRCS(t, s, c, ca)
	for name, one := range map[string]struct{ old, new, want string }{
		"private": {"ca.pem, allow_private: true", "ca.pem", "allow_private is not set"},
		"unknown": {"/ca.pem, allow_private", "/../ca.pem, allow_private", ""},
		"refused": {rcstest.Agent, "fabrikam", "may not speak for the agent"},
	} {
		changed := strings.Replace(text, one.old, one.new, 1)
		conf, err := parse(t, changed)
		if err != nil || changed == text {
			t.Fatalf("%s: %v", name, err)
		}
		opened, err := channel.Open(channel.Options{Config: conf, PublicURL: "https://mfa.contoso.example"})
		if one.want == "" {
			if err == nil {
				t.Errorf("%s: opened without its authority", name)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err = opened.Try(t.Context(), "agent", aMessage()); err == nil || !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s: %v, want %q", name, err, one.want)
		}
		leaks(t, name, err.Error())
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
	conf, err := parse(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := channel.Open(channel.Options{Config: conf}); err == nil || !strings.Contains(err.Error(), "nobody knows where") {
		t.Errorf("receipts without an address: %v", err)
	}
}
