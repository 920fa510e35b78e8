package migrate

import (
	"slices"

	"mfabridge/cloud"
)

// undoTask is what is to be put back for one user: a task whose decision holds
// the plan's changes turned round.
type undoTask struct {
	task
	entry JournalEntry // what the journal has of apply
	seqs  []int        // for each change of d the place of the plan's
	sure  []bool       // for each change of d: the journal says that it was made
	whose cloud.UserID // who was made or changed; empty: to be found by name
	back  bool         // the user was deleted, and may come back with the methods
	bare  bool         // no method that could be the default is left to the user behind this run
}

// inverse turns round what the plan has made of a user, in the order in which
// it is put back: what the journal has as done, and what a run was about to
// write without saying what came of it.
func inverse(d *Decision, e JournalEntry) (*undoTask, error) {
	known := task{d: d, results: make([]ChangeResult, len(d.Changes))}
	if err := known.resume(e); err != nil {
		return nil, err
	}
	for _, r := range e.Results { // resume opens again what failed; here it was not made
		known.results[r.Seq] = r
	}
	t := &undoTask{entry: e, whose: madeAs(d, e)}
	turned := &Decision{Ordinal: d.Ordinal, Username: d.Username, UPN: d.UPN, Target: d.Target, Wave: d.Wave}
	for _, seq := range backwards(d.Changes) {
		r := known.results[seq]
		unsure := r.Outcome == Pending || r.Outcome == ""
		if r.Outcome != cloud.Done && !(unsure && e.Intended()) {
			continue
		}
		turned.Changes = append(turned.Changes, turn(d.Changes[seq], r.ID))
		t.seqs = append(t.seqs, seq)
		t.sure = append(t.sure, r.Outcome == cloud.Done)
	}
	t.task = task{d: turned, results: make([]ChangeResult, len(turned.Changes)), intended: true, recorded: e.ResultRun}
	return t, nil
}

// backwards is the order in which changes are taken back: the default method
// first, since no method can go that it names; the rest in reverse.
func backwards(changes []PlannedChange) []int {
	order := make([]int, 0, len(changes))
	for seq := len(changes) - 1; seq >= 0; seq-- {
		if changes[seq].Method == cloud.DefaultMethod {
			order = append(order, seq)
		}
	}
	for seq := len(changes) - 1; seq >= 0; seq-- {
		if changes[seq].Method != cloud.DefaultMethod {
			order = append(order, seq)
		}
	}
	return order
}

// turn is the change that takes c back. id is what the target called the
// method that c made.
func turn(c PlannedChange, id string) PlannedChange {
	back := c
	back.Before, back.After = c.After, c.Before
	switch c.Op {
	case cloud.Add:
		back.Op = cloud.Remove
	case cloud.Remove:
		back.Op = cloud.Add
	case cloud.Update:
		if c.Method == cloud.Authenticator && c.Before.State == authenticatorExpired {
			// No target makes an invitation that is over, and nobody misses one.
			back.Op, back.After = cloud.Remove, cloud.Value{}
		}
	}
	if back.ID == "" && (c.Method.IsOATH() || c.Method == cloud.Authenticator) {
		back.ID = id
	}
	back.Irreversible = c.Irreversible || c.Op == cloud.Remove && (c.Method.IsOATH() || c.Method == cloud.Authenticator)
	return back
}

// address gives the changes the user whom they are about.
func (t *undoTask) address(id cloud.UserID) {
	t.d.Target = id
	for i := range t.d.Changes {
		t.d.Changes[i].User = id
	}
}

// compare decides about each change by what the target has now. What stays
// open is to be written.
func (t *undoTask) compare(u *cloud.User, allow bool) {
	for i := range t.d.Changes {
		c := &t.d.Changes[i]
		if t.results[i].Outcome != "" {
			continue
		}
		if u.ID == "" && !c.After.IsZero() {
			t.leave(i, "the target does not have this user any more")
			continue
		}
		if u.ID == "" && t.back {
			t.leave(i, "the user was deleted, and whoever restores the user brings it back: undo again then, or when the user is gone for good")
			continue
		}
		now := found(u, &c.Change)
		beside := keepAliases(c, now)
		switch {
		case now.IsZero() && t.mayBeHalfMade(i):
			continue // the target knows what no user shows
		case equal(c.Method, now, c.After):
			t.set(i, cloud.Already, c.ID, nil)
		case !beside && !standsYet(c, now):
			t.leave(i, "it was changed since apply wrote it")
		case c.Irreversible && c.Method == cloud.DefaultMethod:
			t.cannot(i, "irreversible: the target cannot put back the default that was there before; it goes with its method at most")
		case c.Irreversible:
			t.cannot(i, "irreversible: nobody could put back what was there before")
		case c.Method == cloud.Account && c.After.IsZero():
			if t.hasMore(u) {
				t.leave(i, "the user has what this plan did not bring, or what could not be taken back, and stays")
			}
		case c.After.IsZero():
			t.compareRemoval(i, u, allow)
		}
		if t.results[i].Outcome == "" {
			c.Before = now // what may have passed by itself: an invitation that has expired
		}
	}
	t.bare = !t.keeps(u, cloud.Mobile, cloud.AlternateMobile, cloud.Office)
}

// identify finds out which method is meant where the journal does not know its
// id, because a run did not come to say what it had made.
func (t *undoTask) identify(u *cloud.User) {
	for i := range t.d.Changes {
		c := &t.d.Changes[i]
		if c.ID != "" {
			continue
		}
		if c.Method == cloud.Authenticator && len(u.Authenticators) == 1 {
			c.ID = u.Authenticators[0].ID
		}
		for _, e := range u.OATH {
			if c.Method == e.Method && c.Before.OATH != nil && c.Before.OATH.Same(e.OATH) {
				c.ID = e.ID
			}
		}
	}
}

// mayBeHalfMade tells a hardware token that a run was about to make and never
// said what came of it. A target makes those in several steps, and shows a user
// the last of them only.
func (t *undoTask) mayBeHalfMade(i int) bool {
	c := &t.d.Changes[i]
	return !t.sure[i] && c.Method == cloud.HardwareOATH && c.Op == cloud.Remove
}

// lookBehind has the target asked to remove hardware tokens that their users have
// not any more: one that a run has taken from its user, and no further, or that
// the user gave back, may stay in the target's inventory with its secret.
func (t *undoTask) lookBehind() {
	for i, r := range t.results {
		if c := &t.d.Changes[i]; r.Outcome == cloud.Already && c.Method == cloud.HardwareOATH && c.Op == cloud.Remove {
			t.results[i] = ChangeResult{}
		}
	}
}

// standsYet tells whether now is what apply left. An invitation that has
// expired is still that invitation.
func standsYet(c *PlannedChange, now cloud.Value) bool {
	return equal(c.Method, now, c.Before) || c.Method == cloud.Authenticator && c.Before.State == "invited" && now.State == "expired"
}

func (t *undoTask) leave(i int, why string) {
	t.set(i, cloud.Outdated, "", &cloud.Error{Kind: cloud.Stale, Message: why})
}

func (t *undoTask) cannot(i int, why string) {
	t.set(i, cloud.Failed, "", &cloud.Error{Kind: cloud.Unsupported, Message: why})
}

// compareRemoval looks whether a method may go that apply added.
func (t *undoTask) compareRemoval(i int, u *cloud.User, allow bool) {
	c := &t.d.Changes[i]
	switch {
	case c.Method == cloud.Authenticator && c.ID == "" && len(u.Authenticators) > 1:
		t.leave(i, "nobody knows which of several is this plan's")
	case c.Method == cloud.Mobile && u.Alternate != "" && !t.goes(cloud.AlternateMobile, ""):
		t.leave(i, "the user has an alternate mobile since, which needs it")
	case t.isDefault(c, u):
		t.leave(i, "it is the user's default method since")
	case !allow && (c.Method.IsOATH() || c.Method == cloud.Authenticator) && t.lostOne():
		t.cannot(i, "it stands for one that nobody could put back, and the user would have neither; this run was not allowed to")
	}
}

// isDefault tells whether c takes away what the user is asked for first, by a
// choice that this plan did not make.
func (t *undoTask) isDefault(c *PlannedChange, u *cloud.User) bool {
	for i := range t.d.Changes {
		if t.d.Changes[i].Method == cloud.DefaultMethod && t.results[i].Outcome != cloud.Outdated {
			return false // it is put back, or was this plan's choice and cannot be
		}
	}
	return t.takes(c, u, u.Default)
}

// lostOne tells whether the plan took something from the user that is lost.
func (t *undoTask) lostOne() bool {
	return slices.ContainsFunc(t.d.Changes, func(c PlannedChange) bool {
		return c.Irreversible && c.Op == cloud.Add && (c.Method.IsOATH() || c.Method == cloud.Authenticator)
	})
}

// goes tells whether this run takes a method away.
func (t *undoTask) goes(m cloud.Method, id string) bool {
	for i := range t.d.Changes {
		c := &t.d.Changes[i]
		if c.Method == m && (id == "" || c.ID == id) && c.After.IsZero() && t.results[i].Outcome == "" {
			return true
		}
	}
	return false
}

// hasMore tells whether a user whom the plan created has anything but what
// this run takes away: a method of their own, a block, a role, or a change that stays.
func (t *undoTask) hasMore(u *cloud.User) bool {
	for i := range t.results {
		if o := t.results[i].Outcome; o == cloud.Outdated || o == cloud.Failed {
			return true
		}
	}
	return u.Privileged || t.keeps(u, cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email, cloud.DefaultMethod, cloud.Blocked)
}

// keeps tells whether the user has a generator, an authenticator or one of some
// single methods that this run does not take away.
func (t *undoTask) keeps(u *cloud.User, single ...cloud.Method) bool {
	for _, m := range single {
		if !u.Value(m, "", cloud.Value{}).IsZero() && !t.goes(m, "") {
			return true
		}
	}
	for _, e := range u.OATH {
		if !t.goes(e.Method, e.ID) {
			return true
		}
	}
	for _, e := range u.Authenticators {
		if !t.goes(cloud.Authenticator, e.ID) {
			return true
		}
	}
	return false
}

// standing is what the journal has of the changes that this task does not
// take back.
func (t *undoTask) standing() []ChangeResult {
	var rest []ChangeResult
	for _, r := range t.entry.Results {
		if !slices.Contains(t.seqs, r.Seq) {
			rest = append(rest, r)
		}
	}
	return rest
}

// intent is the user as the journal is to have it while the open changes are
// written: of these nothing is known but that they are this plan's.
func (t *undoTask) intent() JournalEntry {
	e := JournalEntry{Ordinal: t.d.Ordinal, ResultRun: t.entry.ResultRun, Results: t.standing()}
	for i, r := range t.results {
		if r.Outcome == "" || r.Outcome == cloud.Already {
			e.Results = append(e.Results, ChangeResult{Seq: t.seqs[i], Outcome: Pending, ID: t.idOf(i)})
		} else {
			e.Results = append(e.Results, t.stood(i))
		}
	}
	return e
}

// foresee says in a preview that a default goes which nobody can put back: there
// was none, and all methods that could be one go. A run looks again behind them.
func (t *undoTask) foresee() {
	if i := t.stuckDefault(Pending); i >= 0 && t.bare && t.d.Changes[i].After.IsZero() {
		t.set(i, Pending, "", nil)
	}
}

// stood is what the journal has of a change that is not put back: made, or,
// where nobody knows that and it was changed since, stale.
func (t *undoTask) stood(i int) ChangeResult {
	r := t.results[i]
	if r.Outcome == cloud.Outdated && !t.sure[i] {
		r.Seq = t.seqs[i]
		return r
	}
	return ChangeResult{Seq: t.seqs[i], Outcome: cloud.Done, ID: t.idOf(i)}
}

// idOf is what the journal has as the target's id of a change.
func (t *undoTask) idOf(i int) string {
	for _, r := range t.entry.Results {
		if r.Seq == t.seqs[i] {
			return r.ID
		}
	}
	return ""
}

// undone is what the journal is to have of a settled user. Where nothing of
// the plan stands any more, it forgets what it had.
func (t *undoTask) undone() UndoneEntry {
	e := UndoneEntry{Ordinal: t.d.Ordinal, ResultRun: t.entry.ResultRun}
	for i, r := range t.results {
		r.Seq = t.seqs[i]
		e.Results = append(e.Results, r)
		if r.Outcome != cloud.Done && r.Outcome != cloud.Already {
			e.Stands = append(e.Stands, t.stood(i))
		}
	}
	if len(e.Stands) == 0 {
		return e
	}
	e.Stands = append(e.Stands, t.standing()...)
	slices.SortFunc(e.Stands, func(a, b ChangeResult) int { return a.Seq - b.Seq })
	return e
}
