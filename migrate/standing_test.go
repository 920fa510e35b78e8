package migrate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

func TestStand(t *testing.T) {
	change := migrate.PlannedChange{Change: cloud.Change{Op: cloud.Add, Method: cloud.Mobile}}
	plan := &fakePlan{waves: []migrate.Chosen{{Name: "pilot", Given: "group:Pilot"}, {Name: "rest", Given: "100%"}}}
	add := func(name, wave string, action migrate.Action, changes int) {
		d := migrate.Decision{Ordinal: len(plan.decisions), Username: name, Wave: wave, Action: action}
		for range changes {
			d.Changes = append(d.Changes, change)
		}
		plan.decisions = append(plan.decisions, d)
	}
	add("done", "pilot", migrate.Modify, 2)
	add("already", "pilot", migrate.Modify, 1)
	add("half", "pilot", migrate.Modify, 2)
	add("begun", "pilot", migrate.Modify, 1)
	add("nothing", "rest", migrate.Keep, 0)
	add("waits", "rest", migrate.Modify, 1)
	add("left out", "rest", migrate.Skip, 0)
	add("alone", "", migrate.Modify, 1)
	j := newJournal()
	j.entries[0] = migrate.JournalEntry{Ordinal: 0, IntentRun: 1, ResultRun: 1, Results: []migrate.ChangeResult{{Seq: 0, Outcome: cloud.Done}, {Seq: 1, Outcome: cloud.Already}}}
	j.entries[1] = migrate.JournalEntry{Ordinal: 1, IntentRun: 1, ResultRun: 1, Results: []migrate.ChangeResult{{Outcome: cloud.Already}}}
	j.entries[2] = migrate.JournalEntry{Ordinal: 2, IntentRun: 1, ResultRun: 1, Results: []migrate.ChangeResult{{Seq: 0, Outcome: cloud.Done}, {Seq: 1, Outcome: cloud.Failed}}}
	j.entries[3] = migrate.JournalEntry{Ordinal: 3, IntentRun: 1}

	old := map[string]migrate.Standing{}
	waves, err := migrate.Stand(t.Context(), plan, j, func(d migrate.Decision, s migrate.Standing) error {
		if s.Old() {
			old[d.Username] = s
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []migrate.WaveStanding{
		{Wave: "pilot", Given: "group:Pilot", Users: map[migrate.Standing]int{migrate.Moved: 2, migrate.Partly: 2}},
		{Wave: "rest", Given: "100%", Users: map[migrate.Standing]int{migrate.Moved: 1, migrate.Waiting: 1, migrate.LeftOut: 1}},
		{Users: map[migrate.Standing]int{migrate.Waiting: 1}},
	}
	if diff := cmp.Diff(want, waves); diff != "" {
		t.Error(diff)
	}
	names := map[string]migrate.Standing{"half": migrate.Partly, "begun": migrate.Partly, "waits": migrate.Waiting, "left out": migrate.LeftOut, "alone": migrate.Waiting}
	if diff := cmp.Diff(names, old); diff != "" {
		t.Error(diff)
	}
	never, err := migrate.Stand(t.Context(), plan, nil, nil)
	if err != nil || never[0].Users[migrate.Waiting] != 4 || never[1].Users[migrate.Moved] != 1 {
		t.Errorf("a plan that was never applied: %+v, %v", never, err)
	}
}
