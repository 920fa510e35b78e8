package migrate_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// answering answers Write by itself where it has an answer, in the order of the
// calls, and counts what it is asked.
type answering struct {
	*fakeDirectory
	answers [][]cloud.Result
}

func (d *answering) Write(ctx context.Context, changes []cloud.Change) []cloud.Result {
	if len(d.answers) == 0 {
		return d.fakeDirectory.Write(ctx, changes)
	}
	d.calls++
	r := d.answers[0]
	d.answers = d.answers[1:]
	return r
}

// What was not tried because the user itself was not as planned never will be;
// what failed by itself is tried again, however stale another change was.
func TestChangesBehindAStaleOne(t *testing.T) {
	stale := cloud.Result{Outcome: cloud.Outdated, Err: &cloud.Error{Kind: cloud.Stale, Message: "made meanwhile"}}
	failed := func(k cloud.Kind) cloud.Result {
		return cloud.Result{Outcome: cloud.Failed, Err: &cloud.Error{Kind: k, Message: "no"}}
	}
	for name, c := range map[string]struct {
		account bool // the first change is the user itself
		first   cloud.Result
		second  cloud.Result
		want    cloud.Outcome
	}{
		"not tried, behind a stale user":    {true, stale, failed(cloud.Conflict), cloud.Outdated},
		"refused, behind a stale user":      {true, stale, failed(cloud.Invalid), cloud.Failed},
		"no reason, behind a stale user":    {true, stale, cloud.Result{Outcome: cloud.Failed}, cloud.Failed},
		"made, behind a stale user":         {true, stale, cloud.Result{Outcome: cloud.Done}, cloud.Done},
		"a conflict, behind a made user":    {true, cloud.Result{Outcome: cloud.Done, ID: "new"}, failed(cloud.Conflict), cloud.Failed},
		"a conflict, behind a refused user": {true, failed(cloud.Invalid), failed(cloud.Conflict), cloud.Failed},
		"a conflict, behind a stale number": {false, stale, failed(cloud.Conflict), cloud.Failed},
	} {
		d, j := newDirectory(), newJournal()
		p := sampleUsers(d, 2)
		p.decisions = p.decisions[:1]
		if p.decisions[0].Changes = p.decisions[0].Changes[:2]; !c.account {
			p.decisions[0].Changes[0].Method = cloud.Office
		}
		applyOK(t, p, j, &answering{d, [][]cloud.Result{{c.first, c.second}}}, migrate.ApplyOptions{})
		if got := j.entries[0].Results; len(got) != 2 || got[0].Outcome != c.first.Outcome || got[1].Outcome != c.want {
			t.Errorf("%s: the journal has %+v", name, got)
		}
	}
}

// An answer of another length, or of a word that nobody knows, is no leave to
// take anything for done.
func TestAnswersThatDoNotFit(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 2)
	p.decisions = p.decisions[1:]
	short := &answering{d, [][]cloud.Result{{{Outcome: cloud.Done}}}}
	if _, err := migrate.Apply(t.Context(), p, j, short, migrate.ApplyOptions{Sleep: (&sleeper{}).sleep}); err == nil || cloud.KindOf(err) != cloud.Internal || len(j.entries[2].Results) != 0 || j.entries[2].IntentRun == 0 {
		t.Errorf("an answer of two: %v, the journal has %+v", err, j.entries[2])
	}
	d, j = newDirectory(), newJournal()
	p = sampleUsers(d, 2)
	p.decisions = p.decisions[1:]
	applyOK(t, p, j, &answering{d, [][]cloud.Result{{{Outcome: "perhaps"}, {}}}}, migrate.ApplyOptions{})
	if got := j.entries[2].Results; len(got) != 2 || got[0].Outcome != cloud.Failed || got[1].Outcome != cloud.Failed {
		t.Errorf("unknown answers are taken for %+v", got)
	}
}

// One change that the target refuses is that user's trouble; a call of one says
// nothing about the caller.
func TestOneRefusalStopsNobodyElse(t *testing.T) {
	for _, k := range []cloud.Kind{cloud.Denied, cloud.Internal} {
		d, j := newDirectory(), newJournal()
		d.batch = 1
		p := sampleUsers(d, 6)
		p.decisions = slices.DeleteFunc(p.decisions, func(dec migrate.Decision) bool { return dec.Target == "" })
		for i := range p.decisions {
			p.decisions[i].Changes = p.decisions[i].Changes[:1]
		}
		d.fail = func(c cloud.Change) error {
			if c.User == "id-user01" {
				return &cloud.Error{Kind: k, Message: "not this one"}
			}
			return nil
		}
		if r := applyOK(t, p, j, d, migrate.ApplyOptions{}); r.Failed != 1 || r.Done != len(p.decisions)-1 {
			t.Errorf("%v: %+v", k, r)
		}
	}
}

// The limit of removals counts what is really removed, whatever the summary of
// the plan says; what is gone already, what is only told and what cannot be
// looked at is no removal.
func TestRemovalsAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		had  string // the number that is there
		most int
		stop bool
	}{
		"one too many": {"+1 4255550101", 0, true},
		"one":          {"+1 4255550101", 1, false},
		"gone already": {"", 0, false},
	} {
		d, j := newDirectory(), newJournal()
		u, p := lone(d, func(u *cloud.User) { u.Office = "+1 4255550101" }, migrate.PlannedChange{Reason: "sample",
			Change: cloud.Change{Op: cloud.Remove, Method: cloud.Office, Before: cloud.TextValue("+1 4255550101")}}, adds(cloud.Mobile, cloud.TextValue("+1 4255550111")))
		u.Office = c.had
		_, err := migrate.Apply(t.Context(), unsaid{p}, j, d, migrate.ApplyOptions{MaxRemovals: c.most})
		if (err != nil) != c.stop || c.stop != (d.calls == 0) || c.stop && u.Office != c.had {
			t.Errorf("%s: %v after %d calls, the user has %q", name, err, d.calls, u.Office)
		}
	}
}

// unsaid is a plan whose summary says nothing of its changes.
type unsaid struct{ *fakePlan }

func (p unsaid) Summary() migrate.Summary {
	s := p.fakePlan.Summary()
	s.Changes = map[cloud.Op]int{}
	return s
}

// What the target holds is asked by what would be taken where nothing is to be
// there: a generator without an id is not taken for gone.
func TestGeneratorWithoutAnIDIsRemoved(t *testing.T) {
	d, j := newDirectory(), newJournal()
	u, p := lone(d, func(u *cloud.User) {
		u.OATH = []cloud.OATHEntry{{ID: "o-T-1", Method: cloud.HardwareOATH, OATH: *generator("T-1")}}
	}, migrate.PlannedChange{Change: cloud.Change{Op: cloud.Remove, Method: cloud.HardwareOATH, Before: cloud.Value{OATH: generator("T-1")}}, Reason: "sample"})
	if r := applyOK(t, p, j, d, migrate.ApplyOptions{MaxRemovals: 1}); r.Done != 1 || len(u.OATH) != 0 || r.Changes[cloud.Done] != 1 {
		t.Errorf("%+v, the user has %v", r, u.OATH)
	}
}

// An invitation that was used is what was wanted; one that is over, or a device
// that is, is not.
func TestInvitationsThatHold(t *testing.T) {
	for name, c := range map[string]struct {
		after, found string
		want         bool
	}{
		"invited":           {"invited", "invited", true},
		"used":              {"invited", "active", true},
		"over":              {"invited", "expired", false},
		"none":              {"invited", "", false},
		"active was wanted": {"active", "invited", false},
		"gone was wanted":   {"", "active", false},
		"gone":              {"", "", true},
	} {
		change := cloud.Change{Method: cloud.Authenticator, After: cloud.Value{State: c.after}}
		if got := migrate.Holds(&change, cloud.Value{State: c.found}); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A target that may show late what was written is waited for only for users to
// whom an earlier run may have written, and only as long as that may change
// anything.
func TestWhoIsWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		delayed bool
		entry   *migrate.JournalEntry
		waits   bool
	}{
		"written to, perhaps":         {true, &migrate.JournalEntry{Ordinal: 1, IntentRun: 1}, true},
		"nobody has written":          {true, nil, false},
		"a target that shows at once": {false, &migrate.JournalEntry{Ordinal: 1, IntentRun: 1}, false},
		"stale before": {true, &migrate.JournalEntry{Ordinal: 1, IntentRun: 1, ResultRun: 1,
			Results: []migrate.ChangeResult{{Seq: 0, Outcome: cloud.Outdated}, {Seq: 1, Outcome: cloud.Failed}}}, false},
	} {
		d, j := newDirectory(), newJournal()
		d.delayed = c.delayed
		u, p := lone(d, nil, adds(cloud.Mobile, cloud.TextValue("+1 4255550111")), adds(cloud.Office, cloud.TextValue("+1 4255550112")))
		u.Mobile = "+1 4255550199" // what somebody else has put there, or what is not seen yet
		if j.runs = 1; c.entry != nil {
			j.entries[1] = *c.entry
		}
		s := &sleeper{}
		r := applyOK(t, p, j, d, migrate.ApplyOptions{Sleep: s.sleep})
		if len(s.slept) > 0 != c.waits || r.Stale != 1 || u.Mobile != "+1 4255550199" || u.Office == "" {
			t.Errorf("%s: waited %v, %+v", name, s.slept, r)
		}
	}
}

// Whom the plan leaves out is not checked, though it knows them; and of who is
// not as planned it is told whether apply has left that as it was.
func TestWhoIsChecked(t *testing.T) {
	d, j := newDirectory(), newJournal()
	u, p := lone(d, nil, adds(cloud.Mobile, cloud.TextValue("+1 4255550111")))
	p.decisions = append(p.decisions, migrate.Decision{Ordinal: 2, Username: "left", Target: u.ID, Action: migrate.Skip},
		migrate.Decision{Ordinal: 3, Username: "nobody", Action: migrate.Keep}, migrate.Decision{Ordinal: 4, Username: "kept", Target: u.ID, Action: migrate.Keep})
	words := func(found map[string]migrate.Symbol) string {
		var all []string
		for name, symbol := range found {
			all = append(all, name+string(symbol))
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	if found, _ := symbols(t, p, nil, d, true); words(found) != "kept= u+" {
		t.Errorf("the whole plan: %v", words(found))
	}
	u.Mobile = "+1 4255550199"
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	if u.Mobile = ""; j.entries[1].Results[0].Outcome != cloud.Outdated {
		t.Fatalf("the journal has %+v", j.entries[1])
	}
	d.delayed = true
	var symbol migrate.Symbol
	waits := &sleeper{}
	_, err := migrate.Check(t.Context(), p, j, d, migrate.CheckOptions{Sleep: waits.sleep, Each: func(c migrate.UserCheck) error { symbol = c.Symbol; return nil }})
	if err != nil || symbol != migrate.Differs || len(waits.slept) != 0 {
		t.Errorf("what apply has left: %s after %v, %v", symbol, waits.slept, err)
	}
}
