// Package sleep waits, but no longer than somebody wants it to.
//
//	if err := sleep.For(ctx, time.Second); err != nil {
//		return err // ctx is done
//	}
package sleep

import (
	"context"
	"time"
)

// For waits for d. Where ctx is done before, it returns at once, with its error.
func For(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
