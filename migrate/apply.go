package migrate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/sleep"
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

	Rate        float64          // most changes a second, over any time but a first burst of one second's worth; 0: no limit
	Concurrency int              // most calls of Write at a time; 0: 1
	Quiet       []QuietHours     // times in which nothing is written
	Now         func() time.Time // nil: the system's clock

	// Waves are the waves to apply, in this order; none: all users. Gate is
	// asked before the first write of every wave but the first: an error ends
	// the run. With a Gate and no Waves, all waves are applied in the order in
	// which the plan names them, then the users of none.
	Waves []string
	Gate  func(context.Context, WaveEnd) error

	// Hold is called between two batches and returns when the run may go on;
	// its error ends the run. May be nil.
	Hold func(context.Context) error

	Progress func(Progress)          // called after every batch, may be nil
	Each     func(ChangeEvent) error // called for every change that this run settled, once it is durable; may be nil
	Notify   func(Event)             // called for what happens to the run itself, may be nil
}

// Progress is how far apply is with the whole plan.
type Progress struct {
	Users    int // with changes, that are settled, in earlier runs too
	Earlier  int // of them, in earlier runs
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
	return "stopped at the limit of " + Number(e.Limit, strings.TrimSuffix(e.What, "s"), e.What)
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
// The error is a *[WrongTargetError], a *[LimitError], a *[QuietError], what
// Gate or Hold returned, ctx's error between two batches, a *[cloud.Error] of kind Locked for another run's lock, or of
// kind Throttled or Unavailable if the target could not serve a call in all
// tries; or any other error of plan, journal or target. Whatever it is, the
// same call may be made again. A single change that the target refuses is no
// error but counts as failed.
func Apply(ctx context.Context, p PlanReader, j Journal, d cloud.Directory, o ApplyOptions) (ApplyResult, error) {
	summary := p.Summary()
	a := &applier{plan: p, journal: j, dir: d, opts: o.filled(), result: ApplyResult{Total: summary.withChanges(), Changes: map[cloud.Outcome]int{}}}
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
	if err := toldOfEligible(ctx, p.Header().Preflight, d); err != nil {
		return a.result, err
	}
	if err := a.quiet(); err != nil {
		return a.result, err
	}
	parts, err := a.parts()
	if err != nil {
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
	if err := a.run(ctx, parts); err != nil {
		return a.result, err
	}
	r := &a.result
	r.Total = r.Done + r.Failed + r.Stale // the end of the plan was reached
	return *r, nil
}

// filled is o with what its zero values stand for.
func (o ApplyOptions) filled() ApplyOptions {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep.For
	}
	if o.Notify == nil {
		o.Notify = func(Event) {}
	}
	if o.Hold == nil {
		o.Hold = func(context.Context) error { return nil }
	}
	o.Concurrency = max(o.Concurrency, 1)
	return o
}
