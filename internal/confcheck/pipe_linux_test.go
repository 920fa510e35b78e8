package confcheck_test

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/internal/confcheck"
	"mfabridge/internal/regular"
)

// What a configuration names is read without waiting for who writes to a pipe.
func TestNoCertificateOutOfAPipe(t *testing.T) {
	k := &confcheck.Check{Folder: t.TempDir()}
	if err := unix.Mkfifo(filepath.Join(k.Folder, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.Pair("pipe", "pipe", "tls")
	k.Authorities("pipe", "tls", "name a file")
	if len(k.Problems) != 2 {
		t.Fatal(k.Problems)
	}
	for _, err := range k.Problems {
		if !errors.Is(err, regular.ErrOther) {
			t.Error(err)
		}
	}
}
