package engine_test

import (
	"context"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
)

// slowWatch is a store that takes its time to watch others.
type slowWatch struct {
	engine.Store
	asked, over chan struct{}
}

func (s slowWatch) Watch(ctx context.Context) (<-chan struct{}, error) {
	s.asked <- struct{}{}
	<-s.over
	return s.Store.Watch(ctx)
}

// A login does not wait for somebody who begins to listen, whatever the store
// does meanwhile.
func TestLoginsDoNotWaitForAWatchThatBegins(t *testing.T) {
	path := enginetest.Create(t, engine.Setup{})
	_, store := enginetest.Open(t, path, engine.Config{})
	slow := slowWatch{store, make(chan struct{}), make(chan struct{})}
	e, err := engine.Open(t.Context(), engine.Config{Store: slow, Key: enginetest.Key(t, path)})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	id, err := e.AddUser(t.Context(), engine.Actor{Who: "operator", Reason: "test"}, cloud.Profile{UPN: "ada@contoso.example", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	began := make(chan error, 2)
	go func() {
		e.Verdicts(t.Context())
		began <- nil
	}()
	<-slow.asked
	go func() {
		_, err := e.Listen(t.Context(), id)
		began <- err
	}()
	<-slow.asked
	done := make(chan error, 1)
	go func() {
		c, err := e.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1})
		if err == nil && c.State != cloud.Refused {
			t.Errorf("somebody without methods: %+v", c)
		}
		if err == nil {
			_, err = e.TestStreams(id, "none", "x")
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("the login waits")
	}
	close(slow.over)
	for range 2 {
		if err := <-began; err != nil {
			t.Error(err)
		}
	}
}
