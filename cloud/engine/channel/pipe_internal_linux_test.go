package channel

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/internal/regular"
)

// A provider's authority is no pipe that a start would wait at.
func TestNoAuthorityOutOfAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := authorities(pipe); !errors.Is(err, regular.ErrOther) {
		t.Error(err)
	}
}
