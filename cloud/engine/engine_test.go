package engine_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
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
	"mfabridge/cloud/engine/store/sqlite"
)

// operator is who administers in tests.
var operator = engine.Actor{Who: "operator", Reason: "test"}

// house is an engine on a SQLite store with a clock that stands still.
type house struct {
	*engine.Engine
	path   string
	outbox string
	limits engine.Limits
	fraud  engine.Fraud
	mu     sync.Mutex
	now    time.Time
	store  *sqlite.Store
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

// build makes a store and opens an engine on it.
func build(t testing.TB) *house {
	t.Helper()
	return buildAs(t, engine.Setup{})
}

// buildAs is build of a kind.
func buildAs(t testing.TB, with engine.Setup) *house {
	t.Helper()
	h := &house{path: filepath.Join(t.TempDir(), "cloud.db"), now: time.Date(2026, 11, 2, 9, 0, 7, 0, time.UTC)}
	h.outbox = filepath.Join(filepath.Dir(h.path), "outbox")
	with.Domains, with.Actor, with.Now = []string{"Contoso.Example"}, operator, h.now
	err := sqlite.Init(t.Context(), h.path, "", with)
	if err != nil {
		t.Fatal(err)
	}
	h.open(t)
	return h
}

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
	h.store = s
	h.Engine, err = engine.Open(t.Context(), engine.Config{Store: s, Key: key, Now: h.Now, Limits: h.limits, Fraud: h.fraud,
		Senders: map[cloud.Preference]engine.Sender{cloud.SMS: box, cloud.EmailCode: box}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Link: func(name string) string {
			return "https://mfa.contoso.example/authenticator#user=" + url.QueryEscape(name)
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), box.Close()); err != nil {
			t.Error(err)
		}
	})
}

// Reopen closes everything and opens it again.
func (h *house) Reopen(t *testing.T) cloud.Directory {
	if err := errors.Join(h.Engine.Close(), h.store.Close()); err != nil {
		t.Fatal(err)
	}
	h.open(t)
	return h
}

// sent is the message of a challenge in the outbox.
func (h *house) sent(t *testing.T, id cloud.ChallengeID) channel.Written {
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
	return w
}

func TestDirectory(t *testing.T) {
	cloudtest.Directory(t, func(t *testing.T) cloud.Directory { return build(t) })
}

// Both kinds keep to what they say of themselves.
func TestLimited(t *testing.T) {
	for _, kind := range []engine.Kind{engine.KindEngine, engine.KindEntra} {
		t.Run(string(kind), func(t *testing.T) {
			cloudtest.Limited(t, func(t *testing.T) (cloud.Directory, cloud.UserID) {
				h := buildAs(t, engine.Setup{Kind: kind})
				return h, h.user(t, 1)
			})
		})
	}
}

// telephone is an authenticator of each user.
func (h *house) telephone() *cloudtest.Telephone {
	return &cloudtest.Telephone{
		Activate: func(t *testing.T, user cloud.UserID) { h.activate(t, user) },
		Press: func(t *testing.T, user cloud.UserID, id cloud.ChallengeID, answer, number string) {
			t.Helper()
			r := engine.Response{User: user, Device: h.read(t, user).Authenticators[0].ID, Challenge: id, Answer: engine.PushAnswer(answer), Number: number}
			if _, err := h.Respond(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// activate gives a user an authenticator.
func (h *house) activate(t *testing.T, user cloud.UserID) (device string) {
	t.Helper()
	h.write(t, cloud.Change{User: user, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}})
	device = h.read(t, user).Authenticators[0].ID
	if err := h.Activate(t.Context(), user, device, "Synthetic phone"); err != nil {
		t.Fatal(err)
	}
	return device
}

func TestVerifier(t *testing.T) {
	digits := regexp.MustCompile(`\b\d{6}\b`)
	cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer {
		h := build(t)
		return &cloudtest.Peer{Verifier: h, Directory: h, Now: h.Now, Advance: h.Advance,
			SentCode:  func(t *testing.T, id cloud.ChallengeID) string { return digits.FindString(h.sent(t, id).Text) },
			Telephone: h.telephone(),
			Reopen:    func(t *testing.T) (cloud.Verifier, cloud.Directory) { h.Reopen(t); return h, h }}
	})
}
