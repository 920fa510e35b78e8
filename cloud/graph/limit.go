package graph

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// limiter gives leave at a rate, by the clock of the options.
type limiter struct {
	bucket *rate.Limiter
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error
}

// newLimiter gives leave for so much a second; burst is the most that is
// given, and may be asked for, at once.
func newLimiter(o Options, perSecond float64, burst int) limiter {
	return limiter{rate.NewLimiter(rate.Limit(perSecond), burst), o.Now, o.Sleep}
}

// take waits until n may be spent. What is more than the burst is taken in
// parts.
func (l limiter) take(ctx context.Context, n int) error {
	for n > 0 {
		part := min(n, l.bucket.Burst())
		n -= part
		now := l.now()
		r := l.bucket.ReserveN(now, part)
		if pause := r.DelayFrom(now); pause > 0 {
			if err := l.sleep(ctx, pause); err != nil {
				r.CancelAt(l.now())
				return err
			}
		}
	}
	return ctx.Err()
}
