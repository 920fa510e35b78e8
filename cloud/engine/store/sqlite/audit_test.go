package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/store/sqlite"
)

func appended(t *testing.T, s engine.Store, node, action string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		return tx.Append(audit.Entry{Time: time.Unix(1, 0), Node: node, Actor: "a", Action: action, Subject: "s"})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func entries(t *testing.T, s engine.Store) (all []audit.Entry) {
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
func chained(t *testing.T, all []audit.Entry, want map[string]int64) {
	t.Helper()
	last := map[string]audit.Entry{}
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
			return errors.Join(tx.Append(audit.Entry{Node: "a"}), tx.Append(audit.Entry{Node: "c"}), undone)
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
