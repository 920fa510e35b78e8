package migrate

import (
	"context"
	"slices"

	"mfabridge/cloud"
)

// WaveEnd is what has become of a wave, for the gate before the next one.
type WaveEnd struct {
	Wave, Next string
	Users      int // with changes, in the wave
	Done       int
	Failed     int
	Stale      int
}

// part is a wave of the plan, or the users of none, and how many of them
// have changes.
type part struct {
	name  string
	users int
	plan  PlanReader
}

// parts are the waves to apply one by one; none: all users at once.
func (a *applier) parts() ([]part, error) {
	if len(a.opts.Waves) == 0 && a.opts.Gate == nil {
		whole := a.plan.Summary()
		return nil, a.admitRemovals(whole.Changes[cloud.Remove])
	}
	var names []string
	if len(a.opts.Waves) == 0 {
		for _, w := range a.plan.Header().Waves {
			names = append(names, w.Name)
		}
	}
	for _, name := range a.opts.Waves {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	whole := a.plan.Summary()
	rest, removals := whole.withChanges(), 0
	var parts []part
	for _, name := range names {
		in, err := InWave(a.plan, name)
		if err != nil {
			return nil, err
		}
		s := in.Summary()
		parts = append(parts, part{name, s.withChanges(), in})
		rest -= s.withChanges()
		removals += s.Changes[cloud.Remove]
	}
	if len(a.opts.Waves) == 0 {
		removals = whole.Changes[cloud.Remove]
		if rest > 0 {
			parts = append(parts, part{users: rest, plan: inWave{a.plan, ""}})
		}
	}
	if err := a.admitRemovals(removals); err != nil {
		return nil, err
	}
	a.result.Total = 0
	for _, w := range parts {
		a.result.Total += w.users
	}
	return parts, nil
}

// withChanges is the number of users with changes.
func (s *Summary) withChanges() int { return s.Users[Create] + s.Users[Modify] }

// run applies all users, or the waves one after the other.
func (a *applier) run(ctx context.Context, parts []part) error {
	if parts == nil {
		return a.users(ctx, a.plan)
	}
	for i, w := range parts {
		a.wave, a.gated = w.name, i > 0 && a.opts.Gate != nil
		a.passed.Next = w.name
		a.begins = WaveEvent{Wave: w.name, State: "begin", Users: w.users}
		if !a.gated {
			a.opts.Notify(a.begins)
		}
		before := a.result
		if err := a.users(ctx, w.plan); err != nil {
			return err
		}
		if a.gated { // nothing was left to do behind the gate
			a.opts.Notify(a.begins)
		}
		r := a.result
		a.passed = WaveEnd{Wave: w.name, Users: w.users, Done: r.Done - before.Done, Failed: r.Failed - before.Failed, Stale: r.Stale - before.Stale}
		a.opts.Notify(WaveEvent{Wave: w.name, State: "end", Users: w.users, Done: a.passed.Done, Failed: a.passed.Failed, Stale: a.passed.Stale})
	}
	return nil
}

// gate asks the gate once, right before the first write of a wave: a wave
// that has nothing left to do needs none, and one that was begun by an
// earlier run is asked for again.
func (a *applier) gate(ctx context.Context) error {
	if !a.gated {
		return nil
	}
	a.gated = false
	if err := a.opts.Gate(ctx, a.passed); err != nil {
		return err
	}
	a.opts.Notify(a.begins)
	return nil
}
