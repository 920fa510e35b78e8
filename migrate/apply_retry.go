package migrate

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/sleep"
)

// Bounds of waiting for a target that cannot serve a call.
const (
	DefaultTries = 8
	firstWait    = time.Second
	maxWait      = 2 * time.Minute
	// longestWait is the longest time that a target may ask for; beyond it
	// the run ends, to be started again later.
	longestWait = 10 * time.Minute
)

// retry makes a call again as long as it fails in a way that passes.
type retry struct {
	tries int
	sleep func(context.Context, time.Duration) error
	tell  func(cause error, pause time.Duration)
}

func newRetry(o ApplyOptions) retry {
	r := retry{tries: o.Tries, sleep: o.Sleep, tell: o.Waiting}
	if r.tries <= 0 {
		r.tries = DefaultTries
	}
	if r.sleep == nil {
		r.sleep = sleep.For
	}
	if r.tell == nil {
		r.tell = func(error, time.Duration) {}
	}
	return r
}

// passing tells an error that another try may not meet.
func passing(err error) bool {
	e, ok := errors.AsType[*cloud.Error](err)
	return ok && !e.Lasting && (e.Kind == cloud.Throttled || e.Kind == cloud.Unavailable)
}

// outage tells an error that concerns the target as a whole, whether it passes
// or somebody has to mend it first: no user is to blame.
func outage(err error) bool {
	k := cloud.KindOf(err)
	return k == cloud.Throttled || k == cloud.Unavailable
}

// do calls f until it succeeds, fails for good, or has failed in every try;
// then its last error is returned.
func (r retry) do(ctx context.Context, f func() error) error {
	return r.goOn(ctx, func() (bool, error) { return false, f() })
}

// goOn is do for what can be done in parts: tries count only from the last
// one that moved it on.
func (r retry) goOn(ctx context.Context, f func() (moved bool, err error)) error {
	wait := firstWait
	for try := 1; ; try++ {
		moved, err := f()
		if err == nil || !passing(err) {
			return err
		}
		if moved {
			try, wait = 1, firstWait
		}
		if try >= r.tries {
			return err
		}
		pause := wait/2 + rand.N(wait/2) // where nothing is said: runs that were refused together do not come again together
		if e, ok := errors.AsType[*cloud.Error](err); ok && e.RetryAfter > 0 {
			pause = e.RetryAfter
		}
		if pause > longestWait {
			return err
		}
		r.tell(err, pause)
		if err := r.sleep(ctx, pause); err != nil {
			return err
		}
		wait = min(2*wait, maxWait)
	}
}
