package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// applyOK applies and wants no error.
func applyOK(t *testing.T, p migrate.PlanReader, j migrate.Journal, d cloud.Directory, o migrate.ApplyOptions) migrate.ApplyResult {
	t.Helper()
	r, err := migrate.Apply(t.Context(), p, j, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestApply(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 10)
	p.decisions = append(p.decisions,
		migrate.Decision{Ordinal: 50, Username: "skipped", Action: migrate.Skip},
		migrate.Decision{Ordinal: 51, Username: "same", Target: "id-user01", Action: migrate.Keep})
	var last migrate.Progress
	events := 0
	r := applyOK(t, p, j, d, migrate.ApplyOptions{
		Progress: func(p migrate.Progress) { last = p },
		Each: func(e migrate.ChangeEvent) error {
			if events++; e.Result.Outcome != cloud.Done {
				t.Errorf("%s %s: %s", e.Username, e.Change.Method, e.Result.Outcome)
			}
			return nil
		}})
	want := migrate.ApplyResult{Run: 1, Total: 10, Done: 10, Written: 10, Changes: map[cloud.Outcome]int{cloud.Done: 29}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("result differs:\n%s", diff)
	}
	if r.Verdict() != migrate.AllDone {
		t.Errorf("verdict %v", r.Verdict())
	}
	if events != 29 || last != (migrate.Progress{Users: 10, Total: 10}) {
		t.Errorf("%d events, last progress %+v", events, last)
	}
	if d.largest > d.batch {
		t.Errorf("%d changes in one Write of at most %d", d.largest, d.batch)
	}
	if d.locked {
		t.Error("the lock was not given back")
	}
	for i, c := range d.written { // in the order of the plan, users and changes
		if i > 0 && c.UPN < d.written[i-1].UPN {
			t.Errorf("%s was written after %s", c.UPN, d.written[i-1].UPN)
		}
	}
	calls := d.calls
	again := applyOK(t, p, j, d, migrate.ApplyOptions{})
	want.Run, want.Written = 2, 0
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("the second run differs:\n%s", diff)
	}
	if d.calls != calls {
		t.Error("the second run wrote")
	}
}

// A crash at any step leaves a state from which another run comes to the end
// of an undisturbed one, and every change counts as done by the plan.
func TestApplyCrashEverywhere(t *testing.T) {
	calm, journal := newDirectory(), newJournal()
	applyOK(t, sampleUsers(calm, 7), journal, calm, migrate.ApplyOptions{})
	want := calm.state()
	points := 0
	for at := 1; ; at++ {
		d, j := newDirectory(), newJournal()
		shared := &fuse{at: at}
		d.fuse, j.fuse = shared, shared
		p := sampleUsers(d, 7)
		if !crashes(func() { applyOK(t, p, j, d, migrate.ApplyOptions{}) }) {
			break
		}
		points++
		d.locked = false // it ended with the process
		r := applyOK(t, p, j, d, migrate.ApplyOptions{})
		if diff := cmp.Diff(want, d.state()); diff != "" {
			t.Errorf("crash at step %d: the target differs:\n%s", at, diff)
		}
		if r.Done != 7 || r.Changes[cloud.Done] != 21 || len(r.Changes) != 1 {
			t.Errorf("crash at step %d: result %+v", at, r)
		}
		if len(d.written) != 21 {
			t.Errorf("crash at step %d: %d changes were written", at, len(d.written))
		}
		if diff := cmp.Diff(journal.outcomes(), j.outcomes()); diff != "" {
			t.Errorf("crash at step %d: the journal differs:\n%s", at, diff)
		}
	}
	if points < 20+3*4 {
		t.Errorf("only %d crash points", points)
	}
}

// outcomes are the results in the journal without the runs.
func (j *fakeJournal) outcomes() map[int][]migrate.ChangeResult {
	m := map[int][]migrate.ChangeResult{}
	for o, e := range j.entries {
		for _, r := range e.Results {
			r.ID = ""
			m[o] = append(m[o], r)
		}
	}
	return m
}

// crashes tells whether the process died on the way.
func crashes(run func()) (crashed bool) {
	defer func() {
		switch r := recover(); {
		case r == nil:
		case r == any(errCrash):
			crashed = true
		default:
			panic(r)
		}
	}()
	run()
	return false
}

// nameless is a target that does not say which one it is.
type nameless struct{ *fakeDirectory }

func (d nameless) Capabilities(ctx context.Context) (cloud.Capabilities, error) {
	caps, err := d.fakeDirectory.Capabilities(ctx)
	caps.Instance = ""
	return caps, err
}

// A plan that names no target is for none, not for one that has no name either.
func TestTargetsWithoutAName(t *testing.T) {
	d := nameless{newDirectory()}
	p := &fakePlan{decisions: sampleUsers(d.fakeDirectory, 3).decisions}
	for what, do := range map[string]func() error{
		"apply": func() error {
			_, err := migrate.Apply(t.Context(), p, newJournal(), d, migrate.ApplyOptions{})
			return err
		},
		"check": func() error {
			_, err := migrate.Check(t.Context(), p, newJournal(), d, migrate.CheckOptions{})
			return err
		},
		"undo": func() error {
			_, err := migrate.Undo(t.Context(), p, newJournal(), d, migrate.UndoOptions{})
			return err
		},
	} {
		if _, ok := errors.AsType[*migrate.WrongTargetError](do()); !ok {
			t.Errorf("%s goes on", what)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	d := newDirectory()
	p := sampleUsers(d, 3)
	_, err := migrate.Apply(t.Context(), &fakePlan{decisions: p.decisions, instance: "i-2"}, newJournal(), d, migrate.ApplyOptions{})
	if e, ok := errors.AsType[*migrate.WrongTargetError](err); !ok || e.Have != "i-1" || hint.Of(err) == "" {
		t.Errorf("another target: %v", err)
	}
	_, err = migrate.Apply(t.Context(), &fakePlan{decisions: p.decisions}, newJournal(), d, migrate.ApplyOptions{})
	if _, ok := errors.AsType[*migrate.WrongTargetError](err); !ok {
		t.Errorf("a plan for no target: %v", err)
	}
	p.unsealed = true
	if _, err = migrate.Apply(t.Context(), p, newJournal(), d, migrate.ApplyOptions{}); err == nil {
		t.Error("a plan whose seal was not checked is applied")
	}
	p.unsealed = false
	d.locked = true
	if _, err = migrate.Apply(t.Context(), p, newJournal(), d, migrate.ApplyOptions{}); err == nil || cloud.KindOf(err) != cloud.Locked {
		t.Errorf("a locked target: %v", err)
	}
	if d.calls != 0 {
		t.Error("something was written")
	}
}

func TestApplyStale(t *testing.T) {
	for _, c := range []struct {
		name    string
		meddle  func(d *fakeDirectory)
		stale   int // changes
		message string
	}{
		{"another value", func(d *fakeDirectory) { d.users["id-user01"].Mobile = "+1 4255550199" }, 1, "neither"},
		{"a fact", func(d *fakeDirectory) { d.users["id-user01"].Privileged = true }, 2, "the administrative role of the target's user is another"},
		{"gone", func(d *fakeDirectory) { delete(d.users, "id-user01") }, 2, "any more"},
		{"created by somebody", func(d *fakeDirectory) {
			d.users["x"] = &cloud.User{ID: "x", Profile: cloud.Profile{UPN: "user00@contoso.example", DisplayName: "Mallory"}}
		}, 4, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, j := newDirectory(), newJournal()
			p := sampleUsers(d, 3)
			c.meddle(d)
			before := fmt.Sprint(d.state())
			seen := 0
			r := applyOK(t, p, j, d, migrate.ApplyOptions{Each: func(e migrate.ChangeEvent) error {
				if e.Result.Outcome == cloud.Outdated {
					if seen++; !strings.Contains(e.Result.Message, c.message) {
						t.Errorf("message %q", e.Result.Message)
					}
				}
				return nil
			}})
			if r.Stale != 1 || r.Failed != 0 || r.Changes[cloud.Outdated] != c.stale || seen != c.stale {
				t.Errorf("result %+v, %d stale changes told", r, seen)
			}
			if r.Verdict() != migrate.StaleLeft {
				t.Errorf("verdict %v", r.Verdict())
			}
			for _, w := range d.written {
				if c.stale > 1 && w.UPN == "user01@contoso.example" && c.name != "created by somebody" {
					t.Errorf("%s of a stale user was written", w.Method)
				}
			}
			if strings.Contains(before, "+1 4255550199") && d.users["id-user01"].Mobile != "+1 4255550199" {
				t.Error("the other value was overwritten")
			}
			// It stays stale, whatever the target holds later.
			if again := applyOK(t, p, j, d, migrate.ApplyOptions{}); again.Stale != 1 || again.Written != 0 {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

func TestApplyAlready(t *testing.T) {
	d := newDirectory()
	p := sampleUsers(d, 2)
	d.users["id-user01"].Mobile = "+1 4255550101"
	r := applyOK(t, p, newJournal(), d, migrate.ApplyOptions{})
	if r.Changes[cloud.Already] != 1 || r.Done != 2 || r.Verdict() != migrate.AllDone {
		t.Errorf("result %+v", r)
	}
}

func TestApplyFailedIsTriedAgain(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 4)
	d.fail = func(c cloud.Change) error {
		if c.UPN == "user00@contoso.example" && c.Method == cloud.Account || c.UPN == "user02@contoso.example" && c.Method == cloud.Mobile {
			return &cloud.Error{Kind: cloud.Conflict, Message: "the name is taken", Err: errors.New("secret cause")}
		}
		return nil
	}
	r := applyOK(t, p, j, d, migrate.ApplyOptions{})
	if r.Failed != 2 || r.Done != 2 || r.Verdict() != migrate.SomeLeft {
		t.Errorf("result %+v", r)
	}
	for _, e := range j.entries {
		for _, res := range e.Results {
			if strings.Contains(res.Message, "secret cause") {
				t.Error("the cause of an error went into the journal")
			}
		}
	}
	d.fail = nil
	written := len(d.written)
	r = applyOK(t, p, j, d, migrate.ApplyOptions{})
	if r.Failed != 0 || r.Done != 4 || r.Written != 2 || len(d.written)-written != 5 {
		t.Errorf("again: %+v, %d changes written", r, len(d.written)-written)
	}
}

func TestApplyInterrupted(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 6)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := migrate.Apply(ctx, p, j, d, migrate.ApplyOptions{Progress: func(migrate.Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) || r.Done == 0 || r.Left() == 0 {
		t.Errorf("error %v, result %+v", err, r)
	}
	if r = applyOK(t, p, j, d, migrate.ApplyOptions{}); r.Done != 6 {
		t.Errorf("resumed %+v", r)
	}
	// While it waits for the target, too.
	d, j = newDirectory(), newJournal()
	p = sampleUsers(d, 6)
	ctx, cancel = context.WithCancel(t.Context())
	s := &sleeper{stop: cancel}
	d.down = func() error { return &cloud.Error{Kind: cloud.Unavailable, Message: "no"} }
	if _, err = migrate.Apply(ctx, p, j, d, migrate.ApplyOptions{Sleep: s.sleep}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	d.down = nil
	if r = applyOK(t, p, j, d, migrate.ApplyOptions{}); r.Done != 6 {
		t.Errorf("resumed %+v", r)
	}
}

func TestApplyLimits(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 6)
	for run := 1; run <= 2; run++ {
		r, err := migrate.Apply(t.Context(), p, j, d, migrate.ApplyOptions{MaxUsers: 2})
		if e, ok := errors.AsType[*migrate.LimitError](err); !ok || e.What != "users" || r.Written != 2 || r.Done != 2*run {
			t.Errorf("run %d: error %v, result %+v", run, err, r)
		}
	}
	if r := applyOK(t, p, j, d, migrate.ApplyOptions{MaxUsers: 2}); r.Done != 6 || r.Verdict() != migrate.AllDone {
		t.Errorf("the last two: %+v", r)
	}

	d, j = newDirectory(), newJournal()
	p = sampleUsers(d, 6)
	d.fail = func(cloud.Change) error { return &cloud.Error{Kind: cloud.Invalid, Message: "no"} }
	r, err := migrate.Apply(t.Context(), p, j, d, migrate.ApplyOptions{MaxFailures: 1})
	if e, ok := errors.AsType[*migrate.LimitError](err); !ok || e.What != "failures" || r.Left() == 0 {
		t.Errorf("error %v, result %+v", err, r)
	}
}

func TestApplyRemovals(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 3)
	o := cloud.OATH{Serial: "old", Algorithm: cloud.SHA1, Digits: 6, Period: 30}
	d.users["id-user01"].OATH = []cloud.OATHEntry{{ID: "o-old", Method: cloud.HardwareOATH, OATH: o}}
	c := planned(&p.decisions[1], cloud.Remove, cloud.HardwareOATH, cloud.Value{OATH: &o}, cloud.Value{})
	c.ID, c.Irreversible = "o-old", true
	p.decisions[1].Changes = append(p.decisions[1].Changes, c)
	_, err := migrate.Apply(t.Context(), p, j, d, migrate.ApplyOptions{})
	if e, ok := errors.AsType[*migrate.LimitError](err); !ok || e.What != "removals" || d.calls != 0 {
		t.Errorf("without leave: %v, %d calls", err, d.calls)
	}
	r := applyOK(t, p, j, d, migrate.ApplyOptions{MaxRemovals: 1})
	if r.Failed != 1 || len(d.users["id-user01"].OATH) != 1 {
		t.Errorf("what cannot be given back: %+v", r)
	}
	r = applyOK(t, p, j, d, migrate.ApplyOptions{MaxRemovals: 1, AllowIrreversible: true})
	if r.Done != 3 || len(d.users["id-user01"].OATH) != 0 {
		t.Errorf("with leave: %+v", r)
	}
}

// A user with more changes than a batch is not split.
func TestApplyTooManyChanges(t *testing.T) {
	d := newDirectory()
	d.batch = 3
	r := applyOK(t, sampleUsers(d, 4), newJournal(), d, migrate.ApplyOptions{})
	if r.Failed != 1 || r.Done != 3 || d.largest > 3 {
		t.Errorf("result %+v, largest %d", r, d.largest)
	}
}

// A journal that contradicts the plan is not taken for an excuse.
func TestApplyForeignJournal(t *testing.T) {
	for _, res := range []migrate.ChangeResult{{Seq: 9, Outcome: cloud.Done}, {Seq: 0, Outcome: "perhaps"}} {
		d, j := newDirectory(), newJournal()
		p := sampleUsers(d, 1)
		j.entries[0] = migrate.JournalEntry{Ordinal: 0, IntentRun: 1, ResultRun: 1, Results: []migrate.ChangeResult{res}}
		if _, err := migrate.Apply(t.Context(), p, j, d, migrate.ApplyOptions{}); err == nil || d.calls != 0 {
			t.Errorf("%+v: error %v, %d calls", res, err, d.calls)
		}
	}
}

// deaf writes, but its first answers are lost on the way back.
type deaf struct {
	*fakeDirectory
	lost   int
	ctxErr error
}

func (d *deaf) Write(ctx context.Context, changes []cloud.Change) []cloud.Result {
	d.ctxErr = errors.Join(d.ctxErr, ctx.Err())
	results := d.fakeDirectory.Write(ctx, changes)
	if d.lost--; d.lost >= 0 {
		for i := range results {
			results[i] = cloud.Result{Outcome: cloud.Failed, Err: &cloud.Error{Kind: cloud.Unavailable, Message: "the answer is lost"}}
		}
	}
	return results
}

// What the target has after a lost answer was made by this plan.
func TestApplyLostAnswer(t *testing.T) {
	d, s := &deaf{fakeDirectory: newDirectory(), lost: 1}, &sleeper{}
	r := applyOK(t, sampleUsers(d.fakeDirectory, 4), newJournal(), d, migrate.ApplyOptions{Sleep: s.sleep})
	if r.Changes[cloud.Already] != 0 || r.Done != 4 || len(s.slept) != 1 {
		t.Errorf("result %+v, waits %v", r, s.slept)
	}
}

// A write is not cut short by an interrupt: its results are recorded.
func TestApplyInterruptedInWrite(t *testing.T) {
	d, j := &deaf{fakeDirectory: newDirectory()}, newJournal()
	p := sampleUsers(d.fakeDirectory, 2)
	ctx, cancel := context.WithCancel(t.Context())
	d.fail = func(cloud.Change) error { cancel(); return nil }
	r, err := migrate.Apply(ctx, p, j, d, migrate.ApplyOptions{})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if r.Done != 2 || len(j.entries) != 2 || j.entries[0].Intended() {
		t.Errorf("result %+v, journal %+v", r, j.entries)
	}

	ctx, cancel = context.WithCancel(t.Context())
	d = &deaf{fakeDirectory: newDirectory()}
	p = sampleUsers(d.fakeDirectory, 2)
	if _, err := migrate.Apply(ctx, p, &cancelling{newJournal(), cancel}, d, migrate.ApplyOptions{}); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if d.ctxErr != nil {
		t.Errorf("the write was given an ended context: %v", d.ctxErr)
	}
}

// cancelling interrupts the run between the intent and the write.
type cancelling struct {
	*fakeJournal
	cancel func()
}

func (j *cancelling) Intend(ctx context.Context, run int, entries []migrate.JournalEntry) error {
	err := j.fakeJournal.Intend(ctx, run, entries)
	j.cancel()
	return err
}

// What was found to be there already before a crash is not taken for this
// plan's own work afterwards: undo would take it from the user.
func TestAlreadyStaysSoAfterACrash(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 2)
	d.users["id-user01"].Mobile = "+1 4255550101" // somebody else wrote it since the plan was made
	d.fuse.at = 3                                 // in the write, behind the user's intent
	if !crashes(func() { applyOK(t, p, j, d, migrate.ApplyOptions{}) }) {
		t.Fatal("there was no crash")
	}
	d.fuse.at, d.locked = 0, false
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	e := j.entries[2]
	if got := []cloud.Outcome{e.Results[0].Outcome, e.Results[1].Outcome}; got[0] != cloud.Already || got[1] != cloud.Done {
		t.Errorf("the journal says %v of the number that was there and the default that was made", got)
	}
}
