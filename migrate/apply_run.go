package migrate

import (
	"context"
	"fmt"
	"math"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// applier is one run of Apply.
type applier struct {
	plan    PlanReader
	journal Journal
	dir     cloud.Directory
	opts    ApplyOptions
	reader  reader
	retry   retry
	pace    *pacer
	batch   int  // most changes in one Write, and users in one Read
	delayed bool // a Read may miss a Write for a while

	result   ApplyResult
	failures int       // users that failed in this run
	removals int       // methods removed in this run
	passed   WaveEnd   // the wave before this one, for its gate
	gated    bool      // the gate of this wave is yet to be asked
	begins   WaveEvent // that is told once the gate is passed
	wave     string    // that is being applied
}

// admit refuses the target or the whole plan before anything is written.
func (a *applier) admit(caps cloud.Capabilities) error {
	if want := a.plan.Header().Target; want.Instance != caps.Instance || caps.Instance == "" {
		return hint.Wrap(&WrongTargetError{Planned: want, Have: caps.Instance, Product: caps.Product},
			"apply the plan to the target that it was made for, or make a plan for this one")
	}
	a.batch, a.delayed = max(caps.Batch, 1), caps.Delayed
	a.pace = newPacer(a.opts, a.batch, caps.Pace)
	a.retry = a.telling(newRetry(a.opts))
	a.reader = reader{dir: a.dir, retry: a.retry, fails: func(err error) {
		if passing(err) {
			a.pace.refused(cloud.KindOf(err) == cloud.Throttled)
		}
	}}
	return nil
}

// telling is r with an event for every wait.
func (a *applier) telling(r retry) retry {
	tell := r.tell
	r.tell = func(cause error, pause time.Duration) {
		tell(cause, pause)
		a.opts.Notify(ThrottleEvent{Cause: cause, Wait: pause, Batch: a.pace.size, Concurrency: a.pace.lanes, Rate: a.pace.soft.rate})
	}
	return r
}

// admitRemovals refuses what removes more than the limit before anything is
// written.
func (a *applier) admitRemovals(n int) error {
	if n > a.opts.MaxRemovals {
		return hint.Wrap(fmt.Errorf("the plan removes %s: %w", Number(n, "method", "methods"), &LimitError{"removals", a.opts.MaxRemovals}),
			"look at them with show, then raise the limit of removals")
	}
	return nil
}

// users takes the users of one wave, or all of them, in pages of at most what
// may be written at once.
func (a *applier) users(ctx context.Context, of PlanReader) error {
	return inPages(ctx, of, Revealed, a.batch*a.opts.Concurrency, a.page)
}

// inPages hands out the users who have changes in pages of at most so many
// changes; who has more is a page alone. A page is for do until it returns.
func inPages(ctx context.Context, of PlanReader, view View, most int, do func(context.Context, []Decision) error) error {
	var page []Decision
	changes := 0
	for d, err := range of.Users(ctx, view) {
		if err != nil {
			return err
		}
		if len(d.Changes) == 0 {
			continue
		}
		if len(page) > 0 && changes+len(d.Changes) > most {
			if err := do(ctx, page); err != nil {
				return err
			}
			page, changes = page[:0], 0
		}
		page = append(page, d)
		changes += len(d.Changes)
	}
	if len(page) == 0 {
		return ctx.Err()
	}
	return do(ctx, page)
}

// page settles the users of one page, in batches of what the target, the rate
// and the limits allow just then.
func (a *applier) page(ctx context.Context, page []Decision) error {
	tasks, err := a.tasks(ctx, page)
	if err != nil {
		return err
	}
	for len(tasks) > 0 {
		if err := a.mayGoOn(ctx); err != nil {
			return err
		}
		most, err := a.room()
		if err != nil {
			return err
		}
		n := a.portion(tasks[:min(len(tasks), most)])
		if err := a.settleAll(ctx, tasks[:n]); err != nil {
			return err
		}
		tasks = tasks[n:]
	}
	a.progress()
	return ctx.Err()
}

// mayGoOn is asked before every batch.
func (a *applier) mayGoOn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := a.opts.Hold(ctx); err != nil {
		return err
	}
	if err := a.quiet(); err != nil {
		return err
	}
	return a.gate(ctx)
}

// settleAll settles one batch of users.
func (a *applier) settleAll(ctx context.Context, tasks []*task) error {
	if err := a.preflight(ctx, tasks); err != nil {
		return err
	}
	if err := a.countRemovals(tasks); err != nil {
		return err
	}
	written, stop := a.write(ctx, tasks)
	before := a.result.Written
	if err := a.settle(ctx, tasks); err != nil {
		return err
	}
	r := a.result
	a.opts.Notify(BatchEvent{Wave: a.wave, Users: r.Written - before, Changes: written, Done: r.Done, Failed: r.Failed, Stale: r.Stale, Total: r.Total})
	a.progress()
	return stop
}

func (a *applier) progress() {
	if a.opts.Progress != nil {
		r := a.result
		settled := r.Total - r.Left()
		a.opts.Progress(Progress{Users: settled, Earlier: settled - r.Written, Total: r.Total, Failures: r.Failed})
	}
}

// tasks looks up what earlier runs have done, counts the users that they have
// settled, and returns what is left to do for the others of a page.
func (a *applier) tasks(ctx context.Context, page []Decision) ([]*task, error) {
	entries, err := a.journal.Entries(ctx, page[0].Ordinal, page[len(page)-1].Ordinal)
	if err != nil {
		return nil, err
	}
	var tasks []*task
	for i := range page {
		d := &page[i]
		for len(entries) > 0 && entries[0].Ordinal < d.Ordinal {
			entries = entries[1:]
		}
		t := &task{d: d, results: make([]ChangeResult, len(d.Changes))}
		if len(entries) > 0 && entries[0].Ordinal == d.Ordinal {
			if err := t.resume(entries[0]); err != nil {
				return nil, err
			}
		}
		if t.open() {
			tasks = append(tasks, t)
		} else {
			a.count(t)
		}
	}
	return tasks, nil
}

// room is the number of users that may be begun now. That all of them may
// fail is reckoned with: so the limit of failures holds to the user.
func (a *applier) room() (users int, err error) {
	users = math.MaxInt
	if n := a.opts.MaxUsers; n > 0 {
		if users = n - a.result.Written; users <= 0 {
			return 0, &LimitError{"users", n}
		}
	}
	if n := a.opts.MaxFailures; n > 0 {
		if left := n - a.failures; left <= 0 {
			return 0, &LimitError{"failures", n}
		} else {
			users = min(users, left)
		}
	}
	return users, nil
}

// portion is how many of the tasks, at least one, are written together.
func (a *applier) portion(tasks []*task) int {
	most := a.pace.portion()
	changes := 0
	for i, t := range tasks {
		changes += t.left()
		if i > 0 && changes > most {
			return i
		}
	}
	return len(tasks)
}

// count adds a settled user to the result.
func (a *applier) count(t *task) {
	var failed, stale bool
	for _, r := range t.results {
		a.result.Changes[r.Outcome]++
		failed = failed || r.Outcome == cloud.Failed
		stale = stale || r.Outcome == cloud.Outdated
	}
	switch {
	case failed:
		a.result.Failed++
	case stale:
		a.result.Stale++
	default:
		a.result.Done++
	}
}
