package serve_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/regular"
)

// A certificate is read again while people are served: no pipe holds that up.
func TestNoCertificateOutOfAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := serve.LoadCertificate(pipe, pipe, time.Now, func(error) {}); !errors.Is(err, regular.ErrOther) {
		t.Error(err)
	}
}
