package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/seldom"
)

// metaTrial is the Meta value that a trial writes.
const metaTrial = "trial"

const (
	// trialSize is more than one login writes: what has room has room for one.
	trialSize = 64 << 10
	// trialPause is how long the outcome of a trial holds.
	trialPause = time.Second
)

// taking is a store that knows whether it takes changes. One on a disk that is
// full is read as ever, and an engine that can record nothing lets nobody in:
// whoever asks whether it is there has to hear of it.
type taking struct {
	Store
	now func() time.Time
	log *slog.Logger

	refuses atomic.Bool // a change was not taken, and no trial has been since
	told    seldom.Word // to the log

	mu    sync.Mutex // held during a trial
	tried time.Time
	why   error
}

// Update implements [Store].
func (t *taking) Update(ctx context.Context, fn func(Tx) error) error {
	err := t.Store.Update(ctx, fn)
	t.saw(ctx, err)
	return err
}

// UpdateEach implements [Store].
func (t *taking) UpdateEach(ctx context.Context, fns []func(Tx) error) []error {
	errs := t.Store.UpdateEach(ctx, fns)
	for _, err := range errs {
		t.saw(ctx, err)
	}
	return errs
}

// saw notes what became of a change. One that was taken proves nothing: it may
// have had nothing to write.
func (t *taking) saw(ctx context.Context, err error) {
	if err == nil || !isUntaken(err) {
		return
	}
	t.refuses.Store(true)
	if t.told.Due(t.now()) {
		t.log.ErrorContext(ctx, "the store took no change: nobody is verified without one", "err", err, "hint", hint.Of(err))
	}
}

// isUntaken tells a fault of the store's from what an update refuses by itself,
// and from a caller who has gone.
func isUntaken(err error) bool {
	e, ok := errors.AsType[*cloud.Error](err)
	return ok && e.Kind == cloud.Unavailable && (e.Lasting || e.Err != nil) && !errors.Is(err, context.Canceled)
}

// takes says why the store takes no changes. It writes only where one was not
// taken before.
func (t *taking) takes(ctx context.Context) error {
	if !t.refuses.Load() {
		return nil
	}
	if !t.mu.TryLock() {
		return &cloud.Error{Kind: cloud.Unavailable, Message: "the store took no change, and is being tried again"}
	}
	defer t.mu.Unlock()
	if age := t.now().Sub(t.tried); t.why != nil && age >= 0 && age < trialPause {
		return t.why
	}
	t.refuses.Store(false) // what is not taken from here on counts again
	t.why = t.Store.Update(ctx, func(tx Tx) error { return tx.SetMeta(metaTrial, make([]byte, trialSize)) })
	t.tried = t.now()
	if t.why != nil {
		t.refuses.Store(true)
		return t.why
	}
	t.told.Forget()
	t.log.InfoContext(ctx, "the store takes changes again")
	return nil
}

// Takes says why the store takes no changes, as where its disk is full: until it
// does, nobody is verified. Where the last change was taken it asks nobody.
func (e *Engine) Takes(ctx context.Context) error { return asError(e.store.takes(ctx)) }
