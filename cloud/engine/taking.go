package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/tries"
	"mfabridge/internal/hint"
	"mfabridge/internal/seldom"
)

// metaTrial is the Meta value that a trial writes.
const metaTrial = "trial"

const (
	// trialSize is more than one login writes: what has room has room for one. It
	// is of random bytes, which no store can make smaller.
	trialSize = 64 << 10
	// trialRows are written into each table that grows with logins: more than fits
	// behind the last row of one, where a login may find no place.
	trialRows, trialRow = 16, 1500
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

	untaken atomic.Uint64 // changes that were not taken
	settled atomic.Uint64 // so many of them were when a trial began that went well
	told    seldom.Word   // to the log

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
	t.untaken.Add(1)
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
	if t.untaken.Load() == t.settled.Load() {
		return nil
	}
	if !t.mu.TryLock() {
		return &cloud.Error{Kind: cloud.Unavailable, Message: "the store took no change, and is being tried again"}
	}
	defer t.mu.Unlock()
	if age := t.now().Sub(t.tried); t.why != nil && age >= 0 && age < trialPause {
		return t.why
	}
	before := t.untaken.Load() // what is not taken from here on counts again
	t.why = t.try(ctx)
	t.tried = t.now()
	if t.why != nil {
		return t.why
	}
	t.settled.Store(before)
	t.told.Forget()
	t.log.InfoContext(ctx, "the store takes changes again")
	return nil
}

// try has the store do what a login has it do, and then take a change that stays:
// that a store has room in one table, or for what it can undo, says nothing.
func (t *taking) try(ctx context.Context) error {
	if err := t.Store.Update(ctx, t.rehearse); !errors.Is(err, errRehearsed) {
		return err
	}
	return t.Store.Update(ctx, func(tx Tx) error { return tx.SetMeta(metaTrial, noise(trialSize)) })
}

// errRehearsed has all undone that a rehearsal did.
var errRehearsed = errors.New("only a rehearsal")

// rehearse writes into every table into which a login by code writes, so that it
// meets what a login meets: a full disk, and tables that somebody has locked. It
// ends with an error, so that nothing of it stays.
func (t *taking) rehearse(tx Tx) error {
	for range trialRows { // first, since it grows with each login and never shrinks
		e := audit.Entry{Time: t.now(), Node: metaTrial, Action: metaTrial, Detail: hex.EncodeToString(noise(trialRow / 2))}
		if err := tx.Append(e); err != nil {
			return err
		}
	}
	for i := range trialRows {
		id := cloud.ChallengeID(fmt.Sprint(metaTrial, i))
		c := &Challenge{ID: id, Context: noise(trialRow), Created: t.now(), Expires: t.now()}
		if err := cmp.Or(tx.PutChallenge(c), tx.PutAttempt(&Attempt{Challenge: id, At: t.now()})); err != nil {
			return err
		}
	}
	if err := cmp.Or(tx.RemoveUser(""), tx.Release(Names, ""), tx.RemoveToken("", ""), tx.PutFailures(tries.Counter{}, tries.Failures{})); err != nil {
		return err
	}
	_, err := tx.Spent("") // what was written before it is so now
	return cmp.Or(err, errRehearsed)
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// Takes says why the store takes no changes, as where its disk is full: until it
// does, nobody is verified. Where the last change was taken it asks nobody.
func (e *Engine) Takes(ctx context.Context) error { return asError(e.store.takes(ctx)) }
