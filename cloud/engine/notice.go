package engine

import (
	"context"
	"fmt"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/tries"
)

// maxNotice is the longest life of a notice.
const maxNotice = 2 * cloud.RepeatWindow

// notice is where a notice stands: among the counts of failures, of nobody.
// Last is when it ends. Each application has a board of its own.
func notice(owner, key string) tries.Counter {
	return tries.Counter{Way: "notice", Place: digest(ownedKey(owner, key))}
}

// Note implements [cloud.Noticeboard].
func (e *Engine) Note(ctx context.Context, key string, life time.Duration) error {
	return e.note(ctx, "", key, life)
}

func (e *Engine) note(ctx context.Context, owner, key string, life time.Duration) error {
	if err := checkNotice(key, life); err != nil {
		return err
	}
	err := e.store.Update(ctx, func(tx Tx) error {
		return tx.PutFailures(notice(owner, key), tries.Failures{Count: 1, Last: e.now().Add(life)})
	})
	return asError(err)
}

func checkNotice(key string, life time.Duration) error {
	switch {
	case key == "" || len(key) > cloud.MaxIdempotencyKey:
		return refuse(cloud.Invalid, fmt.Sprintf("a notice must have 1 to %d bytes", cloud.MaxIdempotencyKey))
	case life <= 0 || life > maxNotice:
		return refuse(cloud.Invalid, fmt.Sprintf("a notice must stay up for at most %s", maxNotice))
	}
	return nil
}

// Claim implements [cloud.Noticeboard].
func (e *Engine) Claim(ctx context.Context, key string, life time.Duration) (bool, error) {
	return e.claim(ctx, "", key, life)
}

func (e *Engine) claim(ctx context.Context, owner, key string, life time.Duration) (mine bool, err error) {
	if err := checkNotice(key, life); err != nil {
		return false, err
	}
	at := notice(owner, key)
	err = e.store.Update(ctx, func(tx Tx) error {
		before, err := tx.Failures(at)
		if mine = err == nil && !e.stands(before); !mine {
			return err
		}
		return tx.PutFailures(at, tries.Failures{Count: 1, Last: e.now().Add(life)})
	})
	return mine && err == nil, asError(err)
}

// Withdraw implements [cloud.Noticeboard].
func (e *Engine) Withdraw(ctx context.Context, key string) error { return e.withdraw(ctx, "", key) }

func (e *Engine) withdraw(ctx context.Context, owner, key string) error {
	err := e.store.Update(ctx, func(tx Tx) error { return tx.PutFailures(notice(owner, key), tries.Failures{}) })
	return asError(err)
}

// Noted implements [cloud.Noticeboard].
func (e *Engine) Noted(ctx context.Context, key string) (bool, error) { return e.noted(ctx, "", key) }

func (e *Engine) noted(ctx context.Context, owner, key string) (up bool, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		f, err := r.Failures(notice(owner, key))
		up = e.stands(f)
		return err
	})
	return up, asError(err)
}

// stands tells whether a notice is up. One that would stay up for longer than
// any may was put up before the clock was set back, and is void.
func (e *Engine) stands(f tries.Failures) bool {
	left := f.Last.Sub(e.now())
	return f.Count > 0 && left > 0 && left <= maxNotice
}
