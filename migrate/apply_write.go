package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"mfabridge/cloud"
)

// refuse settles changes that may not be written in this run.
func (a *applier) refuse(t *task) {
	if len(t.d.Changes) > a.batch {
		t.settleOpen(0, cloud.Failed, &cloud.Error{Kind: cloud.Unsupported,
			Message: fmt.Sprintf("the user has %d changes and the target takes %d at a time", len(t.d.Changes), a.batch)})
		return
	}
	for seq := range t.d.Changes {
		if t.results[seq].Outcome == "" && t.d.Changes[seq].Loses() && !a.opts.AllowIrreversible {
			t.set(seq, cloud.Failed, "", &cloud.Error{Kind: cloud.Denied, Message: "nobody could give back what this takes from the user; it was not allowed in this run"})
		}
	}
}

// countRemovals keeps the run within its limit of removals, whatever the
// plan's summary says.
func (a *applier) countRemovals(tasks []*task) error {
	for _, t := range tasks {
		for seq, r := range t.results {
			if r.Outcome == "" && t.unread == nil && t.d.Changes[seq].Op == cloud.Remove {
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

// write writes what is open, and returns how many changes that were. What the
// target could not serve in all tries, or when ctx ended between two, stays
// open, and the reason is returned.
func (a *applier) write(ctx context.Context, tasks []*task) (changes int, err error) {
	var items []item
	var intents []JournalEntry
	for _, t := range tasks {
		if !t.open() || t.unread != nil {
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
		return 0, nil
	}
	changes = len(items)
	if err := a.journal.Intend(ctx, a.result.Run, intents); err != nil {
		return changes, err
	}
	return changes, a.retry.goOn(ctx, func() (moved bool, err error) {
		before := len(items)
		items, err = a.writeSome(ctx, items)
		for _, it := range items {
			it.t.intended = true // by this run: if the target has it now, we made it
		}
		if err != nil && passing(err) {
			a.pace.refused(cloud.KindOf(err) == cloud.Throttled)
		}
		return len(items) < before, err
	})
}

// writeSome sends items in as many calls as the pace allows at a time, until
// the target cannot serve one. It returns what is to be tried again, with the
// reason.
func (a *applier) writeSome(ctx context.Context, items []item) (again []item, err error) {
	for len(items) > 0 {
		var calls [][]item
		rest, n := items, 0
		for len(calls) < a.pace.lanes && len(rest) > 0 {
			call := firstCall(rest, min(a.pace.size, a.pace.portion()))
			calls, rest, n = append(calls, call), rest[len(call):], n+len(call)
		}
		if err := a.pace.take(ctx, n); err != nil {
			return append(again, items...), err
		}
		if err := a.quiet(); err != nil { // they may have begun while the run waited
			return append(again, items...), err
		}
		items = rest
		var failed error
		for i, results := range a.send(ctx, calls) {
			left, err := settleCall(calls[i], results)
			again = append(again, left...)
			a.pace.took(len(calls[i]) - len(left))
			if failed == nil || err != nil && !passing(err) {
				failed = err
			}
		}
		if failed != nil {
			return append(again, rest...), failed
		}
		a.pace.grow()
	}
	return again, nil
}

// firstCall is as many items as one call takes. The changes of one user stay
// together.
func firstCall(items []item, most int) []item {
	end := 0
	for i := 1; i <= len(items); i++ {
		if i < len(items) && items[i].t == items[i-1].t {
			continue
		}
		if end > 0 && i > most {
			break
		}
		end = i
	}
	return items[:end]
}

// send makes the calls at the same time. They are not cut short: what they do
// is better known than guessed.
func (a *applier) send(ctx context.Context, calls [][]item) [][]cloud.Result {
	ctx = context.WithoutCancel(ctx)
	answers := make([][]cloud.Result, len(calls))
	var running sync.WaitGroup
	for i, call := range calls {
		changes := make([]cloud.Change, len(call))
		for k, it := range call {
			changes[k] = it.t.d.Changes[it.seq].Change
		}
		if len(calls) == 1 {
			answers[i] = a.dir.Write(ctx, changes)
			break
		}
		running.Go(func() { answers[i] = a.dir.Write(ctx, changes) })
	}
	running.Wait()
	return answers
}

// settleCall settles what a call answers for good. It returns what is to be
// tried again, with the error of the first of these.
func settleCall(call []item, results []cloud.Result) (again []item, err error) {
	if len(results) != len(call) {
		return call, &cloud.Error{Kind: cloud.Internal, Message: fmt.Sprintf("the target was given %d changes and answered %d", len(call), len(results))}
	}
	if err := wholeCall(results); err != nil {
		return call, err
	}
	for i, r := range results {
		if isAlone(r) {
			call[i].t.unread = r.Err // the others go on
			continue
		}
		if !tryAgain(r) && !waits(call[i], r, again) {
			call[i].settle(r)
			continue
		}
		again = append(again, call[i])
		if err == nil {
			err = r.Err
		}
	}
	return again, err
}

// isAlone tells a change that the target fails at each time while it serves
// others: whether it was made is not known.
func isAlone(r cloud.Result) bool {
	if r.Outcome != cloud.Failed || r.Err == nil {
		return false
	}
	e, ok := errors.AsType[*cloud.Error](r.Err)
	return ok && e.Alone
}

// tryAgain tells a change that the target could not serve just now.
func tryAgain(r cloud.Result) bool {
	return r.Outcome == cloud.Failed && r.Err != nil && outage(r.Err)
}

// waits tells a change that failed behind another one of the same user which
// is to be tried again: it may have failed for the lack of that one.
func waits(it item, r cloud.Result, again []item) bool {
	return r.Outcome == cloud.Failed && len(again) > 0 && again[len(again)-1].t == it.t
}

// wholeCall returns the error that stands in every result, if it says that
// the target refuses the caller or has failed as a whole: then no user is to
// blame. One result alone cannot tell, except that the lock of the run has
// ended: nothing may be written then.
func wholeCall(results []cloud.Result) error {
	if len(results) > 0 && results[0].Err != nil && cloud.KindOf(results[0].Err) == cloud.Locked {
		return results[0].Err
	}
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
		if err := a.leave(t); err != nil {
			return err
		}
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

// leave counts a user who cannot be read or served, and tells what is not known:
// the journal keeps the intent.
func (a *applier) leave(t *task) error {
	if t.unread == nil {
		return nil
	}
	kind, message := describe(t.unread)
	told := *t
	told.results = slices.Clone(t.results)
	told.settleOpen(0, cloud.Failed, &cloud.Error{Kind: kind, Message: message + "; whether it was written is looked at by the next run"})
	a.count(&told)
	a.failures++
	return a.tell(&told)
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
