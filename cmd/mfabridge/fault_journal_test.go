package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A journal that is gone costs nothing but its memory: what is made is found.
// That of another plan, and what is none, are refused.
func TestApplyJournals(t *testing.T) {
	m := mixedStore(t)
	journal := m.plan + ".journal"
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(journal + suffix)
	}
	m.whole(t, "already", must(t, exitDone, "apply", m.plan, "--format", "json").out)

	m.reset(t) // and in the middle
	if r := stopped(t, giveUp, syscall.SIGKILL, "apply", m.plan, "--rehearse-faults", "die-after@2"); !r.killed {
		t.Fatalf("%+v", r)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(journal + suffix)
	}
	out := must(t, exitDone, "apply", m.plan, "--format", "json").out
	if got := m.counts(t, out); got["done"]+got["already"] != m.total || got["already"] == 0 || got["done"] == 0 {
		t.Errorf("changes %v, want %d in all", got, m.total)
	}
	if got := m.listing(t); !maps.Equal(got, m.want) {
		t.Errorf("the store differs: %s", firstDifference(got, m.want))
	}

	m.reset(t)
	copyFiles(t, m.path("half.plan.journal"), filepath.Dir(m.plan))
	if err := os.Rename(m.path("half.plan.journal"), journal); err != nil {
		t.Fatal(err)
	}
	if r := mfabridge(t, "apply", m.plan); r.code != exitFailed || !strings.Contains(r.err, "belongs to another plan") || !strings.Contains(r.err, "hint: ") {
		t.Errorf("a foreign journal: exit code %d, %s", r.code, r.err)
	}
	m.write(t, "move.plan.journal", strings.Repeat("not a journal ", 1000))
	if r := mfabridge(t, "apply", m.plan); r.code != exitFailed || !strings.Contains(r.err, "cannot be used") {
		t.Errorf("no journal: exit code %d, %s", r.code, r.err)
	}
	if err := os.Remove(journal); err != nil {
		t.Fatal(err)
	}
	m.goesOn(t)
}

// Two machines with copies of the plan, each with a journal of its own, on one
// store: one works at a time, and the second finds what the first has made.
func TestApplyTwoMachines(t *testing.T) {
	m := mixedStore(t)
	m.reset(t)
	machines := []string{m.path("one"), m.path("two")}
	for _, dir := range machines {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		copyFiles(t, m.plan, dir)
		copyFiles(t, m.plan+".key", dir)
	}
	ends := make([]ran, 2)
	var running sync.WaitGroup
	for i, dir := range machines {
		running.Go(func() {
			ends[i] = stopped(t, giveUp, syscall.SIGKILL, "apply", filepath.Join(dir, "move.plan"), "--rehearse-faults", "slow:5ms", "--rate", "20000")
		})
	}
	running.Wait()
	for _, e := range ends {
		if e.code != exitDone && e.code != exitNotNow {
			t.Errorf("exit code %d: %s", e.code, e.err)
		}
	}
	made := map[string]int{}
	for _, dir := range machines {
		for outcome, n := range m.counts(t, must(t, exitDone, "apply", filepath.Join(dir, "move.plan"), "--format", "json").out) {
			made[outcome] += n
		}
	}
	if made["done"] != m.total || made["already"] != m.total {
		t.Errorf("both together: %v, want %d done and as many found", made, m.total)
	}
	if got := m.listing(t); !maps.Equal(got, m.want) {
		t.Errorf("the store differs: %s", firstDifference(got, m.want))
	}

	// Half on one machine; then the other takes over, with a copy of the
	// journal and without.
	for _, withJournal := range []bool{true, false} {
		m.reset(t)
		for _, dir := range machines {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				_ = os.Remove(filepath.Join(dir, "move.plan.journal"+suffix))
			}
		}
		r := stopped(t, giveUp, syscall.SIGKILL, "apply", filepath.Join(machines[0], "move.plan"), "--rehearse-faults", "die-after@3")
		if !r.killed {
			t.Fatalf("%+v", r)
		}
		if withJournal {
			copyFiles(t, filepath.Join(machines[0], "move.plan.journal*"), machines[1])
		}
		got := m.counts(t, must(t, exitDone, "apply", filepath.Join(machines[1], "move.plan"), "--format", "json").out)
		if got["done"]+got["already"] != m.total || withJournal && got["already"] > 0 {
			t.Errorf("with the journal %v: %v, want %d", withJournal, got, m.total)
		}
		if got := m.listing(t); !maps.Equal(got, m.want) {
			t.Errorf("with the journal %v: the store differs: %s", withJournal, firstDifference(got, m.want))
		}
	}
}
