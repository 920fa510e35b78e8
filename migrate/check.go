package migrate

import (
	"context"
	"fmt"
	"time"

	"mfabridge/cloud"
)

// Symbol is what check found of a user, in one character.
type Symbol string

const (
	Same    Symbol = "=" // the target has what the plan wants
	Missing Symbol = "+" // it lacks something
	Extra   Symbol = "-" // it has something that the plan removes
	Differs Symbol = "*" // it has something else, or the plan came too late (stale)
	Unknown Symbol = "!" // the user could not be read
)

// Symbols lists all of them in the order of reports.
var Symbols = [...]Symbol{Same, Missing, Extra, Differs, Unknown}

// Difference is a change of the plan that the target does not hold. The
// values are whole; [MaskValue] makes them fit to be shown.
type Difference struct {
	Method   cloud.Method
	Expected cloud.Value
	Found    cloud.Value
}

// UserCheck is what check found of one user.
type UserCheck struct {
	Username    string
	UPN         string
	Symbol      Symbol
	Differences []Difference
	Err         error // with Unknown
}

// CheckOptions say what is checked and who is told.
type CheckOptions struct {
	All  bool                  // the whole plan, not only what was applied so far
	Each func(UserCheck) error // called for every user checked, in the order of the plan; may be nil

	Tries int                                        // as in ApplyOptions
	Sleep func(context.Context, time.Duration) error // likewise
}

// seenLate are the pauses before users who differ are looked at again, where a
// Read may miss a Write. They are those of the whole run, not of each user:
// what is late for longer than all of them is told as it looks.
func seenLate() []time.Duration {
	return []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}
}

// CheckResult counts users by what was found.
type CheckResult struct {
	Users map[Symbol]int
}

// Total is the number of users checked; 0: none was due.
func (r CheckResult) Total() int {
	n := 0
	for _, users := range r.Users {
		n += users
	}
	return n
}

// Failed tells that a user could not be read, so that nothing is known.
func (r CheckResult) Failed() bool { return r.Users[Unknown] > 0 }

// Different tells that the target is not as the plan wants it.
func (r CheckResult) Different() bool { return r.Users[Missing]+r.Users[Extra]+r.Users[Differs] > 0 }

// Check reads from the target the users that are due, and compares with what
// the plan wants. Due is who has changes that a run of apply has come to and
// undo has not put back; with All everybody in the plan but those who are
// skipped. The journal says only who is due, which user the plan made, and
// what was stale; nil: the plan was never applied. p may be a part of a plan,
// see [InWave]. Check changes nothing; it refuses a target that the plan was
// not made for. Where a Read may miss a Write, users to whom apply has written
// are looked at again for half a minute in all before they count as different.
func Check(ctx context.Context, p PlanReader, j JournalReader, d cloud.DirectoryReader, o CheckOptions) (CheckResult, error) {
	c := &checker{journal: j, opts: o, reader: reader{dir: d, retry: newRetry(ApplyOptions{Tries: o.Tries, Sleep: o.Sleep})}, result: CheckResult{Users: map[Symbol]int{}}}
	caps, err := d.Capabilities(ctx)
	if err != nil {
		return c.result, err
	}
	if want := p.Header().Target; want.Instance != caps.Instance || caps.Instance == "" {
		return c.result, &WrongTargetError{Planned: want, Have: caps.Instance, Product: caps.Product}
	}
	if caps.Delayed {
		c.pauses = seenLate()
	}
	size := max(caps.Batch, 1)
	var page []Decision
	for d, err := range p.Users(ctx, Bare) {
		if err != nil {
			return c.result, err
		}
		if d.Action == Skip || len(d.Changes) == 0 && (!o.All || d.Target == "") {
			continue
		}
		if page = append(page, d); len(page) == size {
			if err := c.page(ctx, page); err != nil {
				return c.result, err
			}
			page = page[:0]
		}
	}
	if len(page) == 0 {
		return c.result, ctx.Err()
	}
	err = c.page(ctx, page)
	return c.result, err
}

type checker struct {
	reader
	journal JournalReader
	opts    CheckOptions
	pauses  []time.Duration // left, before what seems to differ is believed
	result  CheckResult
}

// due is a user to be checked.
type due struct {
	d     *Decision
	entry JournalEntry // what stands; of ordinal -1 where nothing does
	all   bool         // the whole plan is checked
	id    cloud.UserID
	err   error
}

// of tells whether a change is due, and whether it was stale.
func (u *due) of(seq int) (due, stale bool) {
	for _, r := range u.entry.Results {
		if r.Seq == seq {
			return true, r.Outcome == cloud.Outdated
		}
	}
	return u.all || u.entry.Intended(), false
}

func (c *checker) page(ctx context.Context, page []Decision) error {
	users, err := c.due(ctx, page)
	if err != nil || len(users) == 0 {
		return err
	}
	if err := c.find(ctx, users); err != nil {
		return err
	}
	found, err := c.readDue(ctx, users)
	if err != nil {
		return err
	}
	checks := make([]UserCheck, len(users))
	var late []int
	for i := range users {
		if checks[i] = users[i].check(found[i]); users[i].mayBeLate(checks[i]) {
			late = append(late, i)
		}
	}
	if err := c.lookAgain(ctx, users, checks, late); err != nil {
		return err
	}
	for _, u := range checks {
		c.result.Users[u.Symbol]++
		if c.opts.Each != nil {
			if err := c.opts.Each(u); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayBeLate tells whether what differs may have been written a moment ago.
func (u *due) mayBeLate(check UserCheck) bool {
	if check.Symbol == Same || check.Symbol == Unknown {
		return false
	}
	for _, r := range u.entry.Results {
		if r.Outcome == cloud.Outdated {
			return false
		}
	}
	return u.entry.Intended() || len(u.entry.Results) > 0
}

// lookAgain reads the users at these places again, after a pause, until they
// are as the plan wants them or there is no pause left.
func (c *checker) lookAgain(ctx context.Context, users []due, checks []UserCheck, late []int) error {
	for len(late) > 0 && len(c.pauses) > 0 {
		if err := c.retry.sleep(ctx, c.pauses[0]); err != nil {
			return err
		}
		c.pauses = c.pauses[1:]
		again := make([]due, len(late))
		for k, i := range late {
			again[k] = users[i]
		}
		found, err := c.readDue(ctx, again)
		if err != nil {
			return err
		}
		var rest []int
		for k, i := range late {
			if checks[i] = again[k].check(found[k]); again[k].mayBeLate(checks[i]) {
				rest = append(rest, i)
			}
		}
		late = rest
	}
	return nil
}

// due picks the users of a page that are due.
func (c *checker) due(ctx context.Context, page []Decision) ([]due, error) {
	var entries []JournalEntry
	if c.journal != nil {
		var err error
		if entries, err = c.journal.Entries(ctx, page[0].Ordinal, page[len(page)-1].Ordinal); err != nil {
			return nil, err
		}
	}
	users := make([]due, 0, len(page))
	for i := range page {
		d := &page[i]
		for len(entries) > 0 && entries[0].Ordinal < d.Ordinal {
			entries = entries[1:]
		}
		u := due{d: d, all: c.opts.All, id: d.Target, entry: JournalEntry{Ordinal: -1}}
		if len(entries) > 0 && entries[0].Ordinal == d.Ordinal {
			u.entry = entries[0]
			u.id = madeAs(d, u.entry)
		} else if !c.opts.All {
			continue
		}
		users = append(users, u)
	}
	return users, nil
}

// madeAs is the user whom a decision is about: the one that the plan matched,
// or the one that it made, as far as the journal knows which that is.
func madeAs(d *Decision, e JournalEntry) cloud.UserID {
	if d.Target != "" {
		return d.Target
	}
	for _, r := range e.Results {
		if r.Seq >= 0 && r.Seq < len(d.Changes) && d.Changes[r.Seq].Method == cloud.Account && d.Changes[r.Seq].Op == cloud.Add {
			return cloud.UserID(r.ID)
		}
	}
	return ""
}

// find looks up the ids of users that the plan creates.
func (c *checker) find(ctx context.Context, users []due) error {
	var keys []cloud.Key
	var at []*due
	for i := range users {
		if u := &users[i]; u.id == "" {
			keys, at = append(keys, cloud.Key{Kind: cloud.ByUPN, Value: u.d.UPN}), append(at, u)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	var hits [][]cloud.UserID
	err := c.retry.do(ctx, func() (err error) {
		hits, err = c.dir.Find(ctx, keys)
		return err
	})
	if err != nil {
		return err
	}
	if len(hits) != len(keys) {
		return &cloud.Error{Kind: cloud.Internal, Message: "the target did not answer every key"}
	}
	for i, ids := range hits {
		switch len(ids) {
		case 0:
		case 1:
			at[i].id = ids[0]
		default:
			at[i].err = &cloud.Error{Kind: cloud.Conflict, Message: fmt.Sprintf("the target has %d users of this name", len(ids))}
		}
	}
	return nil
}

// readDue returns the target's users in the order of users; one without an ID
// where there is none, or where the user's own err says why not.
func (c *checker) readDue(ctx context.Context, users []due) ([]cloud.User, error) {
	found := make([]cloud.User, len(users))
	var ids []cloud.UserID
	var at []int
	for i, u := range users {
		if u.id != "" && u.err == nil {
			ids, at = append(ids, u.id), append(at, i)
		}
	}
	all, refused, err := c.read(ctx, ids)
	if err != nil {
		return nil, err
	}
	for k, i := range at {
		found[i], users[i].err = all[k], refused[k]
	}
	return found, nil
}

// check compares one user with the plan.
func (u *due) check(have cloud.User) UserCheck {
	r := UserCheck{Username: u.d.Username, UPN: u.d.UPN, Symbol: Same, Err: u.err}
	if u.err != nil {
		r.Symbol = Unknown
		return r
	}
	if have.ID == "" && len(u.d.Changes) == 0 {
		r.Symbol = Missing
	}
	for seq := range u.d.Changes {
		isDue, stale := u.of(seq)
		if !isDue {
			continue
		}
		c := &u.d.Changes[seq].Change
		now := found(&have, c)
		if holds(c, now) {
			continue
		}
		r.Differences = append(r.Differences, Difference{c.Method, c.After, now})
		s := symbol(c.After, now)
		if stale || r.Symbol != Same && r.Symbol != s {
			s = Differs
		}
		r.Symbol = s
	}
	return r
}

// symbol is what one difference comes to.
func symbol(expected, found cloud.Value) Symbol {
	switch {
	case found.IsZero():
		return Missing
	case expected.IsZero():
		return Extra
	}
	return Differs
}
