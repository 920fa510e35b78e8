package postgres_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/internal/peer"
)

// Who has much to write leaves others a turn: what waits is not written all at
// once, however long that takes. Each update is written all the same.
func TestTurnsEnd(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	for turn, want := range map[time.Duration]uint64{0: 5, time.Hour: 1} {
		s := opens(t, address)
		postgres.SetTurn(s, turn)
		all := slices.Repeat([]func(engine.Tx) error{counting}, 5)
		wait := sync.OnceFunc(func() {
			for s.Stats().Queue < len(all)-1 {
				runtime.Gosched()
			}
		})
		all[0] = func(tx engine.Tx) error {
			wait() // for the others to be there
			return counting(tx)
		}
		for _, err := range s.UpdateEach(t.Context(), all) {
			if err != nil {
				t.Error(err)
			}
		}
		if got := s.Stats(); got.Commits != want || got.Updates != 5 {
			t.Errorf("turns of %v: %+v", turn, got)
		}
	}
}

// Each process, each command too, leaves a row behind that says which of its
// commits was the last; those of long ago go, a few at a time.
func TestWritersOfLongAgoAreForgotten(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	s := opens(t, address)
	table := schemaOf(address) + ".writers"
	if err := s.Update(t.Context(), counting); err != nil {
		t.Fatal(err)
	}
	here := sql(t, "SELECT count(*) FROM "+table)
	sql(t, "INSERT INTO "+table+" SELECT 'old' || n, 1, extract(epoch FROM now() - interval '8 days')::bigint FROM generate_series(1, 5) n; "+
		"INSERT INTO "+table+" VALUES ('lately', 1, extract(epoch FROM now() - interval '6 days')::bigint)")
	for _, left := range []string{"2", "0", "0"} {
		if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.Prune("", time.Unix(0, 0), 3) }); err != nil {
			t.Fatal(err)
		}
		if got := sql(t, "SELECT count(*) FROM "+table+" WHERE id LIKE 'old%'"); got != left {
			t.Errorf("%s old ones are left, want %s", got, left)
		}
	}
	if got := sql(t, "SELECT count(*) FROM "+table+" WHERE id NOT LIKE 'old%' AND id <> 'lately'"); got != here {
		t.Errorf("%s of those that write are left, want %s", got, here)
	}
	if got := sql(t, "SELECT count(*) FROM "+table+" WHERE id = 'lately'"); got != "1" {
		t.Errorf("one of last week: %s", got)
	}
	if err := s.Update(t.Context(), counting); err != nil {
		t.Fatal(err)
	}
}

// A process whose clock is wrong neither dates its own row by it nor forgets
// the rows of others.
func TestWritersGoByTheServersClock(t *testing.T) {
	peer.NeedCluster(t, cluster)
	address, _ := made(t)
	table := schemaOf(address) + ".writers"
	sql(t, "INSERT INTO "+table+" VALUES ('old', 1, extract(epoch FROM now() - interval '8 days')::bigint)")
	synctest.Test(t, func(t *testing.T) { // at the end of 1999
		s := opens(t, address)
		if err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.Prune("", time.Unix(0, 0), 3) }); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if got := sql(t, "SELECT count(*) FROM "+table+" WHERE id = 'old'"); got != "0" {
		t.Errorf("%s of long ago is left", got)
	}
	if got := sql(t, "SELECT count(*) FROM "+table+" WHERE seen < extract(epoch FROM now() - interval '1 hour')"); got != "0" {
		t.Errorf("%s is dated by another clock than the server's", got)
	}
}
