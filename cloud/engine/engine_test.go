package engine_test

import (
	"errors"
	"net/url"
	"path/filepath"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/engine/tries"
)

// operator is who administers in tests.
var operator = engine.Actor{Who: "operator", Reason: "test"}

// house is an engine on a SQLite store with a clock that stands still.
type house struct {
	*engine.Engine
	*cloudtest.Clock
	path   string
	outbox string
	tries  tries.Limits
	texts  engine.Texts
	fraud  engine.Fraud
	hashes engine.HashCost
	store  *sqlite.Store
}

// build makes a store and opens an engine on it.
func build(t testing.TB) *house {
	t.Helper()
	return buildAs(t, engine.Setup{})
}

// buildAs is build of a kind.
func buildAs(t testing.TB, with engine.Setup) *house {
	t.Helper()
	h := &house{Clock: cloudtest.NewClock()}
	with.Domains, with.Actor, with.Now = []string{"Contoso.Example"}, operator, h.Now()
	h.path = enginetest.Create(t, with)
	h.outbox = filepath.Join(filepath.Dir(h.path), "outbox")
	h.open(t)
	return h
}

func (h *house) open(t testing.TB) {
	t.Helper()
	box := enginetest.Outbox(t, h.path)
	h.Engine, h.store = enginetest.Open(t, h.path, engine.Config{Now: h.Now, Tries: h.tries, Texts: h.texts, Fraud: h.fraud, HashCost: h.hashes,
		Senders: map[cloud.Preference]engine.Sender{cloud.SMS: box, cloud.EmailCode: box},
		Link: func(name string) string {
			return "https://mfa.contoso.example/authenticator#user=" + url.QueryEscape(name)
		}})
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
	h.AwaitSent()
	return enginetest.Sent(t, h.path, id)
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

// activate gives a user an authenticator.
func (h *house) activate(t *testing.T, user cloud.UserID) (device string) {
	t.Helper()
	return enginetest.Activate(t, h.Engine, user)
}

func TestVerifier(t *testing.T) {
	for name, as := range map[string]func(h *house) cloud.Verifier{
		"one by one":   func(h *house) cloud.Verifier { return h },
		"by the dozen": func(h *house) cloud.Verifier { return cloudtest.Settled{Settling: h} },
	} {
		t.Run(name, func(t *testing.T) {
			cloudtest.Verifier(t, func(t *testing.T) *cloudtest.Peer {
				h := build(t)
				return &cloudtest.Peer{Verifier: as(h), Directory: h, Now: h.Now, Advance: h.Advance,
					SentCode:  func(t *testing.T, id cloud.ChallengeID) string { return enginetest.SentCode(t, h.path, id) },
					Telephone: enginetest.Telephone(func() *engine.Engine { return h.Engine }),
					Reopen:    func(t *testing.T) (cloud.Verifier, cloud.Directory) { h.Reopen(t); return as(h), h }}
			})
		})
	}
}
