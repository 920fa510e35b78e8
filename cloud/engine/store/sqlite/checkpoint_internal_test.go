package sqlite

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"mfabridge/cloud/engine"
)

// opened is a store that is closed with the test.
func opened(t *testing.T) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := Create(t.Context(), path, func(*Store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// What the keeper leaves the writer moves, and then the log is begun anew: it
// does not grow with what was written.
func TestLogIsBegunAnew(t *testing.T) {
	s := opened(t)
	path := s.path
	write := func(name string) {
		t.Helper()
		err := s.Update(t.Context(), func(tx engine.Tx) error { return tx.SetMeta(name, make([]byte, 4<<20)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for round := range 6 {
		write("a")
		write("b")
		keeper, err := dial(path, "rw", "", busyTimeout) // as in tend, which has its own pace
		if err != nil {
			t.Fatal(err)
		}
		if pages, moved, err := keeper.checkpoint(); err != nil || pages == 0 || moved > pages {
			t.Fatalf("round %d: %d of %d pages moved, %v", round, moved, pages, err)
		}
		write("c") // what comes meanwhile is left
		s.rest <- struct{}{}
		if err := keeper.close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := size(); got > 30<<20 { // of 72 MiB; three values of one round, and a little
		t.Errorf("the log has %d MiB", got>>20)
	}
}

func TestFewPagesAreMovedSoon(t *testing.T) {
	for _, c := range []struct {
		gathered      time.Duration
		before, moved int64
		want          time.Duration
	}{
		{gatherFew, 0, 0, gatherFew},
		{gatherFew, 1000, 4000, gatherFew},   // 15,000 a second
		{gatherFew, 1000, 4001, gatherMany},  // more
		{gatherMany, 0, 15_000, gatherFew},   // as many in a second
		{gatherMany, 0, 15_001, gatherMany},  // more
		{gatherFew, 90_000, 2000, gatherFew}, // of a log that was begun anew
		{gatherFew, 90_000, 3001, gatherMany},
	} {
		if got := nextGather(c.gathered, c.before, c.moved); got != c.want {
			t.Errorf("after %v, from %d to %d: %v, not %v", c.gathered, c.before, c.moved, got, c.want)
		}
	}
}
