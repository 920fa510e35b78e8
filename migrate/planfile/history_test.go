package planfile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

func begin(t *testing.T, j migrate.Journal, phase migrate.Phase) int {
	t.Helper()
	run, err := j.Begin(t.Context(), phase)
	must(t, err)
	return run
}

// The journal says what stands; the history says what every run has done,
// that which was replaced or put back as well.
func TestHistory(t *testing.T) {
	path, _ := makePlan(t)
	j := openJournal(t, open(t, path))
	ctx := t.Context()
	failed := []migrate.ChangeResult{{Seq: 0, Outcome: cloud.Done, ID: "m-1"}, {Seq: 1, Outcome: cloud.Failed, Kind: cloud.Denied, Message: "no"}}
	done := []migrate.ChangeResult{failed[0], {Seq: 1, Outcome: cloud.Done}}
	kept := []migrate.ChangeResult{{Seq: 1, Outcome: cloud.Done}, {Seq: 0, Outcome: cloud.Outdated, Kind: cloud.Stale, Message: "changed since"}}
	back := []migrate.ChangeResult{{Seq: 0, Outcome: cloud.Done}}

	run := begin(t, j, migrate.PhaseApply)
	must(t, j.Intend(ctx, run, []migrate.JournalEntry{{Ordinal: 0}, {Ordinal: 4}}))
	must(t, j.Record(ctx, run, []migrate.JournalEntry{{Ordinal: 0, Results: failed}}))
	run = begin(t, j, migrate.PhaseApply)
	must(t, j.Intend(ctx, run, []migrate.JournalEntry{{Ordinal: 0, ResultRun: 1, Results: failed[:1]}}))
	must(t, j.Record(ctx, run, []migrate.JournalEntry{{Ordinal: 0, ResultRun: 1, Results: done}}))
	run = begin(t, j, migrate.PhaseUndo)
	must(t, j.Intend(ctx, run, []migrate.JournalEntry{{Ordinal: 0, ResultRun: 2}}))
	must(t, j.Undone(ctx, run, []migrate.UndoneEntry{{Ordinal: 0, ResultRun: 2, Results: kept, Stands: done[:1]}}))
	stands := []migrate.JournalEntry{{Ordinal: 0, IntentRun: 3, ResultRun: 3, Results: done[:1]}, {Ordinal: 4, IntentRun: 1}}
	got, err := j.Entries(ctx, 0, 9)
	must(t, err)
	if diff := cmp.Diff(stands, got); diff != "" {
		t.Errorf("what stands after an undo that left something:\n%s", diff)
	}
	run = begin(t, j, migrate.PhaseUndo)
	must(t, j.Undone(ctx, run, []migrate.UndoneEntry{{Ordinal: 0, ResultRun: 3, Results: back}}))
	if got, err = j.Entries(ctx, 0, 0); err != nil || len(got) != 0 {
		t.Errorf("what stands after all was put back: %v, %v", got, err)
	}
	run = begin(t, j, migrate.PhaseApply)
	must(t, j.Record(ctx, run, []migrate.JournalEntry{{Ordinal: 0, Results: done}}))
	must(t, j.Intend(ctx, begin(t, j, migrate.PhaseUndo), []migrate.JournalEntry{{Ordinal: 0, ResultRun: 5}}))

	history, err := j.History(ctx, 0)
	must(t, err)
	want := []migrate.JournalRun{
		{Run: 1, Phase: migrate.PhaseApply, Results: failed},
		{Run: 2, Phase: migrate.PhaseApply, Results: done},
		{Run: 3, Phase: migrate.PhaseUndo, Results: kept},
		{Run: 4, Phase: migrate.PhaseUndo, Results: back},
		{Run: 5, Phase: migrate.PhaseApply, Results: done},
		{Run: 6, Phase: migrate.PhaseUndo, Open: true},
	}
	if diff := cmp.Diff(want, history, cmpopts.IgnoreFields(migrate.JournalRun{}, "Started")); diff != "" {
		t.Errorf("history:\n%s", diff)
	}
	if history[0].Started.IsZero() {
		t.Error("the history does not say when")
	}
	if history, err = j.History(ctx, 1); err != nil || len(history) != 0 {
		t.Errorf("a user that no run came to has the history %v, %v", history, err)
	}
}
