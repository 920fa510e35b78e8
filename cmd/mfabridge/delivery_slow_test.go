package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/ldapconn"
)

// A provider of texts that hangs holds the logins that wait for it, and nobody
// else: WhatsApp, calls and pushes go on, through the interface of an engine in a
// process of its own.
func TestSlowProviderHoldsNobodyElse(t *testing.T) {
	const many, places, bearable = 40, 16, 5 * time.Second // which hang for 6, or until all is said
	var hanging, chats, calls atomic.Int64
	said := make(chan struct{})
	provider := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/sms":
			hanging.Add(1)
			select {
			case <-r.Context().Done():
			case <-said:
			}
			panic(http.ErrAbortHandler) // to return is to answer 200, which an engine that is just leaving may still read
		case "/v23.0/1066/messages":
			fmt.Fprintf(w, `{"messages":[{"id":"wamid.%d"}]}`, chats.Add(1))
		default:
			calls.Add(1)
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"sid":"CA1","status":"queued"}`)
		}
	}))
	defer provider.Close()

	s := &served{dir: t.TempDir()}
	must(t, exitDone, "engine", "init", "--store", "sqlite:"+filepath.Join(s.dir, "cloud.db"), "--domain", "contoso.example")
	certify(t, s.dir, 1)
	for name, content := range map[string]string{"provider.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: provider.Certificate().Raw})), "word": "CANARY-WORD",
		"engine.yaml": fmt.Sprintf(`store: sqlite:cloud.db
public_url: https://mfa.contoso.example
listeners:
  api: {listen: "127.0.0.1:0", tls: {cert: engine.crt, key: engine.key}}
  ops: {listen: "127.0.0.1:0"}
  pages: {listen: "127.0.0.1:0", tls: {cert: engine.crt, key: engine.key}}
channels:
  text:
    at_once: 16
    providers: [{name: sms, mode: live, http: {profile: json, url: "%[1]s/sms", vars: {from: Contoso}, bearer: "file:word", timeout: 6s, at_once: 500, ca: provider.pem, allow_private: true}}]
  whatsapp:
    providers: [{name: wa, mode: live, whatsapp: {url: "%[1]s/v23.0", number: "1066", template: code, token: "file:word", ca: provider.pem, allow_private: true}}]
  voice:
    countries: ["+91"]
    providers: [{name: calls, mode: live, http: {profile: twilio-voice, url: "%[1]s/calls", vars: {account: AC1, from: "+14255550100"}, basic: {password: "file:word"}, receipts: {key: "file:word"}, ca: provider.pem, allow_private: true}}]
`, provider.URL)} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := benchEngine(t, s.dir)
	with := func(name, number string) cloud.UserID {
		id, err := e.AddUser(t.Context(), engine.Actor{Who: "test", Reason: "test"}, cloud.Profile{UPN: name + "@contoso.example", Enabled: true})
		if err != nil {
			t.Fatal(err)
		}
		if r := e.Write(t.Context(), []cloud.Change{{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue(number)}}); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
		return id
	}
	var waiting []cloud.UserID
	for i := range many {
		waiting = append(waiting, with(fmt.Sprintf("w%d", i), fmt.Sprintf("+44 2079460%03d", i)))
	}
	chat := with("asha", "+91 9812345678")
	device, err := enrol(t.Context(), e, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = child(context.WithoutCancel(t.Context()), "engine", "serve", "--config", filepath.Join(s.dir, "engine.yaml"))
	s.begin(t)
	t.Cleanup(s.kill)
	cert, err := os.ReadFile(filepath.Join(s.dir, "engine.crt"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := ldapconn.ReadCA(cert)
	if err != nil {
		t.Fatal(err)
	}
	shim, came := benchShim(t, s, ca), newArrivals()
	client := lasting(ca)
	defer client.CloseIdleConnections()
	if err := device.stream(t.Context(), client, s.pages, came); err != nil {
		t.Fatal(err)
	}
	begin := func(id cloud.UserID, way cloud.Preference) (cloud.Challenge, error) {
		return shim.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Method: way, Tries: 3,
			Client: cloud.Client{App: "VPN", Station: string(id)}})
	}
	if c, err := begin(chat, cloud.SMS); err != nil || c.State != cloud.Pending { // and the connection to the engine is there
		t.Fatalf("%+v, %v", c, err)
	}

	var held sync.WaitGroup
	var refused atomic.Int64
	for _, id := range waiting {
		held.Go(func() {
			c, err := begin(id, cloud.SMS)
			if err != nil || c.Reason != cloud.Undeliverable {
				t.Errorf("by the provider that hangs: %+v, %v", c, err)
			}
			refused.Add(1)
		})
	}
	await(t, func() bool { return hanging.Load() >= places }, func() string { return fmt.Sprintf("%d messages hang", hanging.Load()) })
	var others sync.WaitGroup
	for what, c := range map[string]struct {
		user cloud.UserID
		way  cloud.Preference
	}{"WhatsApp": {chat, cloud.SMS}, "a call": {chat, cloud.VoiceMobile}, "a push": {device.user, cloud.Push}} {
		others.Go(func() {
			for range 3 {
				begun := time.Now()
				got, err := begin(c.user, c.way)
				if took := time.Since(begun); err != nil || got.State != cloud.Pending || took > bearable {
					t.Errorf("%s, while texts hang: %+v, %v, after %v", what, got, err, took)
				}
			}
		})
	}
	others.Wait()
	if n := refused.Load(); n >= many {
		t.Error("nobody hung meanwhile")
	}
	close(said)
	came.until(t, 1)
	if chats.Load() != 4 || calls.Load() == 0 {
		t.Errorf("%d messages by WhatsApp, %d calls", chats.Load(), calls.Load())
	}
	held.Wait()
}
