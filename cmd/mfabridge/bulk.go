package main

import (
	"os"
	"runtime/debug"
)

// bulkGC is the garbage collector's target for commands that pass many rows
// through little memory: what is alive stays small, so that collecting a
// quarter as often costs some ten megabytes and saves a fifth of the CPU.
const bulkGC = 400

// bulk prepares the process for work on many rows and returns how to undo
// that. Who sets GOGC keeps it.
func bulk(percent int) (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(bulkGC)
	return func() { debug.SetGCPercent(before) }
}
