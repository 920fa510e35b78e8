package oauth_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/oauth"
	"mfabridge/cloud/engine/http/serve"
)

// slow is an engine whose look at the store takes until gate is closed.
type slow struct {
	*engine.Engine
	held    atomic.Bool
	looked  chan struct{}
	gate    chan struct{}
	counted atomic.Int32
}

func (s *slow) Standing(ctx context.Context, app, kept string) (engine.Standing, error) {
	found, err := s.Engine.Standing(ctx, app, kept)
	s.counted.Add(1)
	if s.held.Load() {
		s.looked <- struct{}{}
		<-s.gate
	}
	return found, err
}

// Requests that come at once share a look at the store, but never one that
// began before them: what was taken away by then is gone for them.
func TestSharedLooksAreNotOld(t *testing.T) {
	h := build(t)
	core := &slow{Engine: h.engine, looked: make(chan struct{}, 100), gate: make(chan struct{})}
	f := oauth.New(oauth.Options{Core: core, Issuer: issuer, Now: func() time.Time { return h.now }, Period: 24 * time.Hour})
	token := h.token(t)
	ask := func() (serve.Caller, error) { return f.Authenticate(t.Context(), token) }
	if _, err := ask(); err != nil {
		t.Fatal(err)
	}
	core.held.Store(true)
	before := make(chan error, 1)
	go func() { _, err := ask(); before <- err }()
	<-core.looked
	if err := h.engine.RemoveApp(t.Context(), operator, "vpn"); err != nil {
		t.Fatal(err)
	}
	const many = 50
	var wg, begun sync.WaitGroup
	var denied atomic.Int32
	begun.Add(many)
	for range many {
		wg.Go(func() {
			begun.Done()
			if _, err := ask(); err != nil && cloud.KindOf(err) == cloud.Denied {
				denied.Add(1)
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Authenticate(ended, token); err == nil || cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("a request that has ended: %v", err)
	}
	begun.Wait() // or they come one after the other, when nobody has to wait any more
	close(core.gate)
	if err := <-before; err != nil {
		t.Errorf("the request before the change: %v", err)
	}
	wg.Wait()
	if denied.Load() != many {
		t.Errorf("%d of %d requests after the change were denied", denied.Load(), many)
	}
	if looks := core.counted.Load(); looks >= many+2 { // each looked for itself
		t.Errorf("%d looks for %d requests", looks, many+2)
	}
	if _, err := ask(); err == nil {
		t.Error("nobody looks any more")
	}
}
