package migrate_test

import (
	"slices"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// lone is a user of the target, and a plan with changes of theirs.
func lone(d *fakeDirectory, had func(*cloud.User), changes ...migrate.PlannedChange) (*cloud.User, *fakePlan) {
	d.batch = 20
	u := &cloud.User{ID: "id", Profile: cloud.Profile{UPN: "u@contoso.example", Enabled: true}}
	if had != nil {
		had(u)
	}
	d.users[u.ID] = u
	dec := migrate.Decision{Ordinal: 1, Username: "u", UPN: u.UPN, Target: u.ID, Action: migrate.Modify, Facts: migrate.FactsOf(u)}
	for _, c := range changes {
		c.User, c.UPN = u.ID, u.UPN
		dec.Changes = append(dec.Changes, c)
	}
	return u, &fakePlan{instance: "i-1", decisions: []migrate.Decision{dec}}
}

// adds is a change that adds a method.
func adds(m cloud.Method, after cloud.Value) migrate.PlannedChange {
	return migrate.PlannedChange{Change: cloud.Change{Op: cloud.Add, Method: m, After: after}, Reason: "sample"}
}

// What a user is asked for first, by their own choice since, is left to them; and
// nothing else is left for that.
func TestUndoLeavesWhatIsTheDefaultSince(t *testing.T) {
	own := func(u *cloud.User) {
		u.OATH = append(u.OATH, cloud.OATHEntry{ID: "own", Method: cloud.SoftwareOATH, OATH: *generator("OWN")})
	}
	renamed := *generator("T-2")
	renamed.Name = "renamed"
	renames := migrate.PlannedChange{Change: cloud.Change{Op: cloud.Update, Method: cloud.SoftwareOATH, ID: "o-T-2", Before: cloud.Value{OATH: generator("T-2")}, After: cloud.Value{OATH: &renamed}}, Reason: "sample"}
	mobile, other, office := adds(cloud.Mobile, cloud.TextValue("+1 4255550111")), adds(cloud.AlternateMobile, cloud.TextValue("+1 4255550112")), adds(cloud.Office, cloud.TextValue("+1 4255550113"))
	one, two := adds(cloud.SoftwareOATH, cloud.Value{OATH: generator("T-1")}), adds(cloud.HardwareOATH, cloud.Value{OATH: generator("T-2")})
	for name, c := range map[string]struct {
		had     func(*cloud.User)
		changes []migrate.PlannedChange
		since   cloud.Preference
		kept    string // of what was added; empty: nothing
	}{
		"by text":                      {nil, []migrate.PlannedChange{mobile, office}, cloud.SMS, "mobile"},
		"called on the mobile":         {nil, []migrate.PlannedChange{mobile, office}, cloud.VoiceMobile, "mobile"},
		"called on the other mobile":   {func(u *cloud.User) { u.Mobile = "+1 4255550199" }, []migrate.PlannedChange{other, office}, cloud.VoiceAlternateMobile, "alternateMobile"},
		"called at work":               {nil, []migrate.PlannedChange{mobile, office}, cloud.VoiceOffice, "office"},
		"a code":                       {nil, []migrate.PlannedChange{one, office}, cloud.OATHCode, "softwareOath"},
		"a code of the one that stays": {nil, []migrate.PlannedChange{one, two}, cloud.OATHCode, "hardwareOath"},
		"a code, of their own too":     {own, []migrate.PlannedChange{one, two}, cloud.OATHCode, ""},
		"a code, of one that stays": {func(u *cloud.User) {
			u.OATH = []cloud.OATHEntry{{ID: "o-T-2", Method: cloud.SoftwareOATH, OATH: *generator("T-2")}}
		}, []migrate.PlannedChange{renames, one}, cloud.OATHCode, ""},
		"a push, of another telephone": {nil, []migrate.PlannedChange{mobile, one}, cloud.Push, ""},
	} {
		d, j := newDirectory(), newJournal()
		u, p := lone(d, c.had, c.changes...)
		applyOK(t, p, j, d, migrate.ApplyOptions{})
		u.Default = c.since
		r, said := undo(t, p, j, d, migrate.UndoOptions{})
		var kept []string
		for _, of := range c.changes {
			if why := said["u "+string(of.Method)]; strings.Contains(why, "the user's default method since") {
				kept = append(kept, string(of.Method))
			} else if why != string(cloud.Done) {
				t.Errorf("%s: %s: %s", name, of.Method, why)
			}
		}
		if strings.Join(kept, " ") != c.kept || r.Kept > 0 != (c.kept != "") {
			t.Errorf("%s: kept %v, want %q; %+v", name, kept, c.kept, r)
		}
	}
}

// A mobile goes only with the other one that needs it.
func TestUndoLeavesTheMobileOfAnother(t *testing.T) {
	d, j := newDirectory(), newJournal()
	u, p := lone(d, nil, adds(cloud.Mobile, cloud.TextValue("+1 4255550111")), adds(cloud.AlternateMobile, cloud.TextValue("+1 4255550112")))
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	u.Alternate = "+1 4255550199" // their own since
	if r, said := undo(t, p, j, d, migrate.UndoOptions{}); r.Kept != 1 || u.Mobile == "" || !strings.Contains(said["u mobile"], "alternate mobile since") {
		t.Errorf("%+v, %v", r, said)
	}
	u.Alternate = "+1 4255550112"
	if r, said := undo(t, p, j, d, migrate.UndoOptions{}); r.Done != 1 || u.Mobile+u.Alternate != "" {
		t.Errorf("%+v, %v", r, said)
	}
}

// Of several invitations the one goes that the plan has made: by what the
// target called it, and where nobody knows that, none.
func TestUndoKnowsItsInvitation(t *testing.T) {
	invites := adds(cloud.Authenticator, cloud.Value{State: "invited"})
	own := cloud.AuthenticatorEntry{ID: "own", State: "invited"}

	d, j := newDirectory(), newJournal()
	u, p := lone(d, nil, invites)
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	u.Authenticators = append(u.Authenticators, own)
	if r, said := undo(t, p, j, d, migrate.UndoOptions{}); r.Done != 1 || len(u.Authenticators) != 1 || u.Authenticators[0].ID != "own" {
		t.Errorf("%+v, %v: %v", r, said, u.Authenticators)
	}

	d, j = newDirectory(), newJournal()
	u, p = lone(d, nil, invites)
	j.fuse = &fuse{at: 2} // its intent is durable
	if !crashes(func() { applyOK(t, p, j, d, migrate.ApplyOptions{}) }) {
		t.Fatal("apply was not killed")
	}
	j.fuse, d.fuse, d.locked = &fuse{}, &fuse{}, false
	u.Authenticators = []cloud.AuthenticatorEntry{own, {ID: "other", State: "invited"}}
	if r, said := undo(t, p, j, d, migrate.UndoOptions{}); r.Kept != 1 || len(u.Authenticators) != 2 || !strings.Contains(said["u authenticator"], "which of several") {
		t.Errorf("%+v, %v: %v", r, said, u.Authenticators)
	}
}

// An undo that was killed knows its invitation as well as the one before it.
func TestKilledUndoKnowsItsInvitation(t *testing.T) {
	d, j := newDirectory(), newJournal()
	u, p := lone(d, nil, adds(cloud.Authenticator, cloud.Value{State: "invited"}))
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	u.Authenticators = append(u.Authenticators, cloud.AuthenticatorEntry{ID: "own", State: "invited"})
	j.fuse = &fuse{at: 2} // its intent is durable
	if !crashes(func() { undo(t, p, j, d, migrate.UndoOptions{}) }) {
		t.Fatal("undo was not killed")
	}
	j.fuse, d.fuse, d.locked = &fuse{}, &fuse{}, false
	if r, said := undo(t, p, j, d, migrate.UndoOptions{}); r.Done != 1 || len(u.Authenticators) != 1 || u.Authenticators[0].ID != "own" || len(j.entries) != 0 {
		t.Errorf("%+v, %v: %v", r, said, u.Authenticators)
	}
}

// A generator that a killed apply did not come to make is none of those that
// the user has.
func TestUndoTakesNoOtherGenerator(t *testing.T) {
	d, j := newDirectory(), newJournal()
	u, p := lone(d, func(u *cloud.User) {
		u.OATH = []cloud.OATHEntry{{ID: "own", Method: cloud.SoftwareOATH, OATH: *generator("OWN")}}
	}, adds(cloud.SoftwareOATH, cloud.Value{OATH: generator("T-1")}))
	j.fuse = &fuse{at: 2} // its intent is durable
	if !crashes(func() { applyOK(t, p, j, d, migrate.ApplyOptions{}) }) {
		t.Fatal("apply was not killed")
	}
	j.fuse, d.fuse, d.locked = &fuse{}, &fuse{}, false
	if r, said := undo(t, p, j, d, migrate.UndoOptions{}); r.Kept+r.Failed > 0 || len(u.OATH) != 1 || said["u softwareOath"] != string(cloud.Already) || len(j.entries) != 0 {
		t.Errorf("%+v, %v", r, said)
	}
}

// A generator that was changed for good is there: what was added beside it goes.
func TestUndoBesideAChangeForGood(t *testing.T) {
	d, j := newDirectory(), newJournal()
	before, after := *generator("T-1"), *generator("T-1")
	after.Period = 60
	forGood := migrate.PlannedChange{Change: cloud.Change{Op: cloud.Update, Method: cloud.SoftwareOATH, ID: "o-T-1", Before: cloud.Value{OATH: &before}, After: cloud.Value{OATH: &after}},
		Reason: "sample", Irreversible: true}
	byDefault := migrate.PlannedChange{Change: cloud.Change{Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue("push"), After: cloud.TextValue("oath")}, Reason: "sample", Irreversible: true}
	u, p := lone(d, func(u *cloud.User) {
		u.Default, u.OATH = cloud.Push, []cloud.OATHEntry{{ID: "o-T-1", Method: cloud.SoftwareOATH, OATH: before}}
	}, forGood, adds(cloud.HardwareOATH, cloud.Value{OATH: generator("T-2")}), byDefault)
	applyOK(t, p, j, d, migrate.ApplyOptions{AllowIrreversible: true})
	r, said := undo(t, p, j, d, migrate.UndoOptions{})
	if len(u.OATH) != 1 || u.OATH[0].Period != 60 || said["u hardwareOath"] != string(cloud.Done) || !strings.Contains(said["u softwareOath"], "irreversible: nobody") ||
		!strings.Contains(said["u defaultMethod"], "the default that was there before") {
		t.Errorf("%+v, %v: %v", r, said, u.OATH)
	}
}

// What an earlier run has settled, with leave to take what nobody gives back,
// stays as it was settled, and is told once.
func TestApplyKeepsWhatWasSettled(t *testing.T) {
	d, j := newDirectory(), newJournal()
	gone := migrate.PlannedChange{Change: cloud.Change{Op: cloud.Remove, Method: cloud.HardwareOATH, ID: "o-T-1", Before: cloud.Value{OATH: generator("T-1")}}, Reason: "sample", Irreversible: true}
	_, p := lone(d, func(u *cloud.User) {
		u.OATH = []cloud.OATHEntry{{ID: "o-T-1", Method: cloud.HardwareOATH, OATH: *generator("T-1")}}
	}, gone, adds(cloud.Mobile, cloud.TextValue("+1 4255550111")))
	d.fail = func(c cloud.Change) error {
		if c.Method == cloud.Mobile {
			return &cloud.Error{Kind: cloud.Invalid, Message: "no"}
		}
		return nil
	}
	var told []string
	o := migrate.ApplyOptions{MaxRemovals: 1, AllowIrreversible: true, Each: func(e migrate.ChangeEvent) error {
		told = append(told, string(e.Change.Method)+" "+string(e.Result.Outcome))
		return nil
	}}
	if r := applyOK(t, p, j, d, o); r.Failed != 1 || !slices.Equal(told, []string{"hardwareOath done", "mobile failed"}) {
		t.Errorf("%+v, told %v", r, told)
	}
	d.fail, told = nil, nil
	o.AllowIrreversible = false
	if r := applyOK(t, p, j, d, o); r.Failed != 0 || r.Done != 1 || !slices.Equal(told, []string{"mobile done"}) {
		t.Errorf("again: %+v, told %v", r, told)
	}
	for _, r := range j.entries[1].Results {
		if r.Outcome != cloud.Done {
			t.Errorf("the journal has %+v", r)
		}
	}
}

// What one user waits for no other does; and an error that every change of a
// call has is that of the caller only where it says that the target refuses the
// caller or has failed.
func TestErrorsOfOneCall(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 3)
	p.decisions = p.decisions[1:] // user01, user02: in one call
	tries := map[string]int{}
	d.fail = func(c cloud.Change) error {
		if c.Method != cloud.Mobile {
			return nil
		}
		if tries[c.UPN]++; c.UPN == "user02@contoso.example" {
			return &cloud.Error{Kind: cloud.Invalid, Message: "no"}
		}
		if tries[c.UPN] == 1 {
			return &cloud.Error{Kind: cloud.Throttled, Message: "slow down"}
		}
		return nil
	}
	if r := applyOK(t, p, j, d, migrate.ApplyOptions{}); r.Failed != 1 || r.Done != 1 || tries["user01@contoso.example"] != 2 || tries["user02@contoso.example"] != 1 {
		t.Errorf("%+v, tries %v", r, tries)
	}

	d, j = newDirectory(), newJournal()
	p = sampleUsers(d, 3)
	p.decisions = p.decisions[1:]
	same := &cloud.Error{Kind: cloud.Invalid, Message: "no"}
	d.fail = func(cloud.Change) error { return same }
	if r := applyOK(t, p, j, d, migrate.ApplyOptions{}); r.Failed != 2 {
		t.Errorf("invalid, each: %+v", r)
	}
	d, j = newDirectory(), newJournal()
	same = &cloud.Error{Kind: cloud.Denied, Message: "no"}
	d.fail = func(cloud.Change) error { return same }
	p = sampleUsers(d, 3)
	p.decisions = p.decisions[1:]
	if r, err := migrate.Apply(t.Context(), p, j, d, migrate.ApplyOptions{Sleep: (&sleeper{}).sleep}); cloud.KindOf(err) != cloud.Denied || r.Failed != 0 {
		t.Errorf("denied, as a whole: %+v, %v", r, err)
	}
}
