package app_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/http/api"
	"mfabridge/cloud/engine/http/pages"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/peer"
	"mfabridge/internal/secret"
)

var operator = engine.Actor{Who: "operator", Reason: "test"}

const ada = "ada@contoso.example"

// house is an engine whose pages listener is on the loopback, with one user.
type house struct {
	engine *engine.Engine
	user   cloud.UserID
	url    string

	handler http.Handler
	server  *httptest.Server

	// What stands between the engine and the page, and what wakes it; nil: nothing.
	between func(w http.ResponseWriter, r *http.Request, next http.Handler)
	wake    func(engine.Wake) engine.Woken
}

// ServeHTTP implements http.Handler.
func (h *house) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.between != nil {
		h.between(w, r, h.handler)
		return
	}
	h.handler.ServeHTTP(w, r)
}

func (h *house) woken(_ context.Context, w engine.Wake) engine.Woken { return h.wake(w) }

// down ends the network: nobody reaches the engine any more.
func (h *house) down() {
	h.server.CloseClientConnections()
	h.server.Close()
}

// up brings it, and brings it back at the same address.
func (h *house) up(t testing.TB) {
	t.Helper()
	address := strings.TrimPrefix(h.url, "http://")
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	h.server = &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	h.server.Start()
}

func build(t testing.TB) *house {
	t.Helper()
	h := &house{}
	h.engine, _ = enginetest.Open(t, enginetest.Create(t, engine.Setup{}), engine.Config{})
	h.url = "http://127.0.0.1:" + peer.FreePort(t) // nobody else has it while the network is down
	faces, err := api.New(api.Options{Engine: h.engine, Issuer: "https://engine.contoso.example", Pages: pages.Options{PublicURL: h.url, Wake: h.woken}})
	if err != nil {
		t.Fatal(err)
	}
	h.handler = faces.Handler(serve.Pages)
	h.up(t)
	t.Cleanup(func() {
		faces.Drain()
		h.down()
		if err := faces.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := h.engine.ChangeSettings(t.Context(), operator, func(s *engine.Settings) { s.Account = "Contoso" }); err != nil {
		t.Fatal(err)
	}
	if h.user, err = h.engine.AddUser(t.Context(), operator, cloud.Profile{UPN: ada, Enabled: true}); err != nil {
		t.Fatal(err)
	}
	return h
}

// pass is a pass from the helpdesk, for a user who is invited.
func (h *house) pass(t testing.TB) string {
	t.Helper()
	if _, _, err := h.engine.Invite(t.Context(), operator, h.user); err != nil {
		t.Fatal(err)
	}
	_, word, err := h.engine.IssuePass(t.Context(), operator, h.user, time.Hour, true)
	if err != nil {
		t.Fatal(err)
	}
	return string(word.Reveal())
}

// code is an activation code of Ada.
func (h *house) code(t testing.TB) string {
	t.Helper()
	made, err := h.engine.ProvePass(t.Context(), ada, secret.FromString(h.pass(t)), engine.ForActivation, cloud.Client{})
	if err != nil {
		t.Fatal(err)
	}
	return string(made.Code.Reveal())
}

// ask begins a login of Ada.
func (h *house) ask(t testing.TB, number bool) cloud.Challenge {
	t.Helper()
	c, err := h.engine.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(h.user)}, Tries: 3,
		Client: cloud.Client{App: "VPN", Station: "198.51.100.7"}, ShowsNumber: number})
	if err != nil || c.Method != cloud.Push {
		t.Fatalf("%+v, %v", c, err)
	}
	return c
}

// approves presses the button of a login, and looks for the verdict.
func (h *house) approves(t testing.TB, b *tab, c cloud.Challenge) {
	t.Helper()
	b.sees("Are you signing in?")
	b.settled()
	b.click("Approve")
	b.sees("You can continue")
	if d := h.stands(t, c); d.State != cloud.Approved {
		t.Fatalf("%+v", d)
	}
}

// stands is the verdict on a challenge, as it is now.
func (h *house) stands(t testing.TB, c cloud.Challenge) cloud.Decision {
	t.Helper()
	d, err := h.engine.Look(t.Context(), []cloud.ChallengeID{c.ID})
	if err != nil {
		t.Fatal(err)
	}
	return d[0]
}

// activated is a page that a pass has made an authenticator of Ada.
func (h *house) activated(t testing.TB, b *tab) *tab {
	t.Helper()
	pass := h.pass(t)
	b.visit("#user=" + ada)
	b.click("I have a pass from the helpdesk")
	b.fill("Pass", pass)
	b.click("Next")
	b.sees("You are signed in as " + ada)
	b.click("Activate")
	b.sees("This device is ready")
	b.click("To your accounts")
	b.sees("Ready to approve sign-ins")
	return b
}
