package channel_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/smpp/smpptest"
	"mfabridge/internal/secret"
)

// centreTLS is a message centre behind TLS, and the file of its authority.
func centreTLS(t *testing.T) (c *smpptest.Centre, ca string) {
	t.Helper()
	s := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	return smpptest.Listen(t, &tls.Config{Certificates: s.TLS.Certificates}), ca
}

// bySMPP is the block of channels with one centre; more is what else stands there.
func bySMPP(t *testing.T, c *smpptest.Centre, more string) string {
	t.Helper()
	word := filepath.Join(t.TempDir(), "word")
	write(t, word, smpptest.Password+"\n")
	return `text: {providers: [{name: centre, mode: live, smpp: {host: 127.0.0.1, port: ` + strconv.Itoa(int(c.Address.Port())) + `, system_id: contoso, password: "file:` + word +
		`", from: Contoso, ` + more + `}}]}`
}

// A code goes to a centre over TLS, and the receipt over the same connection is
// recorded.
func TestTextBySMPP(t *testing.T) {
	c, ca := centreTLS(t)
	c.Receipts = "DELIVRD"
	o := newOffice(t, bySMPP(t, c, "timeout: 4s, allow_private: true, ca: "+ca))
	id := o.user(t, "tim", "+1 4255550100")
	asked := o.ask(t, id, "")
	texts := c.Texts()
	if asked.State != cloud.Pending || len(texts) != 1 || texts[0].To != "14255550100" {
		t.Fatalf("%+v, %+v", asked, texts)
	}
	_, code, _ := strings.Cut(texts[0].Text, " is ")
	if d, err := o.Answer(t.Context(), cloud.Answer{Challenge: asked.ID, Code: secret.FromString(code[:6])}); err != nil || d.State != cloud.Approved {
		t.Errorf("the code: %+v, %v", d, err)
	}
	until(t, "the receipt", func() bool { return o.channels.ToldOf("sms", "delivered") == 1 })
	if h := o.channels.HealthOf("sms", "centre"); h.State != "well" || h.Taken != 1 {
		t.Errorf("health: %+v", h)
	}
	c.Lock()
	c.Mute = true // it hears no more
	c.Unlock()
	if asked = o.ask(t, id, ""); asked.Reason != cloud.Undeliverable {
		t.Errorf("a centre that says nothing: %+v", asked)
	}
}

// aMessage is one of which nothing may be told.
func aMessage() engine.Message {
	return engine.Message{ID: "0123abc", To: aNumber, Code: secret.FromString(aCode), Application: "vpn"}
}

// Each wrong centre is told apart, without a word of the password, the number or
// the code.
func TestCentreThatCannotBeUsed(t *testing.T) {
	secure, ca := centreTLS(t)
	strict, strictCA := centreTLS(t)
	strict.Password = "another"
	open := smpptest.Listen(t, nil)
	for name, c := range map[string]struct {
		centre     *smpptest.Centre
		more, want string
	}{
		"private":          {secure, "timeout: 4s, ca: " + ca, "allow_private is not set"},
		"unknown":          {secure, "timeout: 4s, allow_private: true", "certificate of the provider cannot be trusted"},
		"a wrong password": {strict, "timeout: 4s, allow_private: true, ca: " + strictCA, "ESME_RINVPASWD"},
		"no TLS there":     {open, "allow_private: true, timeout: 800ms", "could not be reached in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf, err := parse(t, bySMPP(t, c.centre, c.more))
			if err != nil {
				t.Fatal(err)
			}
			opened, err := channel.Open(channel.Options{Config: conf})
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			err = opened.Try(t.Context(), "centre", aMessage())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if time.Since(begun) > time.Minute {
				t.Errorf("it took %v", time.Since(begun))
			}
			leaks(t, "the error", err.Error()+smpptestLeak(err))
			if h := opened.HealthOf("sms", "centre"); h.State != "failing" {
				t.Errorf("health: %+v", h)
			}
			if err := opened.Close(); err != nil {
				t.Error(err)
			}
			if c.centre.Count() > 0 {
				t.Error("a text went out")
			}
		})
	}
}

func smpptestLeak(err error) string {
	if strings.Contains(err.Error(), smpptest.Password) {
		return aSecret
	}
	return ""
}

// Without TLS a centre in a private network is called, and no other one.
func TestCentreWithoutTLS(t *testing.T) {
	c := smpptest.Listen(t, nil)
	o := newOffice(t, bySMPP(t, c, "tls: none, allow_private: true"))
	if asked := o.ask(t, o.user(t, "tim", "+1 4255550100"), ""); asked.State != cloud.Pending || c.Count() != 1 {
		t.Errorf("%+v, %d texts", asked, c.Count())
	}
	for address, may := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "10.1.2.3:1": true, "[fd00::1]:1": true, "192.168.1.1:1": true,
		"203.0.113.5:1": false, "8.8.8.8:1": false, "[2001:db8::1]:1": false, "0.0.0.0:1": false, "169.254.169.254:1": false, "nonsense": false} {
		if err := channel.OnlyPrivate("tcp", address, nil); (err == nil) != may {
			t.Errorf("%s: %v", address, err)
		}
	}
}
