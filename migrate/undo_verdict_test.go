package migrate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// Of a run that ended early undo takes back what may be made by it, and nothing
// that was there before, had changed, or was refused.
func TestUndoOfARunThatEndedEarly(t *testing.T) {
	for outcome, taken := range map[cloud.Outcome]bool{cloud.Done: true, migrate.Pending: true, "": true, cloud.Already: false, cloud.Outdated: false, cloud.Failed: false} {
		for _, ended := range []bool{true, false} {
			d, j := newDirectory(), newJournal()
			u, p := lone(d, nil, adds(cloud.Mobile, cloud.TextValue("+1 4255550111")), adds(cloud.Office, cloud.TextValue("+1 4255550112")))
			u.Mobile = "+1 4255550111" // whoever has put it there
			e := migrate.JournalEntry{Ordinal: 1, IntentRun: 1, Results: []migrate.ChangeResult{{Seq: 0, Outcome: outcome}}}
			if outcome == "" {
				e.Results = nil
			}
			if ended {
				e.ResultRun = 1
			}
			j.entries[1], j.runs = e, 1
			undo(t, p, j, d, migrate.UndoOptions{})
			if want := taken && (!ended || outcome == cloud.Done); (u.Mobile == "") != want {
				t.Errorf("%q, with an end %v: the user has %q", outcome, ended, u.Mobile)
			}
		}
	}
}

// A journal of another plan takes nothing back.
func TestUndoOfAForeignJournal(t *testing.T) {
	for _, r := range []migrate.ChangeResult{{Seq: 9, Outcome: cloud.Done}, {Seq: -1, Outcome: cloud.Done}, {Seq: 0, Outcome: "perhaps"}} {
		d, j := newDirectory(), newJournal()
		u, p := lone(d, nil, adds(cloud.Mobile, cloud.TextValue("+1 4255550111")))
		u.Mobile = "+1 4255550111"
		j.entries[1] = migrate.JournalEntry{Ordinal: 1, IntentRun: 1, ResultRun: 1, Results: []migrate.ChangeResult{r}}
		if _, err := migrate.Undo(t.Context(), p, j, d, migrate.UndoOptions{}); err == nil || u.Mobile == "" || d.calls != 0 {
			t.Errorf("%+v: %v, the user has %q", r, err, u.Mobile)
		}
	}
}

// A number that was removed comes back, a generator does not: nobody has its
// secret.
func TestUndoOfRemovals(t *testing.T) {
	d, j := newDirectory(), newJournal()
	removes := func(m cloud.Method, id string, before cloud.Value) migrate.PlannedChange {
		return migrate.PlannedChange{Change: cloud.Change{Op: cloud.Remove, Method: m, ID: id, Before: before}, Reason: "sample"}
	}
	u, p := lone(d, func(u *cloud.User) {
		u.Office, u.Email = "+1 4255550112", "u@home.example"
		u.OATH = []cloud.OATHEntry{{ID: "o-T-1", Method: cloud.SoftwareOATH, OATH: *generator("T-1")}}
	}, removes(cloud.Office, "", cloud.TextValue("+1 4255550112")), removes(cloud.Email, "", cloud.TextValue("u@home.example")),
		removes(cloud.SoftwareOATH, "o-T-1", cloud.Value{OATH: generator("T-1")}))
	applyOK(t, p, j, d, migrate.ApplyOptions{MaxRemovals: 3})
	if u.Office != "" || u.Email != "" || len(u.OATH) != 0 {
		t.Fatalf("applied: %+v", u)
	}
	r, said := undo(t, p, j, d, migrate.UndoOptions{})
	if u.Office != "+1 4255550112" || u.Email != "u@home.example" || len(u.OATH) != 0 || r.Kept != 1 || !strings.Contains(said["u softwareOath"], "irreversible") {
		t.Errorf("%+v, %v: %+v", r, said, u)
	}
}

// An invitation that stands for a generator that is gone for good stays as well,
// unless it is allowed: the user would have neither.
func TestUndoLeavesTheInvitationInPlace(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		d, j := newDirectory(), newJournal()
		gone := migrate.PlannedChange{Change: cloud.Change{Op: cloud.Remove, Method: cloud.HardwareOATH, ID: "o-T-1", Before: cloud.Value{OATH: generator("T-1")}}, Reason: "sample", Irreversible: true}
		u, p := lone(d, func(u *cloud.User) {
			u.OATH = []cloud.OATHEntry{{ID: "o-T-1", Method: cloud.HardwareOATH, OATH: *generator("T-1")}}
		}, gone, adds(cloud.Authenticator, cloud.Value{State: "invited"}))
		applyOK(t, p, j, d, migrate.ApplyOptions{MaxRemovals: 1, AllowIrreversible: true})
		_, said := undo(t, p, j, d, migrate.UndoOptions{ApplyOptions: migrate.ApplyOptions{AllowIrreversible: allowed}})
		if (len(u.Authenticators) == 0) != allowed || strings.Contains(said["u authenticator"], "neither") == allowed {
			t.Errorf("allowed %v: %v, %v", allowed, said, u.Authenticators)
		}
	}
	// A number that goes for good is no reason to keep an app.
	d, j := newDirectory(), newJournal()
	gone := migrate.PlannedChange{Change: cloud.Change{Op: cloud.Remove, Method: cloud.Office, Before: cloud.TextValue("+1 4255550112")}, Reason: "sample", Irreversible: true}
	u, p := lone(d, func(u *cloud.User) { u.Office = "+1 4255550112" }, gone, adds(cloud.Authenticator, cloud.Value{State: "invited"}))
	applyOK(t, p, j, d, migrate.ApplyOptions{MaxRemovals: 1})
	if _, said := undo(t, p, j, d, migrate.UndoOptions{}); len(u.Authenticators) != 0 {
		t.Errorf("%v, %v", said, u.Authenticators)
	}
}

// A user of whom one change failed has failed, whichever it was.
func TestUndoCountsWhoFailed(t *testing.T) {
	for _, refused := range []cloud.Method{cloud.Mobile, cloud.Office} {
		d, j := newDirectory(), newJournal()
		_, p := lone(d, nil, adds(cloud.Mobile, cloud.TextValue("+1 4255550111")), adds(cloud.Office, cloud.TextValue("+1 4255550112")))
		applyOK(t, p, j, d, migrate.ApplyOptions{})
		d.fail = func(c cloud.Change) error {
			if c.Method == refused {
				return &cloud.Error{Kind: cloud.Invalid, Message: "no"}
			}
			return nil
		}
		r, said := undo(t, p, j, d, migrate.UndoOptions{})
		if r.Failed != 1 || r.Done+r.Kept != 0 || r.Changes[cloud.Done] != 1 || len(j.entries) != 1 {
			t.Errorf("%s: %+v, %v", refused, r, said)
		}
		d.fail = nil
		if r, said = undo(t, p, j, d, migrate.UndoOptions{}); r.Done != 1 || len(j.entries) != 0 {
			t.Errorf("%s, again: %+v, %v", refused, r, said)
		}
	}
}

// Whoever holds a run holds undo, too, before it writes.
func TestUndoIsHeld(t *testing.T) {
	d, j := newDirectory(), newJournal()
	u, p := lone(d, nil, adds(cloud.Mobile, cloud.TextValue("+1 4255550111")))
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	held, calls := errors.New("held"), d.calls
	r, err := migrate.Undo(t.Context(), p, j, d, migrate.UndoOptions{ApplyOptions: migrate.ApplyOptions{Hold: func(context.Context) error { return held }}})
	if !errors.Is(err, held) || d.calls != calls || u.Mobile == "" || r.Left != 1 {
		t.Errorf("%+v, %v after %d calls", r, err, d.calls-calls)
	}
}
