package engine

import (
	"context"
	"errors"

	"mfabridge/cloud"
)

// errApart undoes a Begin that is not for Settle.
var errApart = errors.New("a person is to be asked by a message, a push or a call")

// Settle implements [cloud.Settler]: the store is asked once for all cases, and
// commits them together.
func (e *Engine) Settle(ctx context.Context, cases []cloud.Case) {
	round := make([]settlement, len(cases))
	fns := make([]func(Tx) error, 0, len(cases))
	for i := range cases {
		s := &round[i]
		s.e, s.c = e, &cases[i]
		if s.c.Err = s.check(); s.c.Err == nil {
			s.asked = true
			fns = append(fns, s.run)
		}
	}
	errs := e.store.UpdateEach(ctx, fns)
	for i := range round {
		s := &round[i]
		if !s.asked {
			continue
		}
		s.end(ctx, errs[0])
		errs = errs[1:]
	}
}

// settlement is one case on its way.
type settlement struct {
	e     *Engine
	c     *cloud.Case
	asked bool
	b     *beginning // where it is a Begin
	g     *answering // where it is an Answer
}

func (s *settlement) answers() bool { return s.c.Answer.Challenge != "" }

func (s *settlement) check() error {
	if s.answers() {
		s.g = &answering{e: s.e, a: s.c.Answer}
		return s.g.check()
	}
	return checkRequest(&s.c.Request)
}

// run is its transaction.
func (s *settlement) run(tx Tx) error {
	if s.answers() {
		return s.g.run(tx)
	}
	s.b = s.e.beginning(tx, "", s.e.text, &s.c.Request)
	s.b.apart = true
	return s.b.run()
}

// end puts what came of it into the case.
func (s *settlement) end(ctx context.Context, err error) {
	switch {
	case errors.Is(err, errApart):
		s.c.Apart = true
	case err != nil:
		s.c.Err = asError(err)
	case s.answers():
		s.c.Decision = s.g.done()
	default:
		s.c.Challenge, s.c.Err = s.e.begun(ctx, s.b)
	}
}
