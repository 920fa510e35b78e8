package cloudtest

import (
	"context"
	"testing"

	"mfabridge/cloud"
)

// Settling is what [Settled] makes a Verifier of.
type Settling interface {
	cloud.Verifier
	cloud.Settler
	cloud.CodeMatcher
	cloud.Noticeboard
}

// Settled is a Verifier that begins and answers by Settle, each case between
// two of nobody's, so that [Verifier] checks that too.
type Settled struct{ Settling }

// Begin implements [cloud.Verifier].
func (s Settled) Begin(ctx context.Context, r cloud.Request) (cloud.Challenge, error) {
	c := s.between(ctx, cloud.Case{Request: r})
	if c.Apart {
		return s.Settling.Begin(ctx, r)
	}
	return c.Challenge, c.Err
}

// Answer implements [cloud.Verifier].
func (s Settled) Answer(ctx context.Context, a cloud.Answer) (cloud.Decision, error) {
	if a.Challenge == "" {
		return s.Settling.Answer(ctx, a)
	}
	c := s.between(ctx, cloud.Case{Answer: a})
	return c.Decision, c.Err
}

func (s Settled) between(ctx context.Context, c cloud.Case) cloud.Case {
	nobody := cloud.Case{Request: cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: "nobody"}, Tries: 1}}
	cases := []cloud.Case{nobody, c, {Answer: cloud.Answer{Challenge: "of nobody"}}}
	s.Settle(ctx, cases)
	for _, i := range []int{0, 2} {
		if cloud.KindOf(cases[i].Err) != cloud.NotFound {
			cases[1].Err = cases[i].Err
		}
	}
	return cases[1]
}

// byTheDozen has many cases settled at once, of which each gets what it would
// have got alone.
func byTheDozen(t *testing.T, p *Peer) {
	s, ok := p.Verifier.(cloud.Settler)
	if !ok {
		t.Log("this verifier takes one login at a time")
		return
	}
	id := func(n int) cloud.UserID { return p.enrol(t, n) }
	one, two, three, four := id(1), id(2), id(3), id(4)
	with := func(of cloud.UserID, change func(*cloud.Request)) cloud.Case {
		r := request(of, 1)
		change(&r)
		return cloud.Case{Request: r}
	}
	waits := p.begin(t, request(four, 1), cloud.Pending)
	cases := map[string]*cloud.Case{}
	var order []string
	add := func(name string, c cloud.Case) { cases[name] = &c; order = append(order, name) }
	add("right", with(one, func(r *cloud.Request) { r.Code, r.Key = p.code(1, 0), "one" }))
	add("equal", with(one, func(r *cloud.Request) { r.Code, r.Key = p.code(1, 0), "one" }))
	add("used", with(one, func(r *cloud.Request) { r.Code, r.Client.Station = p.code(1, 0), "elsewhere" }))
	add("wrong", with(two, func(r *cloud.Request) { r.Code = p.wrong(2) }))
	add("asked", with(three, func(r *cloud.Request) {}))
	add("answered", cloud.Case{Answer: cloud.Answer{Challenge: waits.ID, Code: p.code(4, 0)}})
	add("nobody", with("no such user", func(r *cloud.Request) { r.Code = p.code(1, 0) }))
	add("no try", with(two, func(r *cloud.Request) { r.Tries = 0 }))
	add("no challenge", cloud.Case{Answer: cloud.Answer{Challenge: "no such challenge"}})
	round := make([]cloud.Case, len(order))
	for i, name := range order {
		round[i] = *cases[name]
	}
	s.Settle(t.Context(), round)
	for i, name := range order {
		cases[name] = &round[i]
	}
	for name, want := range map[string]struct {
		state  cloud.State
		reason cloud.Reason
	}{"right": {cloud.Approved, ""}, "equal": {cloud.Approved, ""}, "used": {cloud.Refused, cloud.UsedCode},
		"wrong": {cloud.Refused, cloud.WrongCode}, "asked": {cloud.Pending, ""}} {
		if c := cases[name]; c.Err != nil || c.Apart || c.Challenge.State != want.state || c.Challenge.Reason != want.reason {
			t.Errorf("%s: %+v", name, *c)
		}
	}
	if cases["equal"].Challenge.ID != cases["right"].Challenge.ID {
		t.Error("two equal logins of one round are two")
	}
	if c := cases["answered"]; c.Err != nil || c.Decision.State != cloud.Approved || c.Decision.Challenge != waits.ID {
		t.Errorf("an answer: %+v", *c)
	}
	for name, kind := range map[string]cloud.Kind{"nobody": cloud.NotFound, "no try": cloud.Invalid, "no challenge": cloud.NotFound} {
		if got := cloud.KindOf(cases[name].Err); got != kind {
			t.Errorf("%s: %q, not %q", name, got, kind)
		}
	}
	ds, err := p.Verifier.Look(t.Context(), []cloud.ChallengeID{cases["right"].Challenge.ID, cases["asked"].Challenge.ID, waits.ID})
	if err != nil || ds[0].State != cloud.Approved || ds[1].State != cloud.Pending || ds[2].State != cloud.Approved {
		t.Errorf("afterwards: %+v, %v", ds, err)
	}
	p.answer(t, cloud.Answer{Challenge: cases["asked"].Challenge.ID, Code: p.code(3, 0)}, cloud.Approved, "")
}
