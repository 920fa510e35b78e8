package migrate

import (
	"context"
	"iter"

	"mfabridge/cloud"
	"mfabridge/legacy"
)

// Source is what a plan is made from: an export that can be read twice.
// *legacy.Export is one.
type Source interface {
	// Users yields the users in the order of the export, with ascending
	// ordinals. It is called twice and must yield the same users both times.
	Users(ctx context.Context) iter.Seq2[legacy.User, error]

	// Problems yields what is wrong with the export and belongs to no user
	// that Users yields.
	Problems() iter.Seq2[legacy.Problem, error]
}

// Sink takes a plan as it is made: every Decision in the order of the export,
// then every Finding that belongs to no user. Both calls come from one
// goroutine; an error ends the planning. What a Sink wants to keep of a
// Decision it may keep: it is not changed afterwards.
type Sink interface {
	Add(Decision) error
	Problem(Finding) error
}

// Summary counts what a plan or an inspection holds. Absent keys are 0.
type Summary struct {
	Users    map[Action]int   // users by what is done with them
	Outlook  map[Outlook]int  // users by what awaits them; each user once
	Changes  map[cloud.Op]int // changes by kind
	Findings map[Code]int     // occurrences, those that belong to no user included
	Severity map[Severity]int // occurrences, likewise

	Devices           int // mobile-app activation records of the users read
	DevicesWithSecret int // of these, with a usable code secret
	Tokens            int // third-party tokens of the users read

	Modes       map[legacy.Mode]int  // users by the method that they were asked by first
	Countries   map[string]int       // telephone numbers by calling code, e.g. "44"
	Methods     map[cloud.Method]int // methods that users hold after the plan
	Activations int                  // users who have to activate an app anew
}

// NewSummary returns a Summary of nothing, its maps ready to count in.
func NewSummary() Summary {
	return Summary{
		Users:     map[Action]int{},
		Outlook:   map[Outlook]int{},
		Changes:   map[cloud.Op]int{},
		Findings:  map[Code]int{},
		Severity:  map[Severity]int{},
		Modes:     map[legacy.Mode]int{},
		Countries: map[string]int{},
		Methods:   map[cloud.Method]int{},
	}
}

// Total is the number of users counted.
func (s Summary) Total() int {
	n := 0
	for _, users := range s.Users {
		n += users
	}
	return n
}
