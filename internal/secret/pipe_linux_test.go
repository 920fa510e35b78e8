package secret_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/internal/secret"
)

// A named pipe that nobody writes to is refused, and not waited for.
func TestLoadDoesNotWaitForAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Load("file:" + pipe); err == nil || !strings.Contains(err.Error(), pipe+" is not a regular file") {
		t.Error(err)
	}
}
