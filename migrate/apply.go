package migrate

import (
	"context"
	"fmt"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// ApplyOptions are the limits of a run of apply and who is told about it.
type ApplyOptions struct {
	Holder      string // how the lock in the target names this run
	MaxUsers    int    // most users written to in this run; 0: no limit
	MaxFailures int    // users that may fail in this run before it stops; 0: no limit
	MaxRemovals int    // most methods removed in this run; 0: none may be

	// AllowIrreversible makes changes that take from a user a secret that
	// nobody could give back. Without it they fail with kind Denied.
	AllowIrreversible bool

	// Tries is how often a call to the target that it could not serve is
	// made; 0: DefaultTries. Sleep waits between them; nil: really.
	Tries int
	Sleep func(context.Context, time.Duration) error

	// Waiting is told why and how long a call waits to be made again; may be nil.
	Waiting func(cause error, pause time.Duration)

	Progress func(Progress)          // called after every batch, may be nil
	Each     func(ChangeEvent) error // called for every change that this run settled, once it is durable; may be nil
}

// Progress is how far apply is with the whole plan.
type Progress struct {
	Users    int // with changes, that are settled, in earlier runs too
	Total    int // with changes
	Failures int // users of which a change failed
}

// ChangeEvent is one change that a run of apply has settled.
type ChangeEvent struct {
	Username string
	Change   PlannedChange
	Result   ChangeResult
}

// ApplyResult counts what has become of a plan so far, in this run and those
// before. It is filled as well when Apply returns an error.
type ApplyResult struct {
	Run     int // number of this run in the journal; 0: it did not begin
	Total   int // users with changes
	Done    int // users whose changes are all made
	Failed  int // users of which a change failed
	Stale   int // users of which a change was stale and none failed
	Written int // users that this run settled
	Changes map[cloud.Outcome]int
}

// Left is the number of users that no run has come to yet.
func (r ApplyResult) Left() int { return r.Total - r.Done - r.Failed - r.Stale }

// Verdict is what a whole run comes to, for exit codes.
type Verdict uint8

const (
	AllDone   Verdict = iota // nothing is left to do
	SomeLeft                 // some users failed or were not come to; run again to go on
	StaleLeft                // all that is left is stale; a new plan is needed
)

// Verdict of a run that returned no error.
func (r ApplyResult) Verdict() Verdict {
	switch {
	case r.Failed > 0 || r.Left() > 0:
		return SomeLeft
	case r.Stale > 0:
		return StaleLeft
	}
	return AllDone
}

// WrongTargetError refuses a target that the plan was not made for. Nothing
// was written.
type WrongTargetError struct {
	Planned Target
	Have    string // instance of the target at hand
	Product string
}

func (e *WrongTargetError) Error() string {
	return fmt.Sprintf("the plan was made for %s %s, and this is %s %s", e.Planned.Product, e.Planned.Instance, e.Product, e.Have)
}

// LimitError says that a run stopped at a limit that was set for it. What was
// begun is finished and recorded; another run goes on.
type LimitError struct {
	What  string // "users", "failures", "removals"
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("stopped at the limit of %d %s", e.Limit, e.What)
}

// Apply makes the changes of a plan in the target that it was made for, and
// goes on where an earlier run ended, however it ended. Users are taken in
// the order of the plan, their changes in batches: what is about to be
// written is durable in the journal before, what came of it after. Before a
// user is written to, the target's user is read again: where a fact is
// another than when the plan was made, or a value is neither Before nor
// After, nothing is written (stale). Users that an earlier run settled are
// left alone, except that changes which failed are tried again.
//
// The error is a *[WrongTargetError], a *[LimitError], ctx's error between
// two batches, a *[cloud.Error] of kind Locked for another run's lock, or of
// kind Throttled or Unavailable if the target could not serve a call in all
// tries; or any other error of plan, journal or target. Whatever it is, the
// same call may be made again. A single change that the target refuses is no
// error but counts as failed.
func Apply(ctx context.Context, p PlanReader, j Journal, d cloud.Directory, o ApplyOptions) (ApplyResult, error) {
	total := p.Summary().Users[Create] + p.Summary().Users[Modify]
	a := &applier{plan: p, journal: j, dir: d, opts: o, result: ApplyResult{Total: total, Changes: map[cloud.Outcome]int{}}}
	a.retry = newRetry(o)
	if !p.Sealed() {
		return a.result, hint.New("the seal of the plan was not checked", "put the .key file that was made with the plan beside it")
	}
	caps, err := d.Capabilities(ctx)
	if err != nil {
		return a.result, err
	}
	if err := a.admit(caps); err != nil {
		return a.result, err
	}
	if l, ok := d.(cloud.Locker); ok {
		unlock, err := l.Lock(ctx, o.Holder)
		if err != nil {
			return a.result, err
		}
		defer func() { _ = unlock() }() // it ends with the process in any case
	}
	if a.result.Run, err = j.Begin(ctx, PhaseApply); err != nil {
		return a.result, err
	}
	if err := a.run(ctx); err != nil {
		return a.result, err
	}
	r := &a.result
	r.Total = r.Done + r.Failed + r.Stale // the end of the plan was reached
	return *r, nil
}

// applier is one run of Apply.
type applier struct {
	plan    PlanReader
	journal Journal
	dir     cloud.Directory
	opts    ApplyOptions
	retry   retry
	batch   int // most changes in one Write

	result   ApplyResult
	failures int // users that failed in this run
	removals int // methods removed in this run
}

// admit refuses the target or the whole plan before anything is written.
func (a *applier) admit(caps cloud.Capabilities) error {
	if want := a.plan.Header().Target; want.Instance != caps.Instance || caps.Instance == "" {
		return hint.Wrap(&WrongTargetError{Planned: want, Have: caps.Instance, Product: caps.Product},
			"apply the plan to the target that it was made for, or make a plan for this one")
	}
	a.batch = max(caps.Batch, 1)
	if n := a.plan.Summary().Changes[cloud.Remove]; n > a.opts.MaxRemovals {
		return hint.Wrap(fmt.Errorf("the plan removes %d methods: %w", n, &LimitError{"removals", a.opts.MaxRemovals}),
			"look at them with show, then raise the limit of removals")
	}
	return nil
}

// run takes the users of the plan in pages of at most one batch of changes.
func (a *applier) run(ctx context.Context) error {
	var page []Decision
	changes := 0
	for d, err := range a.plan.Users(ctx, Revealed) {
		if err != nil {
			return err
		}
		if len(d.Changes) == 0 {
			continue
		}
		if len(page) > 0 && changes+len(d.Changes) > a.batch {
			if err := a.page(ctx, page); err != nil {
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
	return a.page(ctx, page)
}

// page settles the users of one page.
func (a *applier) page(ctx context.Context, page []Decision) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tasks, limit, err := a.tasks(ctx, page)
	if err != nil {
		return err
	}
	if len(tasks) > 0 {
		if err := a.preflight(ctx, tasks); err != nil {
			return err
		}
		if err := a.countRemovals(tasks); err != nil {
			return err
		}
		stop := a.write(ctx, tasks)
		if err := a.settle(ctx, tasks); err != nil {
			return err
		}
		if stop != nil {
			return stop
		}
	}
	if a.opts.Progress != nil {
		r := a.result
		a.opts.Progress(Progress{Users: r.Total - r.Left(), Total: r.Total, Failures: r.Failed})
	}
	return limit
}

// tasks looks up what earlier runs have done, and returns what is left to do
// for the users of a page. A limit that it comes to cuts the list short and
// is returned beside it.
func (a *applier) tasks(ctx context.Context, page []Decision) (tasks []*task, limit, err error) {
	entries, err := a.journal.Entries(ctx, page[0].Ordinal, page[len(page)-1].Ordinal)
	if err != nil {
		return nil, nil, err
	}
	for i := range page {
		d := &page[i]
		for len(entries) > 0 && entries[0].Ordinal < d.Ordinal {
			entries = entries[1:]
		}
		t := &task{d: d, results: make([]ChangeResult, len(d.Changes))}
		if len(entries) > 0 && entries[0].Ordinal == d.Ordinal {
			if err := t.resume(entries[0]); err != nil {
				return nil, nil, err
			}
		}
		if !t.open() {
			a.count(t)
			continue
		}
		if limit == nil {
			limit = a.limit(len(tasks))
		}
		if limit == nil {
			tasks = append(tasks, t)
		}
	}
	return tasks, limit, nil
}

// limit tells whether one user more than begun may be written to.
func (a *applier) limit(begun int) error {
	if n := a.opts.MaxUsers; n > 0 && a.result.Written+begun >= n {
		return &LimitError{"users", n}
	}
	if n := a.opts.MaxFailures; n > 0 && a.failures >= n {
		return &LimitError{"failures", n}
	}
	return nil
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
