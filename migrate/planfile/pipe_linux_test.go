package planfile_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/migrate/planfile"
)

// A plan is read at more than one place: a pipe is none, and is not waited for.
func TestNoPlanOutOfAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := planfile.Open(pipe, ""); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}
