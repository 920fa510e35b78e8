//go:build unix

package durable

import (
	"os"
	"syscall"
)

// KeepOwner gives a new file or folder to the owner of another one, which it
// replaces or belongs to: root may administer what a service uses that runs as
// somebody else.
func KeepOwner(f *os.File, of string) error {
	info, err := os.Stat(of)
	if err != nil {
		return err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(s.Uid) == os.Getuid() {
		return nil
	}
	return f.Chown(int(s.Uid), int(s.Gid))
}
