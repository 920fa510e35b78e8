package sqlite_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/hint"
)

func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

// Root who locks a store first leaves the lock to its owner, who could lock
// nothing any more, and gives away nothing that lies in the lock's place.
func TestLockIsTheOwners(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	const service = 65534
	for name, linked := range map[string]bool{"new": false, "a link to another file": true} {
		folder := t.TempDir()
		path, other := filepath.Join(folder, "cloud.db"), filepath.Join(folder, "other")
		if err := sqlite.Create(t.Context(), path, func(*sqlite.Store) error { return nil }); err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, service, service); err != nil {
			t.Fatal(err)
		}
		lock, want := path+".lock", uint32(service)
		if linked {
			if err := os.WriteFile(other, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(other, lock); err != nil {
				t.Fatal(err)
			}
			want = 0
		}
		unlock, err := s.Lock(t.Context(), "test")
		if err == nil {
			err = unlock()
		}
		if err != nil && !linked {
			t.Errorf("%s: %v", name, err)
		}
		if got := ownerOf(t, lock); got != want {
			t.Errorf("%s: it belongs to %d, want %d", name, got, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A lock that somebody else owns is not one that is held, nor a target that is
// away: trying again does not help.
func TestLockOfSomebodyElse(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else for a while")
	}
	path := filepath.Join(t.TempDir(), "cloud.db")
	if err := sqlite.Create(t.Context(), path, func(*sqlite.Store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // the thread alone is somebody else for files
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	_, err = s.Lock(t.Context(), "test")
	if back := syscall.Setfsuid(0); back != nil {
		t.Fatal(back)
	}
	if cloud.KindOf(err) != cloud.Denied || !strings.Contains(hint.Of(err), "run as the user who owns the store") {
		t.Errorf("%v, %s", err, hint.Of(err))
	}
}
