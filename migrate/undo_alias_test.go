package migrate_test

import (
	"slices"
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// Undo takes away the aliases that the plan brought, whatever else a user goes
// by since; a profile that was changed otherwise stays as it is.
func TestUndoOfAliases(t *testing.T) {
	for name, test := range map[string]struct {
		since  func(*cloud.Profile)
		left   []string
		sid    string
		stays  bool
		killed bool // undo was about to, and is run again
	}{
		"nothing since":     {func(*cloud.Profile) {}, []string{"was"}, "", false, false},
		"one more":          {func(p *cloud.Profile) { p.Aliases = append(p.Aliases, "since") }, []string{"since", "was"}, "", false, false},
		"ours is gone":      {func(p *cloud.Profile) { p.Aliases = []string{"was"} }, []string{"was"}, "", false, false},
		"an old one gone":   {func(p *cloud.Profile) { p.Aliases = []string{"CONTOSO\\u"} }, nil, "", false, false},
		"another case":      {func(p *cloud.Profile) { p.Aliases = []string{"contoso\\U", "was", "since"} }, []string{"since", "was"}, "", false, false},
		"another Sid":       {func(p *cloud.Profile) { p.SID = "S-1-5-21-9"; p.Aliases = append(p.Aliases, "since") }, []string{"CONTOSO\\u", "since", "was"}, "S-1-5-21-9", true, false},
		"killed, one more":  {func(p *cloud.Profile) { p.Aliases = append(p.Aliases, "since") }, []string{"since", "was"}, "", false, true},
		"killed afterwards": {func(p *cloud.Profile) { p.SID, p.Aliases = "", []string{"was", "since"} }, []string{"since", "was"}, "", false, true},
	} {
		d, j := newDirectory(), newJournal()
		u := &cloud.User{ID: "id", Profile: cloud.Profile{UPN: "u@contoso.example", Aliases: []string{"was"}, Enabled: true}}
		d.users[u.ID] = u
		before, after := u.Profile, u.Profile
		after.Aliases, after.SID = []string{"CONTOSO\\u", "was"}, "S-1-5-21-1"
		dec := migrate.Decision{Username: "u", UPN: u.UPN, Target: u.ID, Action: migrate.Modify}
		dec.Changes = []migrate.PlannedChange{planned(&dec, cloud.Update, cloud.Account, cloud.Value{Profile: &before}, cloud.Value{Profile: &after})}
		p := &fakePlan{instance: "i-1", decisions: []migrate.Decision{dec}}
		applyOK(t, p, j, d, migrate.ApplyOptions{})
		u.Profile.Aliases = slices.Clone(u.Profile.Aliases)
		if test.killed {
			e := j.entries[0]
			e.IntentRun, e.Results = e.ResultRun+1, []migrate.ChangeResult{{Seq: 0, Outcome: migrate.Pending}}
			j.entries[0] = e
		}
		test.since(&u.Profile)
		r, said := undo(t, p, j, d, migrate.UndoOptions{})
		slices.Sort(u.Profile.Aliases)
		if !slices.Equal(u.Profile.Aliases, test.left) || u.Profile.SID != test.sid || r.Kept > 0 != test.stays || r.Failed > 0 {
			t.Errorf("%s: %+v, %+v, %v", name, u.Profile, r, said)
		}
		if _, stands := j.entries[0]; stands != test.stays {
			t.Errorf("%s: the journal has an entry: %v", name, stands)
		}
	}
}
