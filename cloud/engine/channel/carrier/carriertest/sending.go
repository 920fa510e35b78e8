package carriertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
)

// kinds are the errors that mean something to who sends.
var kinds = []error{carrier.ErrUnreachable, carrier.ErrUnknown, carrier.ErrUnwell}

// fails sends a note that is not taken over, and holds the error against the kinds
// that it may be of; none: it is of no kind. Nobody repeats it by himself.
func (p *Peer) fails(t *testing.T, d carrier.Driver, may ...error) {
	t.Helper()
	n := p.note(7)
	_, err := p.send(t.Context(), t, d, n)
	if err == nil {
		t.Fatal("it was taken over")
	}
	of := slices.DeleteFunc(slices.Clone(kinds), func(k error) bool { return !errors.Is(err, k) })
	if len(of) != min(1, len(may)) || len(of) == 1 && !slices.Contains(may, of[0]) {
		t.Errorf("%v: it is of %v, and may be of %v", err, of, may)
	}
	if times := p.had(n); times > 1 && !errors.Is(err, carrier.ErrUnwell) {
		t.Errorf("the provider was given it %d times", times)
	}
}

func takes(t *testing.T, p *Peer) {
	for i := range 3 {
		n := p.note(i)
		if _, err := p.send(t.Context(), t, p.Driver, n); err != nil {
			t.Fatal(err)
		}
		if times := p.had(n); times != 1 {
			t.Errorf("the provider was given it %d times: %v", times, p.Provider.Had())
		}
	}
}

func refuses(t *testing.T, p *Peer) {
	p.Provider.React(Refuse)
	p.fails(t, p.Driver)
	p.Provider.React(Accept)
	if _, err := p.send(t.Context(), t, p.Driver, p.note(8)); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func absent(t *testing.T, p *Peer) {
	p.Provider.React(Absent)
	p.fails(t, p.Driver, carrier.ErrUnreachable)
}

func busy(t *testing.T, p *Peer) {
	p.Provider.React(Busy)
	p.fails(t, p.Driver, carrier.ErrUnwell)
}

// silent: who says nothing may have taken it over.
func silent(t *testing.T, p *Peer) {
	p.Provider.React(Silent)
	d := p.Hasty(t)
	p.listen(d)
	p.fails(t, d, carrier.ErrUnknown)
	if p.had(p.note(7)) != 1 {
		t.Error("the provider was not given it")
	}
}

func cut(t *testing.T, p *Peer) {
	p.Provider.React(Cut)
	p.fails(t, p.Driver, carrier.ErrUnknown)
	p.Provider.React(Accept)
	for begun := time.Now(); ; { // a connection that is kept comes back in its time
		_, err := p.send(t.Context(), t, p.Driver, p.note(8))
		if err == nil {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("the next ones: %v", err)
		}
	}
}

func nowhere(t *testing.T, p *Peer) {
	d := p.Nowhere(t)
	p.listen(d)
	p.fails(t, d, carrier.ErrUnwell)
}

// redirect: the address is who we trust; a provider does not name another one.
func redirect(t *testing.T, p *Peer) {
	p.Provider.React(Redirect)
	p.fails(t, p.Driver, carrier.ErrUnwell)
	if had := p.Provider.Had(); len(had) != 1 {
		t.Errorf("it was followed: %v", had)
	}
}

func inside(t *testing.T, p *Peer) {
	d := p.Inside(t)
	p.listen(d)
	p.fails(t, d, carrier.ErrUnwell)
	if had := p.Provider.Had(); len(had) != 0 {
		t.Errorf("it was called: %v", had)
	}
}

// timeIsUp: nobody waits longer than he wants to.
func timeIsUp(t *testing.T, p *Peer) {
	p.Provider.React(Silent)
	d := p.Patient(t)
	p.listen(d)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := p.send(ctx, t, d, p.note(7)); err == nil {
		t.Error("it was taken over")
	}
	if took := time.Since(begun); took > 6*time.Second { // by itself it waits longer
		t.Errorf("it returned after %v", took)
	}
	p.Provider.React(Accept)
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := p.send(ctx, t, d, p.note(8)); err == nil {
		t.Error("it was taken over when nobody wanted it any more")
	}
	if p.had(p.note(8)) != 0 {
		t.Error("the provider was given it when nobody wanted it any more")
	}
}

func manyAtOnce(t *testing.T, p *Peer) {
	const many = 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	d := p.Patient(t)
	p.listen(d)
	ids := map[string]int{}
	for i := range many {
		wg.Go(func() {
			taken, err := p.send(t.Context(), t, d, p.note(i))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[taken.ID]++
		})
	}
	wg.Wait()
	for i := range many {
		if times := p.had(p.note(i)); times != 1 {
			t.Errorf("the provider was given note %d %d times", i, times)
		}
	}
	if len(ids) != many && (len(ids) != 1 || ids[""] != many) {
		t.Errorf("%d messages have %d ids", many, len(ids))
	}
}

// repeat: who says that a repeat is told has it told.
func repeat(t *testing.T, p *Peer) {
	r, ok := p.Driver.(carrier.Repeater)
	if !ok || !r.Repeats() {
		t.Fatal("it does not say so")
	}
	for range 2 {
		if _, err := p.send(t.Context(), t, p.Driver, p.note(3)); err != nil {
			t.Fatal(err)
		}
	}
	if times := p.had(p.note(3)); times != 1 {
		t.Errorf("the provider has it %d times", times)
	}
}

func callBack(t *testing.T, p *Peer) {
	r, ok := p.Driver.(carrier.Revoker)
	if !ok {
		t.Fatal("it cannot")
	}
	n, other := p.note(3), p.note(4)
	for _, n := range []carrier.Note{n, other} {
		if _, err := p.send(t.Context(), t, p.Driver, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Revoke(t.Context(), n, carrier.Taken{}); err != nil || !p.Revoked(n) || p.Revoked(other) {
		t.Errorf("called back: %v, %v, the other one %v", err, p.Revoked(n), p.Revoked(other))
	}
	err := r.Revoke(t.Context(), p.note(99), carrier.Taken{})
	if err == nil {
		t.Error("one that was never sent was called back")
	}
	p.quiet(t, p.note(99), err)
}

// end: closing waits for nobody who never answers.
func end(t *testing.T, p *Peer) {
	d := p.Hasty(t)
	p.listen(d)
	if _, err := p.send(t.Context(), t, d, p.note(1)); err != nil {
		t.Fatal(err)
	}
	p.Provider.React(Silent)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := p.send(t.Context(), t, d, p.note(2)); err == nil && p.Lacks["a provider that is silent"] == "" {
			t.Error("it was taken over")
		}
	})
	begun := time.Now()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if took := time.Since(begun); took > patience {
		t.Errorf("it took %v", took)
	}
}
