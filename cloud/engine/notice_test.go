package engine_test

import (
	"testing"
	"time"
)

// What the suite cannot do: a clock that was set back keeps nobody out for as
// long as it was wrong.
func TestNoticeEndsWithItsClock(t *testing.T) {
	h := build(t)
	if err := h.Note(t.Context(), "k", time.Minute); err != nil {
		t.Fatal(err)
	}
	h.Advance(-time.Hour)
	if up, err := h.Noted(t.Context(), "k"); err != nil || up {
		t.Errorf("it is up: %v, %v", up, err)
	}
}
