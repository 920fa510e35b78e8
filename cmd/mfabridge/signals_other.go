//go:build !unix

package main

import "os"

// pauseSignals are none: the system has no signals of that kind.
func pauseSignals() (wait, goOn os.Signal) { return nil, nil }
