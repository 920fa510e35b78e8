//go:build !unix

package sqlite

import "syscall"

// noRoom is left to SQLite's own code for a full disk.
func noRoom(syscall.Errno) bool { return false }

// readOnly is left to SQLite's own code, too.
func readOnly(syscall.Errno) bool { return false }
