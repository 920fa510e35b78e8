package engine

import (
	"context"
	"fmt"
	"time"

	"mfabridge/cloud"
)

// maxNotice is the longest life of a notice.
const maxNotice = 2 * cloud.RepeatWindow

// notice is where a notice stands: among the counts of failures, of nobody.
// Last is when it ends. Each application has a board of its own.
func notice(owner, key string) Counter {
	return Counter{Way: "notice", Place: digest(ownedKey(owner, key))}
}

// Note implements [cloud.Noticeboard].
func (e *Engine) Note(ctx context.Context, key string, life time.Duration) error {
	return e.note(ctx, "", key, life)
}

func (e *Engine) note(ctx context.Context, owner, key string, life time.Duration) error {
	switch {
	case key == "" || len(key) > cloud.MaxIdempotencyKey:
		return refuse(cloud.Invalid, fmt.Sprintf("a notice must have 1 to %d bytes", cloud.MaxIdempotencyKey))
	case life <= 0 || life > maxNotice:
		return refuse(cloud.Invalid, fmt.Sprintf("a notice must stay up for at most %s", maxNotice))
	}
	err := e.store.Update(ctx, func(tx Tx) error {
		return tx.PutFailures(notice(owner, key), Failures{Count: 1, Last: e.now().Add(life)})
	})
	return asError(err)
}

// Noted implements [cloud.Noticeboard].
func (e *Engine) Noted(ctx context.Context, key string) (bool, error) { return e.noted(ctx, "", key) }

// noted tells whether a notice is up. One that would stay up for longer than any
// may was put up before the clock was set back, and is void.
func (e *Engine) noted(ctx context.Context, owner, key string) (up bool, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		f, err := r.Failures(notice(owner, key))
		left := f.Last.Sub(e.now())
		up = f.Count > 0 && left > 0 && left <= maxNotice
		return err
	})
	return up, asError(err)
}
