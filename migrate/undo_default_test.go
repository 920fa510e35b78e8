package migrate_test

import (
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// A default that cannot be unset names what the user had before, so that what the
// plan brought can go: targets refuse to lose what a default names before the rest.
func TestUndoMovesADefaultThatCannotBeUnset(t *testing.T) {
	all := []cloud.Preference{cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile, cloud.VoiceOffice, cloud.VoiceAlternateMobile}
	mobile, office, token := adds(cloud.Mobile, cloud.TextValue("+1 4255550111")), adds(cloud.Office, cloud.TextValue("+1 4255550113")), adds(cloud.HardwareOATH, cloud.Value{OATH: generator("T-2")})
	own := cloud.OATHEntry{ID: "own", Method: cloud.SoftwareOATH, OATH: *generator("OWN")}
	for name, c := range map[string]struct {
		had   func(*cloud.User)
		added []migrate.PlannedChange
		plan  cloud.Preference // becomes the default
		takes []cloud.Preference
		after cloud.Preference
		stuck bool // what the default names stays
	}{
		"a token beside a number":     {func(u *cloud.User) { u.Mobile = "+1 4255550199" }, []migrate.PlannedChange{office, token}, cloud.OATHCode, all, cloud.SMS, false},
		"a number beside a generator": {func(u *cloud.User) { u.OATH = []cloud.OATHEntry{own} }, []migrate.PlannedChange{mobile, token}, cloud.SMS, all, cloud.OATHCode, false},
		"one that has to be activated": {func(u *cloud.User) {
			asleep := own
			asleep.Inactive = true
			u.Office, u.OATH = "+1 4255550198", []cloud.OATHEntry{asleep}
		}, []migrate.PlannedChange{mobile}, cloud.SMS, all, cloud.VoiceOffice, false},
		"one that is not allowed": {func(u *cloud.User) {
			u.Office, u.Alternate, u.Forbidden = "+1 4255550198", "+1 4255550197", []cloud.Method{cloud.Office}
		}, []migrate.PlannedChange{token}, cloud.OATHCode, all, cloud.VoiceAlternateMobile, false},
		"only one that is not allowed": {func(u *cloud.User) {
			u.Office, u.ForbiddenWays = "+1 4255550198", []cloud.Preference{cloud.VoiceOffice}
		}, []migrate.PlannedChange{token}, cloud.OATHCode, all, cloud.VoiceOffice, false},
		"one that the target takes not":  {func(u *cloud.User) { u.Mobile = "+1 4255550199" }, []migrate.PlannedChange{token}, cloud.OATHCode, []cloud.Preference{cloud.OATHCode}, cloud.OATHCode, true},
		"called at work beside the rest": {nil, []migrate.PlannedChange{mobile, office, token}, cloud.VoiceOffice, all, "", false}, // the default goes with its method, which is the last
	} {
		d, j := newDirectory(), newJournal()
		d.prefers = c.takes
		d.keeps = func(u *cloud.User, change cloud.Change) error {
			gone := change.After.IsZero()
			switch {
			case change.Method == cloud.DefaultMethod && gone:
				return &cloud.Error{Kind: cloud.Unsupported, Message: "there is always a default"}
			case gone && isWayOf(u.Default, change.Method) && (!change.Method.IsOATH() || len(u.OATH) == 1):
				others := len(u.OATH)
				for _, number := range []string{u.Mobile, u.Alternate, u.Office} {
					if number != "" {
						others++
					}
				}
				if others > 1 {
					return &cloud.Error{Kind: cloud.Invalid, Message: "the default goes last"}
				}
				u.Default = ""
			}
			return nil
		}
		def := migrate.PlannedChange{Change: cloud.Change{Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue(string(c.plan))}, Reason: "sample", Irreversible: true}
		u, p := lone(d, c.had, append(slices.Clone(c.added), def)...)
		applyOK(t, p, j, d, migrate.ApplyOptions{})
		for _, e := range j.entries {
			for i := range e.Results {
				e.Results[i].ID = "" // the answers of apply were lost
			}
		}
		r, said := undo(t, p, j, d, migrate.UndoOptions{})
		if u.Default != c.after || r.Failed+r.Kept > 0 != c.stuck || r.Done == 1 == c.stuck {
			t.Errorf("%s: the default is %q, want %q; %+v, %v", name, u.Default, c.after, r, said)
		}
		for _, of := range c.added {
			if done := said["u "+string(of.Method)] == string(cloud.Done); done == (c.stuck && isWayOf(c.plan, of.Method)) {
				t.Errorf("%s: %s: %s", name, of.Method, said["u "+string(of.Method)])
			}
		}
		if again, said := undo(t, p, j, d, migrate.UndoOptions{}); again.Failed+again.Kept > 0 != c.stuck {
			t.Errorf("%s, once more: %+v, %v", name, again, said)
		}
	}
}

// A default that apply never came to write, or that nobody has any more, is back
// already: it needs to name nothing else.
func TestUndoOfADefaultThatIsNotThere(t *testing.T) {
	for name, killed := range map[string]bool{"never written": true, "gone since": false} {
		d, j := newDirectory(), newJournal()
		d.prefers = []cloud.Preference{cloud.OATHCode, cloud.SMS}
		def := migrate.PlannedChange{Change: cloud.Change{Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue("oath")}, Reason: "sample", Irreversible: true}
		u, p := lone(d, func(u *cloud.User) { u.Mobile = "+1 4255550199" }, adds(cloud.HardwareOATH, cloud.Value{OATH: generator("T-2")}), def)
		applyOK(t, p, j, d, migrate.ApplyOptions{})
		u.Default = ""
		for at, e := range j.entries {
			if killed {
				e.IntentRun, e.Results = e.ResultRun+1, e.Results[:1]
				j.entries[at] = e
			}
		}
		r, said := undo(t, p, j, d, migrate.UndoOptions{})
		if r.Done != 1 || r.Kept+r.Failed > 0 || u.Default != "" || len(u.OATH) > 0 || said["u defaultMethod"] != string(cloud.Already) {
			t.Errorf("%s: %+v, %v, the user has %+v", name, r, said, u)
		}
	}
}

// isWayOf tells whether a preference is a way to use a method.
func isWayOf(p cloud.Preference, m cloud.Method) bool {
	return p == cloud.OATHCode && m.IsOATH() || p == cloud.SMS && m == cloud.Mobile || p == cloud.VoiceOffice && m == cloud.Office || strings.EqualFold(string(p), "voice"+string(m))
}
