package engine_test

import (
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
)

// A notice is seen through every engine on the store, for its time and no
// longer, and only under its own key.
func TestNotices(t *testing.T) {
	h := build(t)
	var board cloud.Noticeboard = h.Engine
	for _, test := range []struct {
		key  string
		life time.Duration
	}{{"", time.Second}, {strings.Repeat("k", cloud.MaxIdempotencyKey+1), time.Second}, {"k", 0}, {"k", 2*cloud.RepeatWindow + 1}} {
		if err := board.Note(t.Context(), test.key, test.life); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("%d bytes for %s: %v", len(test.key), test.life, err)
		}
	}
	up := func(key string, want bool) {
		t.Helper()
		if got, err := board.Noted(t.Context(), key); err != nil || got != want {
			t.Errorf("%q is up: %v, %v", key, got, err)
		}
	}
	up("k", false)
	if err := board.Note(t.Context(), "k", time.Minute); err != nil {
		t.Fatal(err)
	}
	up("k", true)
	up("K", false)
	h.Advance(59 * time.Second)
	up("k", true)
	h.Advance(time.Second)
	up("k", false)
	h.Advance(-time.Hour) // the clock was set back: nobody is kept out for an hour
	up("k", false)
}
