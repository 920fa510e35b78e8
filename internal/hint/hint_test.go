package hint_test

import (
	"errors"
	"fmt"
	"testing"

	"mfabridge/internal/hint"
)

func TestHint(t *testing.T) {
	cause := errors.New("disk full")
	err := fmt.Errorf("plan: %w", hint.Wrap(cause, "free some space"))
	if err.Error() != "plan: disk full" || !errors.Is(err, cause) {
		t.Errorf("the advice changed the error: %v", err)
	}
	if got := hint.Of(err); got != "free some space" {
		t.Errorf("Of = %q", got)
	}
	if hint.Wrap(nil, "x") != nil || hint.Of(cause) != "" || hint.Of(nil) != "" {
		t.Error("advice out of nothing")
	}
	if got := hint.Of(hint.Default(err, "x")); got != "free some space" {
		t.Errorf("Default put %q over advice that was there", got)
	}
	if got := hint.Of(hint.Default(cause, "x")); got != "x" || hint.Default(nil, "x") != nil {
		t.Errorf("Default gave %q where there was none, or made an error of nil", got)
	}
}
