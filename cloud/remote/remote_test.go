package remote_test

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
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
	engine *engine.Engine
	api    *api.API
	server *httptest.Server
	store  *sqlite.Store
	path   string
	outbox string
	secret secret.Bytes // of the application "all"
	plain  bool         // http and not https
	lease  time.Duration
	mu     sync.Mutex
	now    time.Time
}

func (h *house) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) Advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// build makes an engine with an application of role admin, and a client.
func build(t testing.TB, edit ...func(*house)) *house {
	t.Helper()
	h := &house{path: filepath.Join(t.TempDir(), "cloud.db"), now: time.Date(2026, 11, 2, 9, 0, 7, 0, time.UTC)}
	for _, f := range edit {
		f(h)
	}
	h.outbox = filepath.Join(filepath.Dir(h.path), "outbox")
	err := sqlite.Init(t.Context(), h.path, "", engine.Setup{Domains: []string{"Contoso.Example"}, Actor: operator, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	h.open(t)
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
	s, err := sqlite.Open(t.Context(), h.path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := engine.LoadKey("file:" + h.path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	box, err := channel.OpenOutbox(h.outbox, cloud.SMS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	h.store = s
	h.engine, err = engine.Open(t.Context(), engine.Config{Store: s, Key: key, Now: h.Now, Log: log,
		Senders: map[cloud.Preference]engine.Sender{cloud.SMS: box}})
	if err != nil {
		t.Fatal(err)
	}
	h.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.api.Handler(serve.API).ServeHTTP(w, r)
	}))
	h.server.EnableHTTP2 = true
	if h.plain {
		h.server.Start()
	} else {
		h.server.StartTLS()
	}
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

// sent is the text of the message of a challenge.
func (h *house) sent(t *testing.T, id cloud.ChallengeID) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.outbox, "*-"+string(id)+".json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d messages for the challenge, %v", len(files), err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var w channel.Written
	if err := json.Unmarshal(content, &w); err != nil {
		t.Fatal(err)
	}
	return w.Text
}

func TestDirectory(t *testing.T) {
	cloudtest.Directory(t, func(t *testing.T) cloud.Directory { return build(t) })
}

// telephone is an authenticator of each user; it speaks to the engine itself.
func (h *house) telephone() *cloudtest.Telephone {
	device := func(t *testing.T, user cloud.UserID) string {
		t.Helper()
		users, err := h.engine.Read(t.Context(), []cloud.UserID{user})
		if err != nil || len(users[0].Authenticators) != 1 {
			t.Fatalf("authenticators: %+v, %v", users, err)
		}
		return users[0].Authenticators[0].ID
	}
	return &cloudtest.Telephone{
		Activate: func(t *testing.T, user cloud.UserID) {
			t.Helper()
			invite := cloud.Change{User: user, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}}
			if r := h.engine.Write(t.Context(), []cloud.Change{invite})[0]; r.Outcome != cloud.Done {
				t.Fatal(r.Err)
			}
			if err := h.engine.Activate(t.Context(), user, device(t, user), "Synthetic phone"); err != nil {
				t.Fatal(err)
			}
		},
		Press: func(t *testing.T, user cloud.UserID, id cloud.ChallengeID, answer, number string) {
			t.Helper()
			r := engine.Response{User: user, Device: device(t, user), Challenge: id, Answer: engine.PushAnswer(answer), Number: number}
			if _, err := h.engine.Respond(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestVerifier(t *testing.T) {
	digits := regexp.MustCompile(`\b\d{6}\b`)
	cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer {
		h := build(t)
		return &cloudtest.Peer{Verifier: h, Directory: h, Now: h.Now, Advance: h.Advance,
			SentCode:  func(t *testing.T, id cloud.ChallengeID) string { return digits.FindString(h.sent(t, id)) },
			Telephone: h.telephone(),
			Reopen:    func(t *testing.T) (cloud.Verifier, cloud.Directory) { h.Reopen(t); return h, h }}
	})
}
