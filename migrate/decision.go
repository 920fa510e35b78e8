package migrate

import (
	"mfabridge/cloud"
)

// Action is what a plan does with a user.
type Action string

const (
	Create Action = "create" // the user does not exist in the target and is made
	Modify Action = "update" // the user exists and has changes
	Keep   Action = "none"   // nothing to do
	Skip   Action = "skip"   // nothing is done; a finding says why
)

// Outlook is what awaits a user after the plan: each user stands in exactly
// one group, the first of this list that applies.
type Outlook string

const (
	PasswordOnly Outlook = "password_only" // passes today with the password alone
	OutOfScope   Outlook = "out_of_scope"  // skipped as disabled
	LockedOut    Outlook = "locked_out"    // nobody would let this user in
	MustAct      Outlook = "must_act"      // has to register, or loses telephony
	Works        Outlook = "works"         // nothing to do
)

// Outlooks lists all groups in the order of reports.
var Outlooks = [...]Outlook{PasswordOnly, OutOfScope, LockedOut, MustAct, Works}

// Decision is everything that a plan says about one user of the export.
type Decision struct {
	Ordinal   int // legacy.User.Ordinal
	Username  string
	UPN       string       // of the target's user; of the export where nothing matched
	Target    cloud.UserID // empty: not matched, or to be created
	MatchedBy string       // "upn", "username", "sid", "created", …; empty: not matched
	Wave      string
	Action    Action
	Outlook   Outlook
	Changes   []PlannedChange // in the order in which they are to be made
	Findings  []Finding
	Facts     []Fact
}

// PlannedChange is a change and why it is made.
type PlannedChange struct {
	cloud.Change
	Reason       string // a phrase for people, e.g. "Phone", "BackupPhone promoted"
	Irreversible bool   // undo could not put Before back
}

// Loses tells whether the change takes from the user what nobody could give
// back. Apply leaves such a change out unless it is allowed; what is only
// irreversible it makes.
func (c *PlannedChange) Loses() bool {
	return c.Irreversible && (c.Op == cloud.Remove || c.Op == cloud.Update) &&
		(c.Method.IsOATH() || c.Method == cloud.Authenticator)
}

// Fact is something about the target's user that a decision relied on; apply
// looks again before it writes.
type Fact struct {
	Name  string
	Value string
}

// Severity of a finding.
type Severity string

const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// Code names a kind of finding. The words never change; docs/findings.md
// lists them all.
type Code string

// Finding is something that cannot move as it was, or that somebody should
// know before the plan is applied. It holds no secret and no full telephone
// number or address.
type Finding struct {
	Code     Code
	Severity Severity
	Field    string // column of the export, or a word of the target
	Detail   string // a sentence
	Action   string // what to do about it; from the catalogue
	Place    string // "devices.csv:12:5": the row, or what of it the finding is about

	Accepted *Acceptance // nil: nobody has accepted it; a plan file keeps all acceptances in its header instead
}
