package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/http/api"
	"mfabridge/cloud/engine/http/pages"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/internal/hint"
)

// readable is a store whose disk can be full: it is read as ever.
type readable struct {
	engine.Store
	full bool
}

func (r *readable) Update(ctx context.Context, change func(engine.Tx) error) error {
	return r.Store.Update(ctx, func(tx engine.Tx) error {
		if err := change(tx); err != nil || !r.full {
			return err
		}
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "the disk of the store is full", Lasting: true}, "make room")
	})
}

// An engine whose store takes no changes can verify nobody: it is not ready,
// until it can.
func TestFullDiskIsNotReady(t *testing.T) {
	clock := cloudtest.NewClock()
	path := enginetest.Create(t, engine.Setup{Now: clock.Now()})
	_, s := enginetest.Open(t, path, engine.Config{Now: clock.Now})
	store := &readable{Store: s}
	e, err := engine.Open(t.Context(), engine.Config{Store: store, Key: enginetest.Key(t, path), Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	a, err := api.New(api.Options{Engine: e, Issuer: issuer, Now: clock.Now, Public: "https://mfa.contoso.example",
		Pages: pages.Options{PublicURL: "https://mfa.contoso.example", PushKey: "key", MayPush: mayPush}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &house{API: a}
	ready := func(want int) string {
		t.Helper()
		w := h.do(serve.Ops, http.MethodGet, "/readyz", "")
		if w.Code != want {
			t.Errorf("/readyz says %d %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	ready(http.StatusOK)
	store.full = true
	if _, err := e.AddUser(t.Context(), engine.Actor{Who: "operator", Reason: "test"}, cloud.Profile{UPN: "bob@contoso.example"}); cloud.KindOf(err) != cloud.Unavailable {
		t.Fatal(err)
	}
	if text := ready(http.StatusServiceUnavailable); !strings.Contains(text, "takes no changes") {
		t.Errorf("it says %s", text)
	}
	store.full = false
	clock.Advance(2 * time.Second)
	ready(http.StatusOK)
}
