package migrate_test

import (
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// Who activates an app after a plan was applied is asked by push: the plan
// holds. A default that the plan took push away from, or any other, does not.
func TestCheckKnowsWhatActivationDoes(t *testing.T) {
	for name, c := range map[string]struct {
		before, after, found string
		holds                bool
	}{
		"as planned":              {"", "oath", "oath", true},
		"activated since":         {"", "oath", "push", true},
		"push was to go":          {"push", "oath", "push", false},
		"another one was planned": {"", "sms", "push", false},
		"another one was chosen":  {"", "oath", "sms", false},
	} {
		change := cloud.Change{Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue(c.before), After: cloud.TextValue(c.after)}
		if got := migrate.Holds(&change, cloud.TextValue(c.found)); got != c.holds {
			t.Errorf("%s: %t", name, got)
		}
	}
}
