package sqlite

import (
	"testing"

	"mfabridge/cloud/engine"
)

// Readers that come one after the other share a connection and its page cache;
// those that read at once have one each.
func TestReadersShareAPageCache(t *testing.T) {
	s := opened(t)
	used := map[*conn]int{}
	for range 3 * maxReaders {
		if err := s.View(t.Context(), func(r engine.Reader) error { used[r.(reader).c]++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(used) != 1 {
		t.Errorf("one reader after the other took %d connections", len(used))
	}
	clear(used)
	var nested func(left int) error
	nested = func(left int) error {
		return s.View(t.Context(), func(r engine.Reader) error {
			used[r.(reader).c]++
			if left == 1 {
				return nil
			}
			return nested(left - 1)
		})
	}
	if err := nested(maxReaders); err != nil || len(used) != maxReaders {
		t.Errorf("%d readers at once took %d connections, %v", maxReaders, len(used), err)
	}
}
