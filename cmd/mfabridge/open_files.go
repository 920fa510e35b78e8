package main

import (
	"cmp"
	"log/slog"

	"mfabridge/shim/config"
)

// moreFiles is what to do where a process may have too few files open.
const moreFiles = "raise what the process may have open (LimitNOFILE in its unit, ulimit -n), or write a smaller number"

// leastFiles are the files that a shim or an engine may have open at any time that
// are no connections of others.
const leastFiles = 128

// connectionsFor is how many connections each of some listeners may have in a
// process that may have so many files open (0: nobody knows), of which others
// like them have their parts: all that are wanted, or as many as there is room
// for. A quarter, and no less than leastFiles, stays for the store, for directories and servers that are asked,
// and for what is written: connections that say nothing must not take that.
func connectionsFor(files, parts, listeners, wanted int) int {
	room := (files - max(files/4, leastFiles)) / max(parts, 1) / max(listeners, 1)
	if files == 0 || wanted <= room {
		return wanted
	}
	return max(room, 1)
}

// boundRadSec lowers radius.radsec.max_connections to what this process has room
// for.
func boundRadSec(conf *config.Config, log *slog.Logger) {
	r := conf.RADIUS.RadSec
	if r == nil {
		return
	}
	each := connectionsOf(conf, r.MaxConnections)
	if each < r.MaxConnections {
		log.Warn("fewer RadSec connections are taken than radius.radsec.max_connections says: the process may not have as many files open",
			"max_connections", r.MaxConnections, "taken", each, "open_files", openFiles(), "hint", moreFiles)
	}
	r.MaxConnections = each
}

// connectionsOf is how many connections each listener of a shim may have, beside
// an engine that answers others in its process.
func connectionsOf(conf *config.Config, wanted int) int {
	parts, listeners := 1, 0
	if conf.Engine.Config != "" {
		parts = 2
	}
	if conf.RADIUS.RadSec != nil {
		listeners = len(conf.RADIUS.RadSec.Addresses)
	}
	if conf.Ops != "" {
		listeners++
	}
	return connectionsFor(openFiles(), parts, listeners, wanted)
}

// boundConnections has the engine's listeners take no more connections than the
// process has room for; parts is 2 where a shim is in it.
func (s *engineServer) boundConnections(parts int) {
	wanted, files := cmp.Or(s.conf.Limits.Connections, defaultConnections), openFiles()
	each := connectionsFor(files, parts, len(s.doors.conns), wanted)
	if each < wanted {
		s.log.Warn("fewer connections are taken than limits.connections says: the process may not have as many files open",
			"connections", wanted, "taken", each, "listeners", len(s.doors.conns), "open_files", files, "hint", moreFiles)
	}
	s.group.Connections = each
}
