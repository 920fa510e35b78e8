// Package sessiontest plays the cloud behind a driver: an engine in process
// that a test puts a published interface in front of, and the conformance suite
// of package cloudtest over the driver that calls that interface.
//
//	h := sessiontest.Open(t)
//	peer := httptest.NewTLSServer(published(h))     // calls h.Engine, and h.Begun for each challenge
//	cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer { … return h.Peer(driver, lacks) })
package sessiontest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
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

// House is an engine with a clock that stands still, and without limits on who
// guesses: those are the driver's own.
type House struct {
	*engine.Engine
	outbox string

	// Settle waits, after somebody has answered a challenge of the engine,
	// until the driver can know; nil: it asks when it is asked.
	Settle func(t *testing.T, engines, drivers cloud.ChallengeID)

	mu    sync.Mutex
	now   time.Time
	last  cloud.ChallengeID                       // begun by the peer last
	inner map[cloud.ChallengeID]cloud.ChallengeID // the engine's, by the driver's
}

// Open makes an engine that ends with t.
func Open(t testing.TB) *House {
	t.Helper()
	h := &House{now: time.Date(2026, 11, 2, 9, 0, 7, 0, time.UTC), inner: map[cloud.ChallengeID]cloud.ChallengeID{}}
	path := filepath.Join(t.TempDir(), "cloud.db")
	h.outbox = filepath.Join(filepath.Dir(path), "outbox")
	err := sqlite.Init(t.Context(), path, "", engine.Setup{Domains: []string{"contoso.example"}, Actor: engine.Actor{Who: "operator", Reason: "test"}, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := engine.LoadKey("file:" + path + ".key")
	if err != nil {
		t.Fatal(err)
	}
	box, err := channel.OpenOutbox(h.outbox, cloud.SMS)
	if err != nil {
		t.Fatal(err)
	}
	h.Engine, err = engine.Open(t.Context(), engine.Config{Store: s, Key: key, Limits: engine.Limits{Free: 1000}, Now: h.Now, Senders: map[cloud.Preference]engine.Sender{cloud.SMS: box},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(h.Engine.Close(), s.Close(), box.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Now is the clock.
func (h *House) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// Advance moves it.
func (h *House) Advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// Begun is told by the peer which challenge a call of the driver has begun.
func (h *House) Begun(id cloud.ChallengeID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = id
}

// Who resolves keys as a driver's Who does: the peer knows user principal
// names, the suite the engine's ids.
func (h *House) Who(ctx context.Context, key cloud.Key) (cloud.UserID, string, error) {
	unknown := &cloud.Error{Kind: cloud.NotFound, Message: "there is no such user"}
	found, err := h.Find(ctx, []cloud.Key{key})
	if err != nil {
		return "", "", err
	}
	if len(found[0]) != 1 {
		return "", "", unknown
	}
	users, err := h.Read(ctx, found[0])
	if err != nil {
		return "", "", err
	}
	if users[0].ID == "" {
		return "", "", unknown
	}
	return users[0].ID, users[0].UPN, nil
}

// tracked is the driver, and which of its challenges is which of the engine's.
type tracked struct {
	cloud.Verifier
	h *House
}

func (v tracked) Begin(ctx context.Context, r cloud.Request) (cloud.Challenge, error) {
	c, err := v.Verifier.Begin(ctx, r)
	v.h.mu.Lock()
	defer v.h.mu.Unlock()
	if _, known := v.h.inner[c.ID]; err == nil && !known {
		v.h.inner[c.ID] = v.h.last
	}
	return c, err
}

// Peer is the driver for the suite.
func (h *House) Peer(driver cloud.Verifier, lacks map[string]string) *cloudtest.Peer {
	return &cloudtest.Peer{Verifier: tracked{driver, h}, Directory: h, Now: h.Now, Advance: h.Advance, SentCode: h.sent, Telephone: h.telephone(), Lacks: lacks}
}

func (h *House) engines(id cloud.ChallengeID) cloud.ChallengeID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.inner[id]
}

var digits = regexp.MustCompile(`\b\d{6}\b`)

// sent is the code in the outbox for a challenge of the driver.
func (h *House) sent(t *testing.T, id cloud.ChallengeID) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.outbox, "*-"+string(h.engines(id))+".json"))
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
	return digits.FindString(w.Text)
}

func (h *House) telephone() *cloudtest.Telephone {
	device := func(t *testing.T, user cloud.UserID) string {
		t.Helper()
		users, err := h.Read(t.Context(), []cloud.UserID{user})
		if err != nil || len(users[0].Authenticators) != 1 {
			t.Fatalf("authenticators: %+v, %v", users, err)
		}
		return users[0].Authenticators[0].ID
	}
	return &cloudtest.Telephone{
		Activate: func(t *testing.T, user cloud.UserID) {
			t.Helper()
			invite := cloud.Change{User: user, Op: cloud.Add, Method: cloud.Authenticator, After: cloud.Value{State: "invited"}}
			if r := h.Write(t.Context(), []cloud.Change{invite})[0]; r.Outcome != cloud.Done {
				t.Fatal(r.Err)
			}
			if err := h.Engine.Activate(t.Context(), user, device(t, user), "Synthetic phone"); err != nil {
				t.Fatal(err)
			}
		},
		Press: func(t *testing.T, user cloud.UserID, id cloud.ChallengeID, answer, number string) {
			t.Helper()
			r := engine.Response{User: user, Device: device(t, user), Challenge: h.engines(id), Answer: engine.PushAnswer(answer), Number: number}
			if _, err := h.Respond(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if h.Settle != nil {
				h.Settle(t, r.Challenge, id)
			}
		},
	}
}
