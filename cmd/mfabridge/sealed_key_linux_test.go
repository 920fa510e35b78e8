package main

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/internal/regular"
)

// A sealed key is no pipe that a start would wait at, and neither is the identity
// that opens it.
func TestNoSealedKeyOutOfAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSealed(pipe); !errors.Is(err, regular.ErrOther) {
		t.Error(err)
	}
	if isSealed(pipe) {
		t.Error("a pipe is taken for a file that age has sealed")
	}
}
