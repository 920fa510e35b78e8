package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"mfabridge/internal/hint"
)

// The limits of the command line are refused where they make no sense.
func TestApplyOptionsRefused(t *testing.T) {
	s := planned(t)
	for _, args := range [][]string{
		{"--rate", "0"}, {"--rate", "fast"}, {"--rate", "10/h"}, {"--rate", "10/"}, {"--rate", "-1"}, {"--rate", "NaN"}, {"--concurrency", "0"}, {"--concurrency", "65"},
		{"--quiet-hours", "8-18"}, {"--quiet-hours", "08:00-18:00;"}, {"--gate", "  "}, {"--gate", "'open"}, {"--gate", "true", "--wave", "pilot"},
		{"--rehearse-faults", "explode"}, {"--max-failures", "-1"}, {"--max-failures", "0"}, {"--max-users", "0"}, {"--max-removals", "-1"},
	} {
		r := mfabridge(t, append([]string{"apply", s.plan}, args...)...)
		if r.code != exitUsage || !strings.Contains(r.err, "mfabridge: hint: ") {
			t.Errorf("%v: exit code %d, %s", args, r.code, r.err)
		}
	}
	if r := mfabridge(t, "apply", s.plan, "--wave", "pilot"); r.code != exitFailed || !strings.Contains(r.err, `no wave "pilot"`) {
		t.Errorf("an unknown wave: exit code %d, %s", r.code, r.err)
	}
	quiet := mfabridge(t, "apply", s.plan, "--quiet-hours", "00:00-24:00")
	if quiet.code != exitNotNow || !strings.Contains(quiet.err, "quiet hours are on until") {
		t.Errorf("quiet hours: exit code %d, %s", quiet.code, quiet.err)
	}
	// A zone of the machine that is none would be UTC without a word. One that is named holds.
	for _, zone := range []string{"Mars/Olympus", "CET-1CEST", "/no/such/zone"} {
		t.Setenv("TZ", zone)
		if r := mfabridge(t, "apply", s.plan, "--quiet-hours", "00:00-24:00"); r.code != exitUsage || !strings.Contains(r.err, "TZ") {
			t.Errorf("quiet hours where TZ is %s: exit code %d, %s", zone, r.code, r.err)
		}
		must(t, exitNotNow, "apply", s.plan, "--quiet-hours", "00:00-24:00,Europe/Berlin")
	}
	t.Setenv("TZ", ":Asia/Tokyo")
	if r := mfabridge(t, "apply", s.plan, "--quiet-hours", "00:00-24:00"); r.code != exitNotNow || !strings.Contains(r.err, "JST") {
		t.Errorf("quiet hours in Tokyo: exit code %d, %s", r.code, r.err)
	}
	if _, err := os.Stat(s.plan + ".journal"); err == nil {
		t.Error("a run that did not begin left a journal")
	}
}

// A digest is the same one in capitals, as PowerShell and certutil write it.
func TestExpectAnyCase(t *testing.T) {
	s := planned(t)
	text, err := os.ReadFile(s.plan)
	if err != nil {
		t.Fatal(err)
	}
	digest := fmt.Sprintf("%X", sha256.Sum256(text))
	if r := mfabridge(t, "apply", s.plan, "--expect", strings.Repeat("0", len(digest)), "--max-users", "1"); r.code != exitFailed {
		t.Errorf("another digest: exit code %d, %s", r.code, r.err)
	}
	if r := mfabridge(t, "apply", s.plan, "--expect", digest+"\r", "--max-users", "1"); r.code != exitNotNow { // the limit
		t.Errorf("in capitals: exit code %d, %s", r.code, r.err)
	}
}

func TestParseRate(t *testing.T) {
	for given, want := range map[string]float64{"10": 10, "10/s": 10, "300/m": 5, "0.5/s": 0.5} {
		if got, err := parseRate(given); err != nil || got != want {
			t.Errorf("%s: %v, %v", given, got, err)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for given, want := range map[string][]string{
		"./ask": {"./ask"}, " sh  -c 'a b; \"c\"' ": {"sh", "-c", `a b; "c"`}, `x "" y`: {"x", "", "y"}, `a"b c"d`: {"ab cd"}, `$HOME *|;`: {"$HOME", "*|;"},
	} {
		if got, err := splitWords(given); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for _, wrong := range []string{"", "''", "a 'b", `"`} {
		if got, err := splitWords(wrong); err == nil || hint.Of(err) == "" {
			t.Errorf("%q: %q", wrong, got)
		}
	}
}
