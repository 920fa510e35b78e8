package main

import (
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// A preview says which default a user would have; of no other method is a value
// said, which may be somebody's number.
func TestPreviewNamesTheDefault(t *testing.T) {
	for want, c := range map[string]cloud.Change{
		" to sms":  {Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue("oath"), After: cloud.TextValue("sms")},
		" to none": {Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue("oath")},
		"":         {Op: cloud.Update, Method: cloud.Mobile, Before: cloud.TextValue("+1 4255550101"), After: cloud.TextValue("+1 4255550102")},
	} {
		if got := defaultOf(migrate.PlannedChange{Change: c}); got != want {
			t.Errorf("%s: %q, want %q", c.Method, got, want)
		}
	}
}
