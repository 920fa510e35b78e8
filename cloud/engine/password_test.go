package engine_test

import (
	"strings"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
)

// What a stolen store keeps of passwords is worth as much work as was promised,
// and nobody's password is compared for as long.
func TestHashesCostWhatTheyShould(t *testing.T) {
	h := build(t)
	for name, c := range map[string]struct {
		cost engine.HashCost
		want string
	}{
		"unless told otherwise": {engine.HashCost{}, "$argon2id$v=19$m=19456,t=2,p=1$"},
		"in tests":              {enginetest.Cheap(), "$argon2id$v=19$m=64,t=1,p=1$"},
	} {
		e, err := engine.Open(t.Context(), engine.Config{Store: h.store, Key: enginetest.Key(t, h.path), Now: h.Now, HashCost: c.cost})
		if err != nil {
			t.Fatal(err)
		}
		made, dummy := e.Hashes(t)
		if !strings.HasPrefix(made, c.want) || !strings.HasPrefix(dummy, c.want) {
			t.Errorf("%s: %s and nobody's %s, want %s", name, made, dummy, c.want)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
