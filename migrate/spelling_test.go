package migrate_test

import (
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// A target may write a number with other blanks, and an address in other letters,
// than it was given: that is what the plan wanted, and can be taken back.
func TestTargetThatSpellsOtherwise(t *testing.T) {
	for name, c := range map[string]struct {
		method       cloud.Method
		given, shown string
		same         bool
	}{
		"hyphens":         {cloud.Mobile, "+1 4255550111", "+1 425-555-0111", true},
		"no blank":        {cloud.Mobile, "+1 4255550111", "+14255550111", true},
		"an extension":    {cloud.Office, "+1 4255550111x55", "+1 4255550111 x55", true},
		"letters":         {cloud.Email, "Ada@Home.example", "ada@home.example", true},
		"another number":  {cloud.Mobile, "+1 4255550111", "+1 4255550112", false},
		"no extension":    {cloud.Office, "+1 4255550111x55", "+1 4255550111", false},
		"another address": {cloud.Email, "ada@home.example", "ada@work.example", false},
	} {
		d, j := newDirectory(), newJournal()
		u, p := lone(d, nil, adds(c.method, cloud.TextValue(c.given)))
		applyOK(t, p, j, d, migrate.ApplyOptions{})
		slot := map[cloud.Method]*string{cloud.Mobile: &u.Mobile, cloud.Office: &u.Office, cloud.Email: &u.Email}[c.method]
		*slot = c.shown
		if found, _ := symbols(t, p, j, d, false); (found["u"] == migrate.Same) != c.same {
			t.Errorf("%s: check says %s", name, found["u"])
		}
		again := newJournal()
		if r := applyOK(t, p, again, d, migrate.ApplyOptions{}); (r.Changes[cloud.Already] == 1) != c.same || *slot != c.shown {
			t.Errorf("%s: applied again: %+v, the user has %s", name, r, *slot)
		}
		r, err := migrate.Undo(t.Context(), p, j, d, migrate.UndoOptions{})
		if err != nil || (r.Done == 1) != c.same || (*slot == "") != c.same {
			t.Errorf("%s: undone: %+v, %v, the user has %q", name, r, err, *slot)
		}
	}
}
