package engine_test

import (
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// A token opens as what it was sealed, whole, in this engine, and for its purpose.
func FuzzOpenFlow(f *testing.F) {
	h := build(f)
	good, err := h.SealFlow(engine.Flow{ID: "x", App: "a", Step: engine.AtSecond, Begun: h.Now(), Until: h.Now().AddDate(0, 0, 1)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:20])
	f.Add(strings.Repeat("A", 9000))
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := h.OpenFlow(token); err == nil && token != good {
			t.Errorf("%q opens as %+v", token, got)
		}
	})
}

// Another engine opens no token of this one.
func TestTokensOfAnotherEngine(t *testing.T) {
	h, other := build(t), build(t)
	token, err := h.SealFlow(engine.Flow{ID: "x", Begun: h.Now(), Until: h.Now().AddDate(0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.OpenFlow(token); err != nil {
		t.Errorf("its own: %v", err)
	}
	if _, err := other.OpenFlow(token); cloud.KindOf(err) != cloud.NotFound || err == nil {
		t.Errorf("another's: %v", err)
	}
}
