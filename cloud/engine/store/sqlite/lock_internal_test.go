package sqlite

import (
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// A lock that does not fit on the disk is no matter of who owns it.
func TestLockOnAFullDisk(t *testing.T) {
	s := &Store{path: t.TempDir() + "/cloud.db"}
	err := s.lockFailure(t.Context(), sqlite3.Error{Code: sqlite3.ErrFull})
	if cloud.KindOf(err) != cloud.Unavailable || !strings.Contains(err.Error(), "full") || !strings.Contains(hint.Of(err), "room") {
		t.Errorf("it says %v, and %q", err, hint.Of(err))
	}
}
