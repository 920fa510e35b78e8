package migrate

import (
	"context"

	"mfabridge/cloud"
)

// Explanation is everything that is known of one user of a plan.
type Explanation struct {
	Decision Decision
	Inputs   []Input       // files that the plan was made from
	Journal  *JournalEntry // what stands of apply; nil: nothing does
	History  []JournalRun  // what every run has done, undo's too
	Now      *cloud.User   // the target's user; nil: there is none
	NowErr   error         // why the target could not be asked
}

// Explain looks one user up by Username or user principal name, in any case,
// or by what stands before the @ or behind the \ of one where that is enough:
// in the plan, in the journal, and in the target as it is now. A target that
// cannot be asked is no error, because that may be just what is to be
// explained; a nil dir is not asked. Values are whole if the plan was opened
// with its key.
func Explain(ctx context.Context, p PlanReader, j JournalReader, dir cloud.DirectoryReader, name string) (Explanation, error) {
	d, err := findDecision(ctx, p, name)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{Decision: d, Inputs: p.Header().Inputs}
	if j != nil {
		entries, err := j.Entries(ctx, d.Ordinal, d.Ordinal)
		if err != nil {
			return e, err
		}
		if len(entries) == 1 {
			e.Journal = &entries[0]
		}
	}
	if h, ok := j.(HistoryReader); ok {
		if e.History, err = h.History(ctx, d.Ordinal); err != nil {
			return e, err
		}
	}
	if dir != nil {
		e.Now, e.NowErr = readNow(ctx, dir, &d)
	}
	return e, nil
}

// readNow returns the target's user, or nil if there is none.
func readNow(ctx context.Context, dir cloud.DirectoryReader, d *Decision) (*cloud.User, error) {
	id := d.Target
	if id == "" && d.UPN != "" {
		found, err := dir.Find(ctx, []cloud.Key{{Kind: cloud.ByUPN, Value: d.UPN}})
		if err != nil {
			return nil, err
		}
		if len(found[0]) == 1 {
			id = found[0][0]
		}
	}
	if id == "" {
		return nil, nil
	}
	users, err := dir.Read(ctx, []cloud.UserID{id})
	if err != nil || users[0].ID == "" {
		return nil, err
	}
	return &users[0], nil
}

// standing says where the target stands about a change.
type standing string

const (
	standsUnknown standing = ""
	standsPlanned standing = "planned"
	standsBefore  standing = "before"
	standsElse    standing = "other"
)

// standing compares a change with the target as it is now. A plan that was
// opened without its key has masked values, and they are compared as such.
func (e *Explanation) standing(c *PlannedChange, reveal bool) (standing, cloud.Value) {
	if e.NowErr != nil || e.Now == nil {
		return standsUnknown, cloud.Value{}
	}
	now := found(e.Now, &c.Change)
	as, comparable := c.Change, now
	if !reveal {
		as.Before, as.After, comparable = MaskValue(c.Method, c.Before), MaskValue(c.Method, c.After), MaskValue(c.Method, now)
	}
	switch {
	case holds(&as, comparable):
		return standsPlanned, now
	case equal(c.Method, as.Before, comparable):
		return standsBefore, now
	}
	return standsElse, now
}

// factNow is what a fact that the plan relied on is now, and whether that is
// another than it was.
func (e *Explanation) factNow(i int) (now Fact, changed bool) {
	was := e.Decision.Facts[i]
	if e.NowErr != nil || e.Now == nil {
		return was, false
	}
	for _, f := range FactsOf(e.Now) {
		if f.Name == was.Name {
			return f, f.Value != was.Value
		}
	}
	return was, false
}

// holding is one way that the target has to verify a user, or its opposite.
type holding struct {
	method   cloud.Method
	value    cloud.Value
	inactive bool // a generator that somebody has yet to activate
}

func holdings(u *cloud.User) (all []holding) {
	for _, m := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email, cloud.DefaultMethod, cloud.Blocked} {
		if v := u.Value(m, "", cloud.Value{}); !v.IsZero() {
			all = append(all, holding{method: m, value: v})
		}
	}
	for i := range u.OATH {
		all = append(all, holding{u.OATH[i].Method, cloud.Value{OATH: &u.OATH[i].OATH}, u.OATH[i].Inactive})
	}
	for _, a := range u.Authenticators {
		all = append(all, holding{method: cloud.Authenticator, value: cloud.Value{State: a.State}})
	}
	return all
}
