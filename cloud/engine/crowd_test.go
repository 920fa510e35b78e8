package engine_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// One address has so many passwords waiting as it may, and the next person who
// comes from another one is asked in all the same.
func TestACrowdOfOneAddressKeepsNobodyOut(t *testing.T) {
	h := build(t)
	eve, ada := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.0.2.1")
	app := h.shop(t)
	enter := map[string]func(from netip.Addr) error{
		"page": func(from netip.Addr) error {
			_, err := h.SignIn(t.Context(), engine.SignIn{Name: "nobody@contoso.example", Password: secret.FromString("wrong"), Client: cloud.Client{Address: from}})
			return err
		},
		"native": func(from netip.Addr) error {
			f, err := h.BeginSignIn(t.Context(), app, "nobody@contoso.example", engine.Offer{Password: true})
			if err != nil {
				return err
			}
			client := engine.NativeClient{Address: from}
			if f, _, err = h.AskFirst(t.Context(), app, f, client); err != nil {
				return err
			}
			_, err = h.AnswerPassword(t.Context(), app, f, secret.FromString("wrong"), client, engine.Wish{})
			return err
		},
	}
	_, leave := h.CrowdFrom(eve)
	for name, in := range enter {
		if err := in(eve); cloud.KindOf(err) != cloud.Throttled {
			t.Errorf("%s: one more of the crowd: %v", name, err)
		}
		if err := in(ada); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: somebody else: %v", name, err)
		}
	}
	leave()
	for name, in := range enter {
		if err := in(eve); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("%s: afterwards: %v", name, err)
		}
	}
}

// slow is a directory that answers once so many ask it at once, and falls over
// those whose password is "falls".
type slow struct {
	all  sync.WaitGroup
	done chan struct{}
}

func (s *slow) Prove(ctx context.Context, _ string, password secret.Bytes, _ cloud.Client) (engine.Proven, error) {
	if string(password.Reveal()) == "falls" {
		panic("synthetic")
	}
	s.all.Done()
	select {
	case <-s.done:
		return engine.Proven{}, nil
	case <-ctx.Done():
		return engine.Proven{}, ctx.Err()
	}
}

// Whoever waits for another directory keeps nobody from asking it: it takes none
// of our memory, on a page as by native authentication.
func TestSlowDirectoryIsAskedByManyAtOnce(t *testing.T) {
	h := build(t)
	d := &slow{done: make(chan struct{})}
	if err := h.SetPrimaries(map[string]engine.Primary{"corp": d}, "corp"); err != nil {
		t.Fatal(err)
	}
	app := h.shop(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	many := runtime.GOMAXPROCS(0) + 1
	d.all.Add(many)
	errs := make(chan error, many)
	for i := range many {
		name := fmt.Sprintf("nobody%d@contoso.example", i)
		f, err := h.BeginSignIn(ctx, app, name, engine.Offer{Password: true})
		if err == nil {
			f, _, err = h.AskFirst(ctx, app, f, engine.NativeClient{})
		}
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := h.AnswerPassword(ctx, app, f, secret.FromString(name), engine.NativeClient{}, engine.Wish{})
			errs <- err
		}()
	}
	go func() {
		d.all.Wait()
		close(d.done)
	}()
	for range many {
		if err := <-errs; cloud.KindOf(err) != cloud.Denied {
			t.Fatal(err)
		}
	}
}

// A request that ends in a panic, which the listener takes, leaves its place in
// the crowd behind.
func TestPanicLeavesTheCrowd(t *testing.T) {
	h := build(t)
	if err := h.SetPrimaries(map[string]engine.Primary{"corp": &slow{}}, "corp"); err != nil {
		t.Fatal(err)
	}
	eve := netip.MustParseAddr("198.51.100.7")
	before, leave := h.CrowdFrom(eve)
	leave()
	fell := func() (is any) {
		defer func() { is = recover() }()
		_, err := h.SignIn(t.Context(), engine.SignIn{Name: "nobody@contoso.example", Password: secret.FromString("falls"), Client: cloud.Client{Address: eve}})
		t.Error(err)
		return nil
	}()
	after, leave := h.CrowdFrom(eve)
	leave()
	if fell == nil || after != before {
		t.Errorf("%v: %d places before, %d behind it", fell, before, after)
	}
}
