package main

import (
	"os"
	"runtime/debug"
)

// How often garbage is collected by commands that pass many rows through
// little memory, as GOGC: what is alive stays small, so that collecting less
// often costs some ten megabytes and saves up to a fifth of the CPU.
const (
	readingGC = 200 // for commands that only read: within 128 MiB
	writingGC = 400 // for plan, apply and check: within 256 MiB
)

// bulk prepares the process for work on many rows and returns how to undo
// that. Who sets GOGC keeps it.
func bulk(percent int) (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(before) }
}
