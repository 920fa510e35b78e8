package house_test

import (
	"bytes"
	"path"
	"testing"
)

// The program never says what a hash of a password costs: the engine knows.
// What is for tests could be left in by mistake, and nothing would look wrong.
func TestOnlyTestsMakeHashesCheap(t *testing.T) {
	seen := 0
	for name, src := range sources(t) {
		if !bytes.Contains(src, []byte("HashCost")) {
			continue
		}
		seen++
		if !maySayCost(name) {
			t.Errorf("%s speaks of engine.HashCost, which only the engine and tests may", name)
		}
	}
	if seen == 0 {
		t.Error("nothing speaks of HashCost: this rule is about something that is gone")
	}
}

// maySayCost tells whether a file that is no test may speak of HashCost.
func maySayCost(name string) bool {
	switch path.Dir(name) {
	case "cloud/engine", "cloud/engine/enginetest":
		return true
	}
	return false
}

// The rule must be able to say no.
func TestCheapHashesAreSeen(t *testing.T) {
	for name, want := range map[string]bool{
		"cloud/engine/password.go":         true,
		"cloud/engine/enginetest/house.go": true,
		"cmd/mfabridge/target.go":          false,
		"cloud/engine/config/config.go":    false,
	} {
		if got := maySayCost(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
