package migrate

import (
	"context"

	"mfabridge/cloud"
)

// JournalReader is what is known of earlier runs of apply.
type JournalReader interface {
	// Entries returns what the journal has about the users whose ordinals are
	// from first to last, both included, by ascending ordinal.
	Entries(ctx context.Context, first, last int) ([]JournalEntry, error)
}

// Journal remembers durably what apply is about to do and what came of it.
// Each call that writes is one transaction and is durable when it returns.
type Journal interface {
	JournalReader

	// Begin starts a run and returns its number, from 1.
	Begin(ctx context.Context) (run int, err error)
	// Intend says that the changes of these users, by ascending ordinal, are
	// about to be written.
	Intend(ctx context.Context, run int, ordinals []int) error
	// Record keeps what became of users. The Results of an entry replace those
	// of earlier runs.
	Record(ctx context.Context, run int, entries []JournalEntry) error
}

// JournalEntry is what the journal has about one user.
type JournalEntry struct {
	Ordinal   int
	IntentRun int // the last run that was about to write; 0: none
	ResultRun int // the last run that recorded Results; 0: none
	Results   []ChangeResult
}

// Intended tells that a run was about to write this user's changes and never
// said what came of it: they may be made or not.
func (e JournalEntry) Intended() bool { return e.IntentRun > e.ResultRun }

// ChangeResult is what became of one change of a user.
type ChangeResult struct {
	Seq     int // its place among the user's changes, from 0
	Outcome cloud.Outcome
	ID      string     // the target's id of the method or user, where it is known
	Kind    cloud.Kind // with Outdated and Failed
	Message string     // likewise; holds no secret and no telephone number
}
