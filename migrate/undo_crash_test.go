package migrate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

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
