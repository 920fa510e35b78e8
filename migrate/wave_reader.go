package migrate

import (
	"context"
	"fmt"
	"iter"
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

type inWave struct {
	PlanReader
	name string
}

func (w inWave) Summary() Summary {
	if s := w.PlanReader.Summary().Waves[w.name]; s != nil {
		return *s
	}
	return NewSummary()
}

func (w inWave) Users(ctx context.Context, view View) iter.Seq2[Decision, error] {
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
