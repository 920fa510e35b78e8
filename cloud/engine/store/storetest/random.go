package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/tries"
	"mfabridge/cloud/oath"
)

// expected is what a store holds by what it was told, as far as updates at
// random write it.
type expected struct {
	tries    map[cloud.ChallengeID]int
	attempts map[cloud.ChallengeID]int
	last     int64
	failures int
	lines    []string
}

func (m expected) clone() expected {
	m.tries, m.attempts = maps.Clone(m.tries), maps.Clone(m.attempts)
	m.lines = m.lines[:len(m.lines):len(m.lines)]
	return m
}

// op is one call: on a transaction, and on what is expected of it. Both tell
// what was read.
type op struct {
	on    func(tx engine.Tx) (string, error)
	model func(m *expected) string
}

func writes(on func(tx engine.Tx) error, model func(m *expected)) op {
	return op{func(tx engine.Tx) (string, error) { return "", on(tx) }, func(m *expected) string { model(m); return "" }}
}

var counterAtRandom = tries.Counter{User: "id-1", Way: "oath", Place: "random"}

// writeAtRandom writes n somewhere; login: only what a login that is let in writes.
func writeAtRandom(r *rand.Rand, n int, login bool) op {
	id := cloud.ChallengeID(fmt.Sprintf("%04d", r.IntN(3)))
	ways := 6
	if login {
		ways = 5
	}
	switch r.IntN(ways) {
	case 0, 1:
		c := sampleChallenge()
		c.ID, c.Key, c.Tries, c.Created = id, "key of "+string(id), n, time.Now()
		return writes(func(tx engine.Tx) error { return tx.PutChallenge(c) }, func(m *expected) { m.tries[id] = n })
	case 2:
		return writes(func(tx engine.Tx) error { return tx.PutAttempt(&engine.Attempt{Challenge: id, Key: "a", Tries: n}) },
			func(m *expected) { m.attempts[id] = n })
	case 3:
		return writes(func(tx engine.Tx) error { return tx.SetClock("id-1", "token-1", oath.Clock{Last: int64(n)}) },
			func(m *expected) { m.last = int64(n) })
	case 4:
		return writes(func(tx engine.Tx) error { return tx.Append(line(n)) }, func(m *expected) { m.lines = append(m.lines, fmt.Sprint(n)) })
	default:
		return writes(func(tx engine.Tx) error {
			return tx.PutFailures(counterAtRandom, tries.Failures{Count: n, Last: epoch})
		}, func(m *expected) { m.failures = n })
	}
}

// readAtRandom reads something; login: only what a login reads.
func readAtRandom(r *rand.Rand, login bool) op {
	id := cloud.ChallengeID(fmt.Sprintf("%04d", r.IntN(3)))
	challenge := func(c *engine.Challenge, err error) (string, error) {
		if err != nil || c == nil {
			return "none", err
		}
		return fmt.Sprint(c.ID, c.Tries), nil
	}
	known := func(m *expected) string {
		if n, ok := m.tries[id]; ok {
			return fmt.Sprint(id, n)
		}
		return "none"
	}
	ways := 7
	if login {
		ways = 4
	}
	switch r.IntN(ways) {
	case 0:
		return op{func(tx engine.Tx) (string, error) { return challenge(tx.Challenge(id)) }, known}
	case 1:
		return op{func(tx engine.Tx) (string, error) { return challenge(tx.ChallengeByKey("key of " + string(id))) }, known}
	case 2:
		return op{func(tx engine.Tx) (string, error) {
			a, err := tx.Attempt(id, "a")
			if err != nil || a == nil {
				return "0", err
			}
			return fmt.Sprint(a.Tries), nil
		}, func(m *expected) string { return fmt.Sprint(m.attempts[id]) }}
	case 3:
		return op{func(tx engine.Tx) (string, error) {
			tokens, err := tx.Tokens("id-1")
			if err != nil || len(tokens) != 1 {
				return "none", err
			}
			return fmt.Sprint(tokens[0].Last), nil
		}, func(m *expected) string { return fmt.Sprint(m.last) }}
	case 4:
		return op{func(tx engine.Tx) (string, error) {
			f, err := tx.Failures(counterAtRandom)
			return fmt.Sprint(f.Count), err
		}, func(m *expected) string { return fmt.Sprint(m.failures) }}
	case 5:
		return op{func(tx engine.Tx) (string, error) {
			all, err := tx.ChallengesAfter("", 100)
			return fmt.Sprint(len(all)), err
		},
			func(m *expected) string { return fmt.Sprint(len(m.tries)) }}
	default:
		return op{func(tx engine.Tx) (string, error) {
			all, err := tx.Audit(0, 1<<20)
			var said []string
			for _, e := range all {
				if e.Node != "one" {
					continue
				}
				if said = append(said, e.Subject); e.Number != int64(len(said)) {
					return "", fmt.Errorf("line %d has the number %d", len(said), e.Number)
				}
			}
			return strings.Join(said, " "), err
		}, func(m *expected) string { return strings.Join(m.lines, " ") }}
	}
}

// atRandom is one update.
type atRandom struct {
	ops  []op
	ends int      // how: 0: by an error, 1: by a fault
	read []string // when it ran last
}

func newAtRandom(r *rand.Rand, n *int) *atRandom {
	u := &atRandom{ends: r.IntN(5)}
	login := r.IntN(4) > 0
	for range r.IntN(8) {
		if *n++; r.IntN(2) > 0 {
			u.ops = append(u.ops, writeAtRandom(r, *n, login))
		} else {
			u.ops = append(u.ops, readAtRandom(r, login))
		}
	}
	return u
}

func (u *atRandom) run(tx engine.Tx) error {
	u.read = u.read[:0] // it may run again
	for _, o := range u.ops {
		text, err := o.on(tx)
		if err != nil {
			return err
		}
		u.read = append(u.read, text)
	}
	switch u.ends {
	case 0:
		return errNo
	case 1:
		panic("secret canary")
	}
	return nil
}

// updatesAtRandom has updates come at once that write and read at random, of
// which some fail: each reads what was written before, and nothing else.
func updatesAtRandom(t *testing.T, p Place) {
	s := p.opens(t)
	token := sampleToken()
	token.Last = 0
	update(t, s, func(tx engine.Tx) error { return tx.PutToken(&token) })
	m := expected{tries: map[cloud.ChallengeID]int{}, attempts: map[cloud.ChallengeID]int{}}
	r := rand.New(rand.NewPCG(7, 7))
	n := 0
	for round := range 40 {
		updates := make([]*atRandom, 1+r.IntN(12))
		fns := make([]func(engine.Tx) error, len(updates))
		for i := range updates {
			updates[i] = newAtRandom(r, &n)
			fns[i] = updates[i].run
		}
		for i, err := range s.UpdateEach(t.Context(), fns) {
			u, after := updates[i], m.clone()
			for k, o := range u.ops {
				if want := o.model(&after); k >= len(u.read) || u.read[k] != want {
					t.Fatalf("round %d, update %d, call %d: read %q, want %q; %v", round, i, k, u.read, want, err)
				}
			}
			if (err == nil) != (u.ends > 1) {
				t.Fatalf("round %d, update %d: %v", round, i, err)
			}
			if err == nil {
				m = after
			}
		}
	}
}
