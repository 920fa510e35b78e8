package main

import (
	"cmp"
	"os"
	"runtime"
	"runtime/debug"

	"mfabridge/cloud/engine/config"
)

// What an engine needs of memory, roughly: by itself, for a password that is
// checked, and for a device that holds a connection open.
const (
	memoryBase       = 64 << 20
	memoryPassword   = 20 << 20
	memoryConnection = 40 << 10
)

// defaultConnections is limits.connections where it is not set.
const defaultConnections = 4096

// boundMemory has garbage collected more often as an engine comes near to what
// its connections need, so that thousands that came at once do not leave it at
// twice that. It is no limit on what it may use, and who sets GOMEMLIMIT or GOGC
// keeps that. The result undoes it.
func boundMemory(limits config.Limits) (end func()) {
	if os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" {
		return func() {}
	}
	connections := int64(cmp.Or(limits.Connections, defaultConnections))
	before := debug.SetMemoryLimit(memoryBase + int64(runtime.GOMAXPROCS(0))*memoryPassword + connections*memoryConnection)
	return func() { debug.SetMemoryLimit(before) }
}
