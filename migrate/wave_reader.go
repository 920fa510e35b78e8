package migrate

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"mfabridge/internal/hint"
)

// InWave is what p says of one wave: its users and its counts, and nothing
// that belongs to no user. Header and digest are those of the whole plan.
func InWave(p PlanReader, name string) (PlanReader, error) {
	var names []string
	for _, w := range p.Header().Waves {
		if w.Name == name {
			return inWave{p, name}, nil
		}
		names = append(names, w.Name)
	}
	advice := "the plan has no waves; make one with: mfabridge plan --wave NAME=…"
	if len(names) > 0 {
		advice = "the plan has the waves " + strings.Join(names, ", ")
	}
	return nil, hint.New(fmt.Sprintf("the plan has no wave %q", Plain(name)), advice)
}

// inWave is a plan with the users of one wave, or with an empty name those of
// none.
type inWave struct {
	PlanReader
	name string
}

// waveReader is a plan that leaves users of other waves out before it opens
// what is sealed of them. An empty wave: those of none.
type waveReader interface {
	UsersIn(ctx context.Context, view View, wave string) iter.Seq2[Decision, error]
}

func (w inWave) Summary() Summary {
	whole, own := w.PlanReader.Summary(), NewSummary()
	if s := whole.Waves[w.name]; s != nil {
		own = *s
		own.Waves = map[string]*Summary{w.name: s}
	}
	own.LeftOut = whole.LeftOut // the scope is that of the whole plan
	return own
}

// wavesOf are the waves of a plan in the order of its options, or the one that
// is a part of it.
func wavesOf(p PlanReader) []Chosen {
	waves := p.Header().Waves
	if part, ok := p.(inWave); ok {
		waves = slices.DeleteFunc(slices.Clone(waves), func(w Chosen) bool { return w.Name != part.name })
	}
	return waves
}

func (w inWave) Users(ctx context.Context, view View) iter.Seq2[Decision, error] {
	if r, ok := w.PlanReader.(waveReader); ok {
		return r.UsersIn(ctx, view, w.name)
	}
	return func(yield func(Decision, error) bool) {
		for d, err := range w.PlanReader.Users(ctx, view) {
			if err == nil && d.Wave != w.name {
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

func (inWave) Problems(context.Context) iter.Seq2[Finding, error] {
	return func(func(Finding, error) bool) {}
}
