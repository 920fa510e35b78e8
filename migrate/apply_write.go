package migrate

import (
	"context"
	"fmt"

	"mfabridge/cloud"
)

// preflight settles what needs no writing or must not be written: it reads
// the users again that the plan matched. What stays open is to be written.
func (a *applier) preflight(ctx context.Context, tasks []*task) error {
	var ids []cloud.UserID
	for _, t := range tasks {
		if t.d.Target != "" {
			ids = append(ids, t.d.Target)
		}
	}
	var users []cloud.User
	if len(ids) > 0 {
		err := a.retry.do(ctx, func() (err error) {
			users, err = a.dir.Read(ctx, ids)
			return err
		})
		if err != nil {
			return err
		}
		if len(users) != len(ids) {
			return &cloud.Error{Kind: cloud.Internal, Message: fmt.Sprintf("the target was asked for %d users and returned %d", len(ids), len(users))}
		}
	}
	for _, t := range tasks {
		if t.d.Target != "" {
			t.compare(&users[0])
			users = users[1:]
		}
		a.refuse(t)
	}
	return nil
}

// refuse settles changes that may not be written in this run.
func (a *applier) refuse(t *task) {
	if len(t.d.Changes) > a.batch {
		t.settleOpen(0, cloud.Failed, &cloud.Error{Kind: cloud.Unsupported,
			Message: fmt.Sprintf("the user has %d changes and the target takes %d at a time", len(t.d.Changes), a.batch)})
		return
	}
	for seq := range t.d.Changes {
		if t.results[seq].Outcome == "" && loses(&t.d.Changes[seq]) && !a.opts.AllowIrreversible {
			t.set(seq, cloud.Failed, "", &cloud.Error{Kind: cloud.Denied, Message: "nobody could give back what this takes from the user; it was not allowed in this run"})
		}
	}
}

// countRemovals keeps the run within its limit of removals, whatever the
// plan's summary says.
func (a *applier) countRemovals(tasks []*task) error {
	for _, t := range tasks {
		for seq, r := range t.results {
			if r.Outcome == "" && t.d.Changes[seq].Op == cloud.Remove {
				a.removals++
			}
		}
	}
	if a.removals > a.opts.MaxRemovals {
		return &LimitError{"removals", a.opts.MaxRemovals}
	}
	return nil
}

// item is one change on its way to the target.
type item struct {
	t   *task
	seq int
}

// write writes what is open. What the target could not serve in all tries,
// or when ctx ended between two, stays open, and the reason is returned.
func (a *applier) write(ctx context.Context, tasks []*task) error {
	var items []item
	var intents []JournalEntry
	for _, t := range tasks {
		if !t.open() {
			continue
		}
		intents = append(intents, t.entry())
		for seq, r := range t.results {
			if r.Outcome == "" {
				items = append(items, item{t, seq})
			}
		}
	}
	if len(items) == 0 {
		return nil
	}
	if err := a.journal.Intend(ctx, a.result.Run, intents); err != nil {
		return err
	}
	return a.retry.do(ctx, func() error {
		var err error
		items, err = a.writeOnce(ctx, items)
		for _, it := range items {
			it.t.intended = true // by this run: if the target has it now, we made it
		}
		return err
	})
}

// writeOnce makes one call and settles what it answers for good. It returns
// what is to be tried again, with the error of the first of these. The call
// is not cut short: what it does is better known than guessed.
func (a *applier) writeOnce(ctx context.Context, items []item) (again []item, err error) {
	changes := make([]cloud.Change, len(items))
	for i, it := range items {
		changes[i] = it.t.d.Changes[it.seq].Change
	}
	results := a.dir.Write(context.WithoutCancel(ctx), changes)
	if len(results) != len(changes) {
		return nil, &cloud.Error{Kind: cloud.Internal, Message: fmt.Sprintf("the target was given %d changes and answered %d", len(changes), len(results))}
	}
	if err := wholeCall(results); err != nil {
		return nil, err
	}
	for i, r := range results {
		if !tryAgain(r) && !waits(items[i], r, again) {
			items[i].settle(r)
			continue
		}
		again = append(again, items[i])
		if err == nil {
			err = r.Err
		}
	}
	return again, err
}

// tryAgain tells a change that the target could not serve just now.
func tryAgain(r cloud.Result) bool {
	return r.Outcome == cloud.Failed && r.Err != nil && passing(r.Err)
}

// waits tells a change that was not tried because the user itself is to be
// tried again, and a user who could not be removed because of a method that is.
func waits(it item, r cloud.Result, again []item) bool {
	if r.Outcome != cloud.Failed || r.Err == nil || cloud.KindOf(r.Err) != cloud.Conflict {
		return false
	}
	for _, earlier := range again {
		if earlier.t == it.t && (it.t.d.Changes[earlier.seq].Method == cloud.Account || removesUser(it)) {
			return true
		}
	}
	return false
}

func removesUser(it item) bool {
	c := &it.t.d.Changes[it.seq]
	return c.Method == cloud.Account && c.Op == cloud.Remove
}

// wholeCall returns the error that stands in every result, if it says that
// the target refuses the caller or has failed as a whole: then no user is to
// blame. One result alone cannot tell.
func wholeCall(results []cloud.Result) error {
	if len(results) < 2 || results[0].Err == nil {
		return nil
	}
	e, ok := results[0].Err.(*cloud.Error)
	if !ok || e.Kind != cloud.Denied && e.Kind != cloud.Internal {
		return nil
	}
	for _, r := range results {
		if r.Outcome != cloud.Failed || r.Err != error(e) {
			return nil
		}
	}
	return e
}

// settle takes over the target's answer to a change.
func (it item) settle(r cloud.Result) {
	t := it.t
	switch r.Outcome {
	case cloud.Done:
		t.set(it.seq, cloud.Done, r.ID, nil)
	case cloud.Already:
		t.set(it.seq, t.already(), r.ID, nil)
	case cloud.Outdated:
		t.set(it.seq, cloud.Outdated, "", r.Err)
	case cloud.Failed:
		outcome := cloud.Failed
		if t.accountStale(it.seq) && r.Err != nil && cloud.KindOf(r.Err) == cloud.Conflict {
			outcome = cloud.Outdated // it was not tried, and never will be
		}
		t.set(it.seq, outcome, "", r.Err)
	default:
		t.set(it.seq, cloud.Failed, "", &cloud.Error{Kind: cloud.Internal, Message: "the target gave an unknown answer"})
	}
}

// accountStale tells whether the user itself was stale before change seq.
func (t *task) accountStale(seq int) bool {
	for i := range seq {
		if t.d.Changes[i].Method == cloud.Account && t.results[i].Outcome == cloud.Outdated {
			return true
		}
	}
	return false
}

// settle records the users of whom every change has its outcome, then tells
// about them. Users with an open change keep their intent, for another run.
func (a *applier) settle(ctx context.Context, tasks []*task) error {
	var entries []JournalEntry
	var settled []*task
	for _, t := range tasks {
		if !t.open() {
			entries = append(entries, t.entry())
			settled = append(settled, t)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if err := a.journal.Record(context.WithoutCancel(ctx), a.result.Run, entries); err != nil {
		return err
	}
	for _, t := range settled {
		before := a.result.Failed
		a.count(t)
		a.failures += a.result.Failed - before
		a.result.Written++
		if err := a.tell(t); err != nil {
			return err
		}
	}
	return nil
}

// tell reports what this run has settled for a user.
func (a *applier) tell(t *task) error {
	if a.opts.Each == nil {
		return nil
	}
	for seq, r := range t.results {
		if t.earlier != nil && t.earlier[seq] {
			continue
		}
		if err := a.opts.Each(ChangeEvent{Username: t.d.Username, Change: t.d.Changes[seq], Result: r}); err != nil {
			return err
		}
	}
	return nil
}
