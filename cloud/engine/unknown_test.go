package engine_test

import (
	"context"
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

// A code of nobody costs a commit, as a wrong code of somebody does: how long
// the answer takes must not tell who there is.
func TestCodeOfNobodyTakesAsLongAsAWrongOne(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	store := &commits{Store: h.store}
	key := enginetest.Key(t, h.path)
	e, err := engine.Open(t.Context(), engine.Config{Store: store, Key: key, Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
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
