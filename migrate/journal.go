package migrate

import (
	"context"
	"time"

	"mfabridge/cloud"
)

// Phase is what a run did with a plan.
type Phase string

const (
	PhaseApply Phase = "apply"
	PhaseUndo  Phase = "undo"
)

// JournalReader is what is known of the changes of a plan that stand: what
// apply made and undo has not put back.
type JournalReader interface {
	// Entries returns what the journal has about the users whose ordinals are
	// from first to last, both included, by ascending ordinal.
	Entries(ctx context.Context, first, last int) ([]JournalEntry, error)
}

// HistoryReader tells what every run has done about one user, by ascending
// run. Unlike [JournalReader] it knows of what was put back, too.
type HistoryReader interface {
	History(ctx context.Context, ordinal int) ([]JournalRun, error)
}

// JournalRun is what one run has done about a user.
type JournalRun struct {
	Run     int
	Phase   Phase
	Started time.Time
	Open    bool           // it was about to write and never said what came of it
	Results []ChangeResult // of apply what became of changes, of undo what became of putting them back
}

// Journal remembers durably what apply and undo are about to do and what came
// of it. Each call that writes is one transaction and is durable when it
// returns. An entry that is written names in ResultRun the run whose results
// it replaces (0: none), so that the history keeps them.
type Journal interface {
	JournalReader

	// Begin starts a run and returns its number, from 1.
	Begin(ctx context.Context, phase Phase) (run int, err error)
	// Intend says that changes of these users are about to be written. Results
	// are those changes of which it is known what became of them; a change
	// without a result is one that is about to be made, or put back.
	Intend(ctx context.Context, run int, entries []JournalEntry) error
	// Record keeps what became of users. The Results of an entry replace those
	// of earlier runs.
	Record(ctx context.Context, run int, entries []JournalEntry) error
	// Undone keeps what became of putting back, and what stands after it.
	Undone(ctx context.Context, run int, entries []UndoneEntry) error
}

// JournalEntry is what the journal has about one user. A change that has no
// result and is not intended either does not stand: it was put back.
type JournalEntry struct {
	Ordinal   int
	IntentRun int // the last run that was about to write; 0: none
	ResultRun int // the last run that recorded Results; 0: none
	Results   []ChangeResult
}

// Intended tells that a run was about to write this user's changes and never
// said what came of it: those without a result may be made or not.
func (e JournalEntry) Intended() bool { return e.IntentRun > e.ResultRun }

// UndoneEntry is what a run of undo did about one user.
type UndoneEntry struct {
	Ordinal   int
	ResultRun int            // as in JournalEntry
	Results   []ChangeResult // what became of putting back; Seq is that of the change
	Stands    []ChangeResult // what of apply stands still; none: the user is as if apply had never come
}

// ChangeResult is what became of one change of a user.
type ChangeResult struct {
	Seq     int // its place among the user's changes, from 0
	Outcome cloud.Outcome
	ID      string     // the target's id of the method or user, where it is known
	Kind    cloud.Kind // with Outdated and Failed
	Message string     // likewise; holds no secret and no telephone number
}
