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
	"sync"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/tries"
)

// House is an engine with a clock that stands still, and without limits on who
// guesses: those are the driver's own.
type House struct {
	*engine.Engine
	*cloudtest.Clock
	path string

	// Settle waits, after somebody has answered a challenge of the engine,
	// until the driver can know; nil: it asks when it is asked.
	Settle func(t *testing.T, engines, drivers cloud.ChallengeID)

	mu    sync.Mutex
	last  cloud.ChallengeID                       // begun by the peer last
	inner map[cloud.ChallengeID]cloud.ChallengeID // the engine's, by the driver's
}

// Open makes an engine that ends with t.
func Open(t testing.TB) *House {
	t.Helper()
	h := &House{Clock: cloudtest.NewClock(), inner: map[cloud.ChallengeID]cloud.ChallengeID{}}
	h.path = enginetest.Create(t, engine.Setup{Domains: []string{"contoso.example"}, Now: h.Now()})
	box := enginetest.Outbox(t, h.path)
	h.Engine, _ = enginetest.Open(t, h.path, engine.Config{Tries: tries.Limits{Free: 1000}, Now: h.Now, Senders: map[cloud.Preference]engine.Sender{cloud.SMS: box}})
	return h
}

// Ada is a user with a mobile and nothing else.
func (h *House) Ada(t testing.TB) cloud.UserID {
	t.Helper()
	profile := &cloud.Profile{UPN: "ada@contoso.example", DisplayName: "Ada", Enabled: true}
	made := h.Write(t.Context(), []cloud.Change{
		{UPN: profile.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: profile}},
		{UPN: profile.UPN, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+44 2079460000")}})
	for _, r := range made {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	return cloud.UserID(made[0].ID)
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

// sent is the code in the outbox for a challenge of the driver.
func (h *House) sent(t *testing.T, id cloud.ChallengeID) string {
	t.Helper()
	return enginetest.SentCode(t, h.path, h.engines(id))
}

// telephone answers the engine's challenge where the suite names the driver's.
func (h *House) telephone() *cloudtest.Telephone {
	engines := enginetest.Telephone(func() *engine.Engine { return h.Engine })
	return &cloudtest.Telephone{
		Activate: engines.Activate,
		Press: func(t *testing.T, user cloud.UserID, id cloud.ChallengeID, answer, number string) {
			t.Helper()
			engines.Press(t, user, h.engines(id), answer, number)
			if h.Settle != nil {
				h.Settle(t, h.engines(id), id)
			}
		},
	}
}
