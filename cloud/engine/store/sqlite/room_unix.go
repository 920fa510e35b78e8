//go:build unix

package sqlite

import "syscall"

// noRoom tells what the system says where a file cannot grow.
func noRoom(e syscall.Errno) bool {
	return e == syscall.ENOSPC || e == syscall.EDQUOT || e == syscall.EFBIG
}

// readOnly tells what the system says of a file system that was made read-only,
// as Linux does where a disk fails.
func readOnly(e syscall.Errno) bool { return e == syscall.EROFS }
