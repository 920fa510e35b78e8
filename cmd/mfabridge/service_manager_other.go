//go:build !linux

package main

import (
	"os"
	"time"
)

// monotonic is a clock that only systemd asks for.
func monotonic() (since time.Duration, ok bool) { return 0, false }

// journalled is never so: there is no journald.
func journalled(*os.File) bool { return false }
