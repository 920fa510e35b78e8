package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// A lock that ends while a run has it, as a lease does while the machine
// sleeps, ends the run: no user has failed, and the next run does the rest.
func TestLockEndsInTheMiddle(t *testing.T) {
	for _, batch := range []int{6, 1000} {
		d, j := newDirectory(), newJournal()
		d.batch = batch
		p := sampleUsers(d, 9)
		before := d.state()
		lost := func() error {
			if d.calls == 2 || d.calls == 1 && batch > 6 {
				return &cloud.Error{Kind: cloud.Locked, Message: "the lock of this run has ended"}
			}
			return nil
		}
		d.down = lost
		r, err := migrate.Apply(t.Context(), p, j, d, migrate.ApplyOptions{})
		if cloud.KindOf(err) != cloud.Locked || r.Failed > 0 || r.Left() == 0 {
			t.Errorf("apply: %v, %+v", err, r)
		}
		d.down = nil
		if r := applyOK(t, p, j, d, migrate.ApplyOptions{}); r.Done != 9 {
			t.Errorf("apply goes on: %+v", r)
		}
		d.down, d.calls = lost, 0
		u, err := migrate.Undo(t.Context(), p, j, d, migrate.UndoOptions{})
		if cloud.KindOf(err) != cloud.Locked || u.Failed > 0 {
			t.Errorf("undo: %v, %+v", err, u)
		}
		d.down = nil
		if u, _ := undo(t, p, j, d, migrate.UndoOptions{}); u.Kept+u.Failed > 0 {
			t.Errorf("undo goes on: %+v", u)
		}
		if after := d.state(); len(after) != len(before) {
			t.Errorf("undo left\n%v, want\n%v", after, before)
		}
	}
}

// Quiet hours that begin while a run waits for the target, for its rate or at
// a gate hold for the very next write.
func TestQuietHoursBeginInAWait(t *testing.T) {
	quiet, err := migrate.ParseQuietHours("20:00-21:00", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for name, prepare := range map[string]func(*fakeDirectory, *clock, *migrate.ApplyOptions){
		"throttled": func(d *fakeDirectory, _ *clock, _ *migrate.ApplyOptions) {
			d.down = func() error {
				if d.calls > 1 {
					return nil
				}
				return &cloud.Error{Kind: cloud.Throttled, RetryAfter: 2 * time.Minute}
			}
		},
		"rate": func(_ *fakeDirectory, _ *clock, o *migrate.ApplyOptions) { o.Rate = 1.0 / 60 },
		"gate": func(_ *fakeDirectory, c *clock, o *migrate.ApplyOptions) {
			o.Gate = func(context.Context, migrate.WaveEnd) error { c.at = c.at.Add(2 * time.Minute); return nil }
		},
	} {
		d, j, c := newDirectory(), newJournal(), newClock()
		c.at = time.Date(2026, 11, 2, 19, 59, 0, 0, time.UTC)
		p := waved(d, 12)
		late := 0
		opt := migrate.ApplyOptions{Now: c.now, Sleep: c.sleep, Quiet: []migrate.QuietHours{quiet}}
		prepare(d, c, &opt)
		before := d.down
		d.down = func() error {
			if _, on := quiet.At(c.at); on {
				late++
			}
			if before != nil {
				return before()
			}
			return nil
		}
		r, err := migrate.Apply(t.Context(), p, j, d, opt)
		if _, ok := errors.AsType[*migrate.QuietError](err); !ok || late > 0 || r.Failed > 0 {
			t.Errorf("%s: %v, %d writes in quiet hours, %+v", name, err, late, r)
		}
		c.at = c.at.Add(time.Hour)
		d.down, opt.Gate, opt.Rate = nil, nil, 0
		if r := applyOK(t, p, j, d, opt); r.Done != 12 {
			t.Errorf("%s, behind them: %+v", name, r)
		}
	}
}

// The limit of removals is about the waves that are applied.
func TestRemovalsOfAWave(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := waved(d, 12)
	last := &p.decisions[11] // of the wave rest
	d.users[last.Target].Office = "+1 4255550199"
	last.Changes = append(last.Changes, planned(last, cloud.Remove, cloud.Office, cloud.TextValue("+1 4255550199"), cloud.Value{}))
	if r := applyOK(t, p, j, d, migrate.ApplyOptions{Waves: []string{"pilot"}}); r.Done != 3 {
		t.Errorf("pilot: %+v", r)
	}
	gate := func(context.Context, migrate.WaveEnd) error { return nil }
	for name, o := range map[string]migrate.ApplyOptions{"its wave": {Waves: []string{"pilot", "rest"}}, "all": {}, "gate": {Gate: gate}} {
		calls := d.calls
		if _, err := migrate.Apply(t.Context(), p, j, d, o); err == nil || d.calls != calls {
			t.Errorf("%s: %v", name, err)
		} else if e, ok := errors.AsType[*migrate.LimitError](err); !ok || e.What != "removals" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r := applyOK(t, p, j, d, migrate.ApplyOptions{MaxRemovals: 1}); r.Done != 12 {
		t.Errorf("allowed: %+v", r)
	}
}

// A wave begins behind its gate, and not before a gate that is closed.
func TestWaveBeginsBehindItsGate(t *testing.T) {
	d, j := newDirectory(), newJournal()
	closed := errors.New("closed")
	var seen []string
	opt := migrate.ApplyOptions{
		Gate: func(context.Context, migrate.WaveEnd) error { seen = append(seen, "gate"); return closed },
		Notify: func(e migrate.Event) {
			if w, ok := e.(migrate.WaveEvent); ok {
				seen = append(seen, w.State+" "+w.Wave)
			}
		},
	}
	if _, err := migrate.Apply(t.Context(), waved(d, 12), j, d, opt); !errors.Is(err, closed) {
		t.Fatal(err)
	}
	if want := []string{"begin pilot", "end pilot", "gate"}; !slices.Equal(seen, want) {
		t.Errorf("%q, want %q", seen, want)
	}
}

// secretive is a target that does not tell some users.
type secretive struct {
	*fakeDirectory
	hidden map[cloud.UserID]bool
}

func (d *secretive) Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	for _, id := range ids {
		if d.hidden[id] {
			return nil, fmt.Errorf("user %s cannot be read: %w", id, &cloud.Error{Kind: cloud.Denied, Message: "the target answers 403"})
		}
	}
	return d.fakeDirectory.Read(ctx, ids)
}

// A user whom the target does not tell fails, and the others are done; where
// nobody can be read the run ends, and nobody is said to have failed.
func TestUserWhoCannotBeRead(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 5)
	hides := &secretive{d, map[cloud.UserID]bool{p.decisions[2].Target: true}}
	r, err := migrate.Apply(t.Context(), p, j, hides, migrate.ApplyOptions{})
	if err != nil || r.Failed != 1 || r.Done != 4 {
		t.Errorf("%+v, %v", r, err)
	}
	clear(hides.hidden)
	if r, err := migrate.Apply(t.Context(), p, j, hides, migrate.ApplyOptions{}); err != nil || r.Done != 5 || r.Failed != 0 {
		t.Errorf("told again: %+v, %v", r, err)
	}
	d, j = newDirectory(), newJournal()
	p = sampleUsers(d, 5)
	hides = &secretive{d, map[cloud.UserID]bool{}}
	for _, one := range p.decisions {
		hides.hidden[one.Target] = true
	}
	if r, err := migrate.Apply(t.Context(), p, j, hides, migrate.ApplyOptions{}); cloud.KindOf(err) != cloud.Denied || r.Failed != 0 {
		t.Errorf("nobody is told: %+v, %v", r, err)
	}
}

// checking is a directory that says whether it is ready.
type checking struct {
	*fakeDirectory
	checks []cloud.Check
}

func (c checking) Preflight(context.Context) ([]cloud.Check, error) { return c.checks, nil }

// A run that is told less of administrators than the plan was writes nothing:
// who became one since would look like everybody else.
func TestApplyIsToldOfAdministratorsAsThePlanWas(t *testing.T) {
	eligible := func(r cloud.CheckResult) []cloud.Check {
		return []cloud.Check{{Name: cloud.CheckEligible, Result: r, Detail: "Graph does not tell who"}}
	}
	for name, c := range map[string]struct {
		planned, now []cloud.Check
		refused      bool
	}{
		"both":             {eligible(cloud.CheckPassed), eligible(cloud.CheckPassed), false},
		"neither":          {eligible(cloud.CheckUnknown), eligible(cloud.CheckUnknown), false},
		"now more":         {eligible(cloud.CheckUnknown), eligible(cloud.CheckPassed), false},
		"nobody was asked": {nil, eligible(cloud.CheckUnknown), false},
		"now less":         {eligible(cloud.CheckPassed), eligible(cloud.CheckUnknown), true},
		"no such check":    {eligible(cloud.CheckPassed), nil, true},
	} {
		d, j := newDirectory(), newJournal()
		p := sampleUsers(d, 3)
		p.preflight = c.planned
		r, err := migrate.Apply(t.Context(), p, j, checking{d, c.now}, migrate.ApplyOptions{})
		if (err != nil) != c.refused || c.refused != (r.Done == 0) {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
		if c.refused && (!strings.Contains(err.Error(), "told less of administrators") || d.calls > 0 || j.runs > 0 || !strings.Contains(hint.Of(err), "plan again")) {
			t.Errorf("%s: %v (%s), %d writes, %d runs", name, err, hint.Of(err), d.calls, j.runs)
		}
	}
}
