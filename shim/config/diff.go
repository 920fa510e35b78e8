package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mfabridge/internal/confcheck"
)

// Diff says in one line each what is different in a newer configuration, for
// the log: "radius.clients.vpn.on_outage: silent -> reject". Of a secret it
// says only that it changed, also where the file that it comes from kept its
// name.
func Diff(before, after *Config) []string {
	old, now := confcheck.Flat(before), confcheck.Flat(after)
	all := maps.Clone(old)
	maps.Copy(all, now)
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		was, had := old[key]
		is, has := now[key]
		switch {
		case had && has && was == is:
		case strings.HasSuffix(key, confcheck.Hidden):
			if had && has {
				lines = append(lines, strings.TrimSuffix(key, confcheck.Hidden)+heldElse)
			}
		case !had:
			lines = append(lines, fmt.Sprintf("%s: %s (new)", key, is))
		case !has:
			lines = append(lines, fmt.Sprintf("%s: %s (gone)", key, was))
		default:
			lines = append(lines, fmt.Sprintf("%s: %s -> %s", key, was, is))
		}
	}
	return lines
}

// heldElse is said of a file, or a variable, that kept its name.
const heldElse = ": what it holds has changed"

// NeedsRestart names what is different and cannot be changed while the shim
// runs, e.g. "engine.url" or, of a file that kept its name, "what engine.ca
// holds"; empty: everything can.
func NeedsRestart(before, after *Config) []string {
	var keys []string
	for _, line := range Diff(before, after) {
		key, _, _ := strings.Cut(line, ":")
		for _, fixed := range []string{"engine", "data"} {
			if key != fixed && !strings.HasPrefix(key, fixed+".") {
				continue
			}
			if strings.HasSuffix(line, heldElse) {
				key = "what " + key + " holds"
			}
			keys = append(keys, key)
			break
		}
	}
	return keys
}
