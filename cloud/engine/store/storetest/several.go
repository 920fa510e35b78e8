package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// relay begins on one node, and answers and looks on the other.
type relay struct {
	*engine.Engine
	other *engine.Engine
}

// Answer implements [cloud.Verifier].
func (r *relay) Answer(ctx context.Context, a cloud.Answer) (cloud.Decision, error) {
	return r.other.Answer(ctx, a)
}

// Look implements [cloud.Verifier].
func (r *relay) Look(ctx context.Context, ids []cloud.ChallengeID) ([]cloud.Decision, error) {
	return r.other.Look(ctx, ids)
}

func name(i int) string { return fmt.Sprintf("user%04d@contoso.example", i) }

func (c clock) login(i int) cloud.Request {
	return cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: name(i)}, Tries: 1,
		Code: cloudtest.Code(cloudtest.Seed(i), cloudtest.Generator(i), c.Now())}
}

func blockElsewhere(t *testing.T, p Place) {
	nodes := p.nodes(t, 2)
	id := nodes[0].enrol(t, 1)
	ask := func(want cloud.State, reason cloud.Reason) {
		t.Helper()
		c, err := nodes[1].Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1})
		if err != nil || c.State != want || c.Reason != reason {
			t.Fatalf("Begin: %+v, %v; want %s %s", c, err, want, reason)
		}
	}
	for range 3 {
		ask(cloud.Pending, "")
		if err := nodes[0].Block(t.Context(), operator, id, nodes[0].clock.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		ask(cloud.Refused, cloud.UserBlocked)
		if err := nodes[1].Unblock(t.Context(), operator, id); err != nil {
			t.Fatal(err)
		}
	}
}

func answerElsewhere(t *testing.T, p Place) {
	nodes := p.nodes(t, 2)
	nodes[0].enrol(t, 1)
	r := nodes[0].clock.login(1)
	code := r.Code
	r.Code = secret.Bytes{}
	c, err := nodes[0].Begin(t.Context(), r)
	if err != nil || c.State != cloud.Pending {
		t.Fatalf("Begin: %+v, %v", c, err)
	}
	d, err := nodes[1].Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: code})
	if err != nil || d.State != cloud.Approved {
		t.Fatalf("Answer: %+v, %v", d, err)
	}
	if d, err = nodes[0].Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: code}); err != nil || d.State == cloud.Approved {
		t.Fatalf("Answer on the first node: %+v, %v", d, err)
	}
}

// usedOnce logs users in on three nodes at once, each with one code.
func usedOnce(t *testing.T, p Place) {
	nodes := p.nodes(t, 3)
	const users, each = 10, 4
	for i := range users {
		nodes[0].enrol(t, i)
	}
	var approved [users]atomic.Int64
	var wg sync.WaitGroup
	for k := range users * each * len(nodes) {
		wg.Go(func() {
			i := k % users
			c, err := nodes[k%len(nodes)].Begin(context.Background(), nodes[0].clock.login(i))
			if err != nil {
				t.Errorf("user %d: %v", i, err)
			}
			if c.State == cloud.Approved {
				approved[i].Add(1)
			}
		})
	}
	wg.Wait()
	for i := range users {
		if n := approved[i].Load(); n != 1 {
			t.Errorf("the code of user %d was accepted %d times", i, n)
		}
	}
}

// serial counts in one value from several handles: no update is lost.
func serial(t *testing.T, p Place) {
	const each = 40
	stores := []engine.Store{p.Open(t), p.Open(t), p.Open(t)}
	var wg sync.WaitGroup
	for _, s := range stores {
		for range 2 {
			wg.Go(func() {
				for range each {
					err := s.Update(context.Background(), func(tx engine.Tx) error {
						value, err := tx.Meta("count")
						if err != nil {
							return err
						}
						return tx.SetMeta("count", append(value, '.'))
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	if n := len(meta(t, stores[0], "count")); n != 2*each*len(stores) {
		t.Errorf("%d updates of %d are there", n, 2*each*len(stores))
	}
	for _, s := range stores {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// wokenElsewhere answers on one node what another one is waiting for.
func wokenElsewhere(t *testing.T, p Place) {
	nodes := p.nodes(t, 2)
	nodes[0].enrol(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got := make(chan cloud.Decision, 8)
	decisions := nodes[0].Decisions(ctx)
	go func() {
		defer close(got)
		for d, err := range decisions {
			if err != nil {
				t.Error(err)
				return
			}
			got <- d
		}
	}()
	r := nodes[0].clock.login(1)
	code := r.Code
	r.Code, r.Context = secret.Bytes{}, []byte("of node 0")
	c, err := nodes[0].Begin(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[1].Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: code}); err != nil {
		t.Fatal(err)
	}
	d, ok := <-got
	if !ok || d.Challenge != c.ID || d.State != cloud.Approved || string(d.Context) != "of node 0" {
		t.Fatalf("woken by %+v, %t", d, ok)
	}
	cancel()
	for d := range got {
		t.Errorf("the verdict came again: %+v", d)
	}
}
