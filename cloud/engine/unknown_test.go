package engine_test

import (
	"context"
	"slices"
	"testing"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/internal/secret"
)

// commits counts what a store has committed.
type commits struct {
	engine.Store
	n int
}

func (c *commits) Update(ctx context.Context, change func(engine.Tx) error) error {
	err := c.Store.Update(ctx, change)
	if err == nil {
		c.n++
	}
	return err
}

func (c *commits) UpdateEach(ctx context.Context, changes []func(engine.Tx) error) []error {
	errs := c.Store.UpdateEach(ctx, changes)
	if slices.Contains(errs, nil) {
		c.n++
	}
	return errs
}

// counted opens an engine on h's store whose commits are counted.
func counted(t *testing.T, h *house) (*engine.Engine, *commits) {
	t.Helper()
	store := &commits{Store: h.store}
	e, err := engine.Open(t.Context(), engine.Config{Store: store, Key: enginetest.Key(t, h.path), Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	return e, store
}

// A code of nobody costs a commit, as a wrong code of somebody does: how long
// the answer takes must not tell who there is.
func TestCodeOfNobodyTakesAsLongAsAWrongOne(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	e, store := counted(t, h)
	cost := func(subject cloud.Key, code string, kind cloud.Kind) int {
		t.Helper()
		before := store.n
		_, err := e.Begin(t.Context(), cloud.Request{Subject: subject, Code: secret.FromString(code), Tries: 1})
		if cloud.KindOf(err) != kind {
			t.Fatalf("got %v", err)
		}
		return store.n - before
	}
	known := cost(cloud.Key{Kind: cloud.ByID, Value: string(id)}, "000000", cloud.KindOf(nil))
	unknown := cost(cloud.Key{Kind: cloud.ByName, Value: "nobody@contoso.example"}, "000000", cloud.NotFound)
	if known != 1 || unknown != known {
		t.Errorf("a wrong code is %d commits, one of nobody %d", known, unknown)
	}
	if n := cost(cloud.Key{Kind: cloud.ByName, Value: "nobody@contoso.example"}, "", cloud.NotFound); n != 0 {
		t.Errorf("somebody unknown without a code is %d commits", n)
	}
}

// So it is in company: a round with a code of nobody is one commit, as one
// without.
func TestCodeOfNobodyTakesAsLongInARound(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	e, store := counted(t, h)
	wrong := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Code: secret.FromString("000000"), Tries: 1}
	nobodys := wrong
	nobodys.Subject = cloud.Key{Kind: cloud.ByName, Value: "nobody@contoso.example"}
	for name, round := range map[string][]cloud.Case{
		"with":    {{Request: wrong}, {Request: nobodys}, {Request: nobodys}},
		"without": {{Request: wrong}, {Request: wrong}, {Request: wrong}},
		"alone":   {{Request: nobodys}},
	} {
		before := store.n
		e.Settle(t.Context(), round)
		for i, c := range round {
			if c.Request.Subject != wrong.Subject && cloud.KindOf(c.Err) != cloud.NotFound || c.Request.Subject == wrong.Subject && c.Err != nil {
				t.Errorf("%s, case %d: %+v, %v", name, i, c.Challenge, c.Err)
			}
		}
		if n := store.n - before; n != 1 {
			t.Errorf("a round %s nobody is %d commits", name, n)
		}
	}
}
