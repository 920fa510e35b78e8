package storetest

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
)

// Place is an empty store under test, made into an engine with a key.
type Place struct {
	Key  seal.Key
	Open func(t testing.TB) engine.Store               // one more handle, as another process would have it; the suite closes it
	Hide func(t testing.TB, table string, hidden bool) // takes a table away as somebody else who writes in the store, or brings it back
}

// epoch is when the clocks of tests stand still.
var epoch = time.Date(2026, 11, 2, 9, 0, 7, 0, time.UTC)

// operator is who administers in tests.
var operator = engine.Actor{Who: "operator", Reason: "test"}

// Setup is what a [Place] is to be made with.
func Setup() engine.Setup {
	return engine.Setup{Domains: []string{"contoso.example"}, Actor: operator, Now: epoch}
}

// node is an engine on a handle of its own, with a clock that all nodes of a
// test share.
type node struct {
	*engine.Engine
	place Place
	clock clock
	store engine.Store
	sent  *sent
}

// clock is the one clock of several nodes.
type clock struct{ *cloudtest.Clock }

// sent is a Sender that keeps what it was given.
type sent struct {
	mu   sync.Mutex
	text map[cloud.ChallengeID]string
}

// Send implements [engine.Sender].
func (s *sent) Send(_ context.Context, m engine.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text[cloud.ChallengeID(m.ID)] = string(m.Text.Reveal())
	return nil
}

// Delivers implements [engine.Sender].
func (s *sent) Delivers() bool { return true }

var digits = regexp.MustCompile(`\b\d{6}\b`)

func (s *sent) code(_ *testing.T, id cloud.ChallengeID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return digits.FindString(s.text[id])
}

// nodes opens several engines on one store.
func (p Place) nodes(t testing.TB, count int) []*node {
	t.Helper()
	c := clock{cloudtest.ClockAt(epoch)}
	var all []*node
	for range count {
		n := &node{place: p, clock: c, sent: &sent{text: map[cloud.ChallengeID]string{}}}
		n.open(t)
		all = append(all, n)
	}
	return all
}

func (n *node) open(t testing.TB) {
	t.Helper()
	n.store = n.place.Open(t)
	var err error
	n.Engine, err = engine.Open(t.Context(), engine.Config{Store: n.store, Key: n.place.Key, Now: n.clock.Now,
		Senders: map[cloud.Preference]engine.Sender{cloud.SMS: n.sent}})
	if err != nil {
		t.Fatal(err)
	}
	e, s := n.Engine, n.store
	t.Cleanup(func() {
		if err := errors.Join(e.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
}

// Reopen implements [cloudtest.Reopener].
func (n *node) Reopen(t *testing.T) cloud.Directory {
	if err := errors.Join(n.Engine.Close(), n.store.Close()); err != nil {
		t.Fatal(err)
	}
	n.open(t)
	return n
}

// enrol makes a user with Generator(i).
func (n *node) enrol(t testing.TB, i int) cloud.UserID {
	t.Helper()
	upn := name(i)
	results := n.Write(t.Context(), []cloud.Change{
		{UPN: upn, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: &cloud.Profile{UPN: upn, Enabled: true}}},
		{UPN: upn, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(i)}},
	})
	for _, r := range results {
		if r.Outcome != cloud.Done {
			t.Fatal(r.Outcome, r.Err)
		}
	}
	return cloud.UserID(results[0].ID)
}
