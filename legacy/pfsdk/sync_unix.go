//go:build !windows

package pfsdk

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile keeps other pulls away from a file until it is closed.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	if err != nil {
		return fmt.Errorf("%s cannot be locked: %w", f.Name(), err)
	}
	return nil
}
