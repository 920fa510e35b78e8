package cloud

import "time"

// Op is the kind of a change.
type Op string

const (
	Add    Op = "add"    // Before is none
	Update Op = "update" // an existing one becomes After
	Remove Op = "remove" // After is none
	Set    Op = "set"    // of DefaultMethod and Blocked, from whatever Before is
)

// Value is what a method holds before or after a change. The method says which
// field counts; the zero Value is "none".
type Value struct {
	Text    string    // a phone ("+44 2079460000", "+1 4255550100x55"), an email address, a Preference
	OATH    *OATH     // softwareOath, hardwareOath
	Profile *Profile  // user
	Until   time.Time // block
	State   string    // authenticator
}

// TextValue is the Value of a phone, an address or a default method.
func TextValue(s string) Value { return Value{Text: s} }

// IsZero tells whether the value is none.
func (v Value) IsZero() bool {
	return v.Text == "" && v.OATH == nil && v.Profile == nil && v.Until.IsZero() && v.State == ""
}

// Equal compares what can be read back; see [OATH.Equal].
func (v Value) Equal(w Value) bool {
	if v.Text != w.Text || v.State != w.State || !v.Until.Equal(w.Until) {
		return false
	}
	if (v.OATH == nil) != (w.OATH == nil) || (v.Profile == nil) != (w.Profile == nil) {
		return false
	}
	return (v.OATH == nil || v.OATH.Equal(*w.OATH)) && (v.Profile == nil || v.Profile.Equal(*w.Profile))
}

// Change is one thing to do to one user. It is made only where the target
// holds Before.
type Change struct {
	User   UserID // empty: the user that has UPN, e.g. because this plan creates it
	UPN    string
	Op     Op
	Method Method
	ID     string // the target's id of an existing method; empty with Add and for single slots
	Before Value
	After  Value
}

// Outcome is what became of a change.
type Outcome string

const (
	Done     Outcome = "done"    // the target held Before and now holds After
	Already  Outcome = "already" // the target held After before the call
	Outdated Outcome = "stale"   // it held neither; nothing was written
	Failed   Outcome = "failed"  // the target refused, or could not be asked; nothing was written
)

// Result is the answer to one Change.
type Result struct {
	Outcome Outcome
	ID      string // the target's id of the method or user, where it is known
	Err     error  // with Outdated and Failed: an *Error
}
