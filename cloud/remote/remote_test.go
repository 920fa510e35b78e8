package remote_test

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/http/api"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/remote"
	"mfabridge/internal/secret"
)

var operator = engine.Actor{Who: "operator", Reason: "test"}

// house is an engine behind its HTTP API, with a clock that stands still.
type house struct {
	*remote.Client
	*cloudtest.Clock
	engine *engine.Engine
	api    *api.API
	server *httptest.Server
	store  *sqlite.Store
	path   string
	secret secret.Bytes // of the application "all"
	plain  bool         // http and not https
	lease  time.Duration
}

// build makes an engine with an application of role admin, and a client.
func build(t testing.TB, edit ...func(*house)) *house {
	t.Helper()
	h := &house{Clock: cloudtest.NewClock()}
	for _, f := range edit {
		f(h)
	}
	h.path = enginetest.Create(t, engine.Setup{Domains: []string{"Contoso.Example"}, Now: h.Now()})
	h.open(t)
	var err error
	if h.secret, err = h.engine.AddApp(t.Context(), operator, "all", engine.RoleAdmin, time.Time{}); err != nil {
		t.Fatal(err)
	}
	h.connect(t)
	t.Cleanup(func() { h.close(t) })
	return h
}

// open opens the store and serves its engine.
func (h *house) open(t testing.TB) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	box := enginetest.Outbox(t, h.path)
	h.engine, h.store = enginetest.Open(t, h.path, engine.Config{Now: h.Now, Log: log, Senders: map[cloud.Preference]engine.Sender{cloud.SMS: box}})
	h.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.api.Handler(serve.API).ServeHTTP(w, r)
	}))
	h.server.EnableHTTP2 = true
	if h.plain {
		h.server.Start()
	} else {
		h.server.StartTLS()
	}
	var err error
	if h.api, err = api.New(api.Options{Engine: h.engine, Issuer: h.server.URL, Now: h.Now, Log: log, Lease: h.lease}); err != nil {
		t.Fatal(err)
	}
}

// pool is what trusts the test's server.
func (h *house) pool() *x509.CertPool {
	if h.plain {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AddCert(h.server.Certificate())
	return pool
}

func (h *house) client(t testing.TB, name string, word secret.Bytes) *remote.Client {
	t.Helper()
	c, err := remote.New(remote.Options{URL: h.server.URL, ClientID: name, Secret: word, CA: h.pool(), Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (h *house) connect(t testing.TB) {
	t.Helper()
	h.Client = h.client(t, "all", h.secret)
}

func (h *house) close(t testing.TB) {
	t.Helper()
	h.api.Drain()
	_ = h.Client.Close()
	h.server.Close()
	if err := errors.Join(h.api.Close(), h.engine.Close(), h.store.Close()); err != nil {
		t.Error(err)
	}
}

// Reopen ends the engine and starts it again.
func (h *house) Reopen(t *testing.T) cloud.Directory {
	h.close(t)
	h.open(t)
	h.connect(t)
	return h
}

func TestDirectory(t *testing.T) {
	cloudtest.Directory(t, func(t *testing.T) cloud.Directory { return build(t) })
}

func TestVerifier(t *testing.T) {
	cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer {
		h := build(t)
		return &cloudtest.Peer{Verifier: h, Directory: h, Now: h.Now, Advance: h.Advance,
			SentCode:  func(t *testing.T, id cloud.ChallengeID) string { return enginetest.SentCode(t, h.path, id) },
			Telephone: enginetest.Telephone(func() *engine.Engine { return h.engine }),
			Reopen:    func(t *testing.T) (cloud.Verifier, cloud.Directory) { h.Reopen(t); return h, h }}
	})
}
