//go:build unix

package engine

import (
	"os"
	"syscall"
)

// keepOwner gives a new file to the owner of the one that it replaces: root may
// rotate the key of a service that runs as somebody else.
func keepOwner(f *os.File, old string) error {
	info, err := os.Stat(old)
	if err != nil {
		return err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(s.Uid) == os.Getuid() {
		return nil
	}
	return f.Chown(int(s.Uid), int(s.Gid))
}
