//go:build unix

package main

import (
	"os"
	"syscall"
)

// pauseSignals make apply wait and go on.
func pauseSignals() (wait, goOn os.Signal) { return syscall.SIGUSR1, syscall.SIGUSR2 }
