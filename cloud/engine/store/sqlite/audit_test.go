package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
)

func appended(t *testing.T, s engine.Store, node, action string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		return tx.Append(engine.Entry{Time: time.Unix(1, 0), Node: node, Actor: "a", Action: action, Subject: "s"})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func entries(t *testing.T, s engine.Store) (all []engine.Entry) {
	t.Helper()
	err := s.View(t.Context(), func(r engine.Reader) (err error) {
		all, err = r.Audit(0, 1000)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// chained checks numbers and links of each node.
func chained(t *testing.T, all []engine.Entry, want map[string]int64) {
	t.Helper()
	last := map[string]engine.Entry{}
	for i, e := range all {
		prev := last[e.Node]
		if e.Number != prev.Number+1 || len(e.Link) != 64 || bytes.Equal(e.Link[:32], prev.Link) {
			t.Errorf("entry %d: number %d behind %d", i, e.Number, prev.Number)
		}
		last[e.Node] = e
	}
	for node, n := range want {
		if last[node].Number != n {
			t.Errorf("node %s ends at %d, want %d", node, last[node].Number, n)
		}
	}
}

// What several processes append to one file is one chain for each node, also
// where updates were undone in between.
func TestAuditIsChainedAcrossProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := sqlite.Create(t.Context(), path, func(*sqlite.Store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	one, two := opens(t, path), opens(t, path)
	undone := errors.New("undone")
	for i := range 6 {
		appended(t, one, "a", fmt.Sprint("one.", i))
		err := one.Update(t.Context(), func(tx engine.Tx) error {
			return errors.Join(tx.Append(engine.Entry{Node: "a"}), tx.Append(engine.Entry{Node: "c"}), undone)
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		appended(t, two, "a", fmt.Sprint("two.", i))
		appended(t, two, "b", "x")
		appended(t, one, "b", "y")
	}
	chained(t, entries(t, one), map[string]int64{"a": 12, "b": 12})
}

func TestAuditKeepsWhatItSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := sqlite.Create(t.Context(), path, func(*sqlite.Store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s := opens(t, path)
	for range 10 {
		appended(t, s, "a", "x")
	}
	first := entries(t, s)[0]
	for name, edit := range map[string]func(*engine.Entry){
		"another subject":  func(e *engine.Entry) { e.Subject = "other" },
		"a detail":         func(e *engine.Entry) { e.Detail = "other" },
		"another link":     func(e *engine.Entry) { e.Link = make([]byte, 80) },
		"no link any more": func(e *engine.Entry) { e.Link = []byte{} },
	} {
		e := first
		edit(&e)
		if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.Redact(&e) }); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	erased := first
	erased.Subject, erased.Link = "erased:x", append(bytes.Clone(first.Link[:48]), make([]byte, 32)...)
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.Redact(&erased) }); err != nil {
		t.Error(err)
	}
	prune := func(through int64, limit, want int) {
		t.Helper()
		err := s.Update(t.Context(), func(tx engine.Tx) error {
			n, err := tx.PruneAudit(through, limit)
			if n != want {
				t.Errorf("%d were removed, want %d", n, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	prune(4, 3, 3)
	prune(4, 3, 1)
	prune(4, 3, 0)
	prune(100, 100, 6) // all of a node
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = opens(t, path)
	appended(t, s, "a", "y")
	if all := entries(t, s); len(all) != 1 || all[0].Number != 11 || all[0].Seq != 11 {
		t.Errorf("it goes on with %+v", all)
	}
}

func TestFence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := sqlite.Create(t.Context(), path, func(*sqlite.Store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s := opens(t, path)
	at := time.Unix(6_000_000, 0)
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		u := &engine.User{Aside: []byte("x")}
		u.ID = "u"
		for i, clock := range []engine.Clock{{Proven: true, Drift: 3, Seen: 9}, {Drift: -5}, {Last: 300_000, Proven: true}} {
			k := &engine.Token{User: "u", Sealed: []byte("x"), Clock: clock}
			k.ID, k.Serial, k.Period = fmt.Sprint(i), fmt.Sprint(i), 30
			if err := tx.PutToken(k); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutUser(u), tx.PutChallenge(&engine.Challenge{ID: "c", User: "u", Key: "k", State: cloud.Approved}),
			tx.PutAttempt(&engine.Attempt{Challenge: "c", Key: "k"}), tx.SetSpent("f", 5), tx.Fence(at, 1, 20))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(context.Background(), func(r engine.Reader) error {
		tokens, err := r.Tokens("u")
		if err != nil {
			return err
		}
		for i, want := range []int64{200_004, 200_020, 300_000} {
			if tokens[i].Last != want || tokens[i].Seen != 0 {
				t.Errorf("generator %d: %+v, want last %d", i, tokens[i].Clock, want)
			}
		}
		u, err := r.User("u")
		if err != nil || u.Aside != nil {
			t.Errorf("aside: %v, %v", u.Aside, err)
		}
		c, err := r.Challenge("c")
		if err != nil || c != nil {
			t.Errorf("challenge: %v, %v", c, err)
		}
		spent, err := r.Spent("f")
		if spent != at.Unix() {
			t.Errorf("spent until %d", spent)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
