package migrate

import (
	"errors"
	"fmt"
	"slices"

	"mfabridge/cloud"
)

// task is what is left to do for one user.
type task struct {
	d        *Decision
	results  []ChangeResult // by Seq; an empty Outcome is still open
	earlier  []bool         // by Seq: settled by an earlier run; nil: none is
	intended bool           // an earlier run may have written without saying so
	recorded int            // the run whose results these replace; 0: none
	touched  bool           // an earlier run has written, or may have
	unread   error          // the user cannot be read, or not be served, and the intent stands
}

// resume takes over what an earlier run has settled. What failed is open
// again; what was done, found or stale stays so.
func (t *task) resume(e JournalEntry) error {
	t.intended, t.touched, t.recorded = e.Intended(), e.IntentRun > 0, e.ResultRun
	t.earlier = make([]bool, len(t.results))
	for _, r := range e.Results {
		if r.Seq < 0 || r.Seq >= len(t.results) {
			return fmt.Errorf("the journal has a result for change %d of user %q, which the plan does not have", r.Seq, t.d.Username)
		}
		switch r.Outcome {
		case cloud.Done, cloud.Already, cloud.Outdated:
			t.results[r.Seq], t.earlier[r.Seq] = r, true
		case cloud.Failed, Pending:
		default:
			return fmt.Errorf("the journal has the unknown outcome %q for user %q", r.Outcome, t.d.Username)
		}
	}
	return nil
}

// entry is what the journal is to have of a user: what is settled.
func (t *task) entry() JournalEntry {
	e := JournalEntry{Ordinal: t.d.Ordinal, ResultRun: t.recorded}
	if !t.open() {
		e.Results = t.results
		return e
	}
	for _, r := range t.results {
		if r.Outcome != "" {
			e.Results = append(e.Results, r)
		}
	}
	return e
}

// open tells whether a change has no outcome yet.
func (t *task) open() bool {
	return slices.ContainsFunc(t.results, func(r ChangeResult) bool { return r.Outcome == "" })
}

// left is the number of changes that have no outcome yet.
func (t *task) left() (n int) {
	for _, r := range t.results {
		if r.Outcome == "" {
			n++
		}
	}
	return n
}

// set gives a change its outcome.
func (t *task) set(seq int, outcome cloud.Outcome, id string, err error) {
	r := ChangeResult{Seq: seq, Outcome: outcome, ID: id}
	if outcome == cloud.Failed || outcome == cloud.Outdated {
		r.Kind, r.Message = describe(err)
	}
	t.results[seq] = r
}

// settleOpen gives all changes that are still open, from seq on, one outcome.
func (t *task) settleOpen(from int, outcome cloud.Outcome, err error) {
	for seq := from; seq < len(t.results); seq++ {
		if t.results[seq].Outcome == "" {
			t.set(seq, outcome, "", err)
		}
	}
}

// maxMessage is the length of the longest message that a journal keeps.
const maxMessage = 500

// describe is an error as journal and reports have it. Of an error that is
// not of the vocabulary only its type is told: nobody has promised that its
// text is fit to be shown.
func describe(err error) (cloud.Kind, string) {
	if err == nil {
		return cloud.Internal, "the target gave no reason"
	}
	e, ok := errors.AsType[*cloud.Error](err)
	if !ok {
		return cloud.Internal, fmt.Sprintf("unexpected error (%T)", err)
	}
	if e.Message == "" {
		return e.Kind, e.Kind.String()
	}
	return e.Kind, Plain(e.Message[:min(len(e.Message), maxMessage)])
}

// compare decides about the open changes of a user that exists in the target,
// by what the target has now. What stays open is to be written.
func (t *task) compare(u *cloud.User) {
	if u.ID == "" {
		t.settleOpen(0, cloud.Outdated, &cloud.Error{Kind: cloud.Stale, Message: "the target does not have this user any more"})
		return
	}
	if name, changed := changedFact(t.d.Facts, u); changed {
		t.settleOpen(0, cloud.Outdated, &cloud.Error{Kind: cloud.Stale, Message: factText(name) + " of the target's user is another than when the plan was made"})
		return
	}
	for seq := range t.d.Changes {
		if t.results[seq].Outcome != "" {
			continue
		}
		c := &t.d.Changes[seq].Change
		switch now := found(u, c); {
		case holds(c, now):
			t.set(seq, t.already(), c.ID, nil)
		case !equal(c.Method, c.Before, now):
			err := &cloud.Error{Kind: cloud.Stale, Message: "the target holds neither what the plan found nor what it wants"}
			t.set(seq, cloud.Outdated, "", err)
			if c.Method == cloud.Account {
				t.settleOpen(seq+1, cloud.Outdated, err)
			}
		}
	}
}

// already is the outcome of a change that the target holds without being
// asked: this plan made it if an earlier run was about to.
func (t *task) already() cloud.Outcome {
	if t.intended {
		return cloud.Done
	}
	return cloud.Already
}

// changedFact names a fact that is another now.
func changedFact(facts []Fact, u *cloud.User) (name string, changed bool) {
	if len(facts) == 0 {
		return "", false
	}
	now := FactsOf(u)
	for i, f := range facts {
		if i >= len(now) || now[i] != f {
			return f.Name, true
		}
	}
	return "what is known", len(now) != len(facts)
}

// found is what the target's user has where c would change it.
func found(u *cloud.User, c *cloud.Change) cloud.Value {
	want := c.After
	if want.IsZero() {
		want = c.Before
	}
	return u.Value(c.Method, c.ID, want)
}

// equal compares values of a method. A target may write a number with other blanks
// than it was given, and an address in other letters.
func equal(m cloud.Method, a, b cloud.Value) bool {
	if m.IsPhone() && samePhone(a.Text, b.Text) || m == cloud.Email && alike(a.Text, b.Text) {
		a.Text = b.Text
	}
	return a.Equal(b)
}

// holds tells whether the target has what c wants. An invitation that was
// used meanwhile is what was wanted, and so is what its use does to the default
// method: the target asks by push from then on where it would have asked for a code.
func holds(c *cloud.Change, found cloud.Value) bool {
	switch {
	case equal(c.Method, c.After, found):
		return true
	case c.Method == cloud.Authenticator:
		return c.After.State == "invited" && found.State == "active"
	case c.Method == cloud.DefaultMethod:
		return c.After.Text == string(cloud.OATHCode) && found.Text == string(cloud.Push) && c.Before.Text != string(cloud.Push)
	}
	return false
}
