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
}
