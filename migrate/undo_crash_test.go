package migrate_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// Partly undone, a plan can be gone on with in both directions.
func TestUndoPartly(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := everyKind(d)
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	d.users["id-old"].Mobile = "+1 4255550199"
	undo(t, p, j, d, migrate.UndoOptions{})
	if _, c := symbols(t, p, j, d, false); c.Total() != 1 || c.Users[migrate.Differs] != 1 {
		t.Errorf("due is what stands: %v", c.Users)
	}
	r := applyOK(t, p, j, d, migrate.ApplyOptions{})
	if r.Done != 2 || d.users["id-old"].Mobile != "+1 4255550199" || d.users["id-old"].Alternate == "" || d.users["new-new@contoso.example"] == nil {
		t.Errorf("applied again: %+v %v", r, d.state())
	}
	d.users["id-old"].Mobile = "+1 4255550122" // as apply left it, after all
	if r, said := undo(t, p, j, d, migrate.UndoOptions{}); r.Done != 2 || len(d.users) != 1 || d.users["id-old"].Mobile != "+1 4255550100" {
		t.Errorf("undone again: %+v %v", r, said)
	}
}

// Undo is stopped at each step there is and run again until it is done; apply
// may come between, too.
func TestUndoSurvivesCrashes(t *testing.T) {
	points := 0
	for _, between := range []bool{false, true} {
		for at := 1; ; at++ {
			d, j := newDirectory(), newJournal()
			p := everyKind(d)
			more := sampleUsers(d, 4)
			for i := range more.decisions {
				more.decisions[i].Ordinal += 10
			}
			p.decisions = append(p.decisions, more.decisions...)
			before := d.state()
			applyOK(t, p, j, d, migrate.ApplyOptions{})
			after := d.state()
			f := &fuse{at: at}
			j.fuse, d.fuse = f, f
			if !crashes(func() { undo(t, p, j, d, migrate.UndoOptions{}) }) {
				break
			}
			points++
			j.fuse, d.fuse, d.locked = &fuse{}, &fuse{}, false
			if between {
				applyOK(t, p, j, d, migrate.ApplyOptions{})
				if diff := cmp.Diff(after, d.state()); diff != "" {
					t.Fatalf("applied after a crash at step %d:\n%s", at, diff)
				}
			}
			_, said := undo(t, p, j, d, migrate.UndoOptions{})
			if diff := cmp.Diff(before, d.state()); diff != "" || len(j.entries) != 0 {
				t.Fatalf("after a crash at step %d, %d users left in the journal:\n%s\n%v", at, len(j.entries), diff, said)
			}
		}
	}
	if points < 60 {
		t.Errorf("only %d crash points", points)
	}
}

// An apply that was killed leaves changes of which nobody knows whether they
// were made: undo looks.
func TestUndoOfAKilledApply(t *testing.T) {
	for at := 1; ; at++ {
		d, j := newDirectory(), newJournal()
		p := everyKind(d)
		before := d.state()
		f := &fuse{at: at}
		j.fuse, d.fuse = f, f
		if !crashes(func() { applyOK(t, p, j, d, migrate.ApplyOptions{}) }) {
			break
		}
		j.fuse, d.fuse, d.locked = &fuse{}, &fuse{}, false
		undo(t, p, j, d, migrate.UndoOptions{})
		if diff := cmp.Diff(before, d.state()); diff != "" {
			t.Errorf("apply crashed at step %d:\n%s", at, diff)
		}
	}
}

// watched remembers the removals of hardware tokens that a target was given.
type watched struct {
	*fakeDirectory
	removed []cloud.Change
}

func (d *watched) Write(ctx context.Context, changes []cloud.Change) []cloud.Result {
	for _, c := range changes {
		if c.Method == cloud.HardwareOATH && c.Op == cloud.Remove {
			d.removed = append(d.removed, c)
		}
	}
	return d.fakeDirectory.Write(ctx, changes)
}

// A token that a killed apply was about to make may stand half made, where no
// user shows it: undo gives it to the target, which can tell, and once only.
func TestUndoOfATokenThatMayBeHalfMade(t *testing.T) {
	d, j := newDirectory(), newJournal()
	w := &watched{fakeDirectory: d}
	u := &cloud.User{ID: "id-1", Profile: cloud.Profile{UPN: "one@contoso.example", Enabled: true}}
	d.users[u.ID] = u
	one := migrate.Decision{Ordinal: 1, Username: "one", UPN: u.UPN, Target: u.ID, Action: migrate.Modify, Facts: migrate.FactsOf(u)}
	one.Changes = append(one.Changes, planned(&one, cloud.Add, cloud.HardwareOATH, cloud.Value{}, cloud.Value{OATH: generator("MFB-1")}))
	p := &fakePlan{instance: "i-1", decisions: []migrate.Decision{one}}
	j.fuse = &fuse{at: 2} // its intent is durable
	if !crashes(func() { applyOK(t, p, j, d, migrate.ApplyOptions{}) }) {
		t.Fatal("apply was not killed")
	}
	j.fuse, d.fuse, d.locked = &fuse{}, &fuse{}, false
	for range 2 {
		r, err := migrate.Undo(t.Context(), p, j, w, migrate.UndoOptions{})
		if err != nil || r.Failed+r.Kept > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if len(w.removed) != 1 || w.removed[0].Before.OATH == nil || w.removed[0].Before.OATH.Serial != "MFB-1" || len(j.entries) != 0 {
		t.Errorf("given %+v, %d left in the journal", w.removed, len(j.entries))
	}
}

// A token that its user has not any more may stay in the target's inventory.
func TestUndoOfATokenThatItsUserGaveBack(t *testing.T) {
	d, j := newDirectory(), newJournal()
	w := &watched{fakeDirectory: d}
	u := &cloud.User{ID: "id-1", Profile: cloud.Profile{UPN: "one@contoso.example", Enabled: true}}
	d.users[u.ID] = u
	one := migrate.Decision{Ordinal: 1, Username: "one", UPN: u.UPN, Target: u.ID, Action: migrate.Modify, Facts: migrate.FactsOf(u)}
	one.Changes = append(one.Changes, planned(&one, cloud.Add, cloud.HardwareOATH, cloud.Value{}, cloud.Value{OATH: generator("MFB-1")}))
	p := &fakePlan{instance: "i-1", decisions: []migrate.Decision{one}}
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	d.users[u.ID].OATH = nil
	r, err := migrate.Undo(t.Context(), p, j, w, migrate.UndoOptions{})
	if err != nil || r.Failed+r.Kept > 0 || len(w.removed) != 1 || w.removed[0].Before.OATH.Serial != "MFB-1" {
		t.Errorf("%+v, %v, given %+v", r, err, w.removed)
	}
}
