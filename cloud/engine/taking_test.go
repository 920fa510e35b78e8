package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/audit"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/tries"
	"mfabridge/internal/secret"
)

// readable is a store whose disk can be full: it is read as ever.
type readable struct {
	engine.Store
	full  bool
	tried int    // changes since it is full
	while func() // called during such a change; nil: nothing is
}

var errNoRoom = &cloud.Error{Kind: cloud.Unavailable, Message: "the disk of the store is full", Lasting: true}

func (r *readable) Update(ctx context.Context, change func(engine.Tx) error) error {
	return r.Store.Update(ctx, func(tx engine.Tx) error {
		if err := change(tx); err != nil || !r.full {
			return err
		}
		r.tried++
		if r.while != nil {
			r.while()
		}
		return errNoRoom
	})
}

// onReadable opens an engine on h's store as long as it has room.
func onReadable(t *testing.T, h *house) (*engine.Engine, *readable, *strings.Builder) {
	t.Helper()
	store, log := &readable{Store: h.store}, new(strings.Builder)
	e, err := engine.Open(t.Context(), engine.Config{Store: store, Key: enginetest.Key(t, h.path), Now: h.Now, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, store, log
}

// forNobody is what those ask who want to know whether the engine is there.
func forNobody(t *testing.T, e *engine.Engine) cloud.Kind {
	t.Helper()
	_, err := e.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: "nobody"}, Tries: 1, Key: "nobody"})
	return cloud.KindOf(err)
}

// A store that takes no changes is told of to all who ask whether the engine is
// there, until it takes one.
func TestStoreThatTakesNoChangesIsTold(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	e, store, log := onReadable(t, h)
	if err := e.Takes(t.Context()); err != nil || forNobody(t, e) != cloud.NotFound {
		t.Fatalf("a store with room: %v", err)
	}
	store.full = true
	if got := forNobody(t, e); got != cloud.NotFound || store.tried != 0 {
		t.Fatalf("nothing is known of the disk yet: %s after %d trials", got, store.tried)
	}
	block := func() error { return e.Block(t.Context(), operator, id, h.Now().Add(time.Hour)) }
	if err := block(); cloud.KindOf(err) != cloud.Unavailable {
		t.Fatalf("a block: %v", err)
	}
	if err := e.Takes(t.Context()); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("after a change that was not taken: %v", err)
	}
	if got := forNobody(t, e); got != cloud.Unavailable {
		t.Errorf("who asks for nobody hears %s", got)
	}
	if store.tried != 2 { // the block and one trial
		t.Errorf("%d changes within a second", store.tried)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("the log has %d lines:\n%s", n, log)
	}
	h.Advance(time.Minute)
	_ = block()
	if n := strings.Count(log.String(), "level=ERROR"); n != 2 {
		t.Errorf("the log has %d lines a minute later", n)
	}
	store.full = false
	if err := e.Takes(t.Context()); err != nil || forNobody(t, e) != cloud.NotFound {
		t.Errorf("a store that has room again: %v", err)
	}
	if !strings.Contains(log.String(), "takes changes again") {
		t.Errorf("the log does not say so:\n%s", log)
	}
}

// While a trial goes on, which takes seconds where the store waits for something,
// others are not told that all is well; and what is not taken meanwhile counts.
func TestDuringATrialNothingIsWell(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	e, store, _ := onReadable(t, h)
	store.full = true
	_ = e.Block(t.Context(), operator, id, h.Now().Add(time.Hour))
	others := 0
	store.while = func() {
		others++
		if err := e.Takes(t.Context()); cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("who asks during a trial hears %v", err)
		}
	}
	if err := e.Takes(t.Context()); cloud.KindOf(err) != cloud.Unavailable || others != 1 {
		t.Errorf("%d asked meanwhile; %v", others, err)
	}
}

// A change that has nothing to write goes through on a full disk, and proves
// nothing.
func TestEmptyChangeProvesNoRoom(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	e, store, _ := onReadable(t, h)
	store.full = true
	_ = e.Block(t.Context(), operator, id, h.Now().Add(time.Hour))
	store.full = false
	if _, err := e.Noted(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	store.full = true
	if err := e.Takes(t.Context()); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("after a change with nothing in it: %v", err)
	}
}

// cramped is a store in which one kind of change finds no room while others do.
type cramped struct {
	engine.Store
	full string // the kind; empty: there is room for all
}

func (c *cramped) Update(ctx context.Context, change func(engine.Tx) error) error {
	return c.Store.Update(ctx, func(tx engine.Tx) error { return change(&crampedTx{tx, c.full}) })
}

type crampedTx struct {
	engine.Tx
	full string
}

func (tx *crampedTx) refuse(kind string, do func() error) error {
	if tx.full == kind {
		return errNoRoom
	}
	return do()
}

func (tx *crampedTx) Append(a audit.Entry) error {
	return tx.refuse("audit", func() error { return tx.Tx.Append(a) })
}

func (tx *crampedTx) PutChallenge(c *engine.Challenge) error {
	return tx.refuse("challenges", func() error { return tx.Tx.PutChallenge(c) })
}

func (tx *crampedTx) PutAttempt(a *engine.Attempt) error {
	return tx.refuse("attempts", func() error { return tx.Tx.PutAttempt(a) })
}

func (tx *crampedTx) PutFailures(c tries.Counter, f tries.Failures) error {
	return tx.refuse("failures", func() error { return tx.Tx.PutFailures(c, f) })
}

func (tx *crampedTx) RemoveUser(id cloud.UserID) error {
	return tx.refuse("users", func() error { return tx.Tx.RemoveUser(id) })
}

func (tx *crampedTx) Release(space engine.Space, name string) error {
	return tx.refuse("names", func() error { return tx.Tx.Release(space, name) })
}

func (tx *crampedTx) RemoveToken(user cloud.UserID, id string) error {
	return tx.refuse("tokens", func() error { return tx.Tx.RemoveToken(user, id) })
}

func (tx *crampedTx) SetMeta(name string, value []byte) error {
	if bytes.Count(value, value[:1]) > len(value)/16 { // a database makes it small
		return tx.Tx.SetMeta(name, value)
	}
	return tx.refuse("meta", func() error { return tx.Tx.SetMeta(name, value) })
}

// A trial meets what a login meets, in whatever table, and leaves nothing.
func TestTrialIsLikeALogin(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	store := &cramped{Store: h.store}
	e, err := engine.Open(t.Context(), engine.Config{Store: store, Key: enginetest.Key(t, h.path), Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	var before, after string
	look := func(into *string) {
		if err := h.store.View(t.Context(), func(r engine.Reader) error {
			last, err := r.LastAudit()
			challenges, more := r.ChallengesAfter("", 10)
			chains, third := r.MetaNames(audit.MetaChain)
			*into = fmt.Sprint(last.Seq, last.Action, len(challenges), chains)
			return errors.Join(err, more, third)
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, full := range []string{"audit", "challenges", "attempts", "failures", "users", "names", "tokens", "meta"} {
		store.full = "audit" // a block needs it
		if err := e.Block(t.Context(), operator, id, h.Now().Add(time.Hour)); cloud.KindOf(err) != cloud.Unavailable {
			t.Fatalf("a block: %v", err)
		}
		store.full = full
		look(&before)
		if err := e.Takes(t.Context()); cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("no room in %s: %v", full, err)
		}
		h.Advance(time.Minute)
		store.full = ""
		if err := e.Takes(t.Context()); err != nil {
			t.Errorf("after there was no room in %s: %v", full, err)
		}
		if look(&after); before != after {
			t.Errorf("a trial left something: %s, %s", before, after)
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// What an update refuses by itself, and a caller who goes, say nothing of the
// store.
func TestRefusalIsNoFaultOfTheStore(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	e, store, log := onReadable(t, h)
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := e.Block(gone, operator, id, h.Now().Add(time.Hour)); cloud.KindOf(err) != cloud.Unavailable {
		t.Fatalf("a caller who is gone: %v", err)
	}
	byHand(t, h.path, "UPDATE tokens SET sealed = CAST(x'01' || x'01020304' || substr(sealed, 6) AS BLOB)") // with a key that nobody has
	_, err := e.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Code: secret.FromString("000000"), Tries: 1})
	if cloud.KindOf(err) != cloud.Unavailable {
		t.Fatalf("a secret that this process has no key for: %v", err)
	}
	store.full = true // a trial would fail
	if err := e.Takes(t.Context()); err != nil || log.Len() > 0 {
		t.Errorf("%v\n%s", err, log)
	}
}
