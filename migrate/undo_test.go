package migrate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

func generator(serial string) *cloud.OATH {
	return &cloud.OATH{Name: "app", Serial: serial, Algorithm: cloud.SHA1, Digits: 6, Period: 30, Secret: secret.New([]byte("12345678901234567890"))}
}

// everyKind is a plan with each kind of change there is: a user who is made
// with all methods, and one who exists and gets, changes and loses some.
func everyKind(d *fakeDirectory) *fakePlan {
	d.batch, d.keeps = 20, graphRules
	old := *generator("T-old")
	u := &cloud.User{ID: "id-old", Profile: cloud.Profile{UPN: "old@contoso.example", Enabled: true}, Mobile: "+1 4255550100", Default: cloud.SMS,
		OATH: []cloud.OATHEntry{{ID: "o-T-old", Method: cloud.HardwareOATH, OATH: old}}, BlockedUntil: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	d.users[u.ID] = u
	renamed := old
	renamed.Name = "key fob"
	renamed.Secret = secret.Bytes{}
	before, after := u.Profile, u.Profile
	after.Aliases, after.SID = []string{"CONTOSO\\old", "old"}, "S-1-5-21-1"
	until := cloud.Value{Until: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)}

	made := migrate.Decision{Ordinal: 1, Username: "new", UPN: "new@contoso.example", Action: migrate.Create}
	had := migrate.Decision{Ordinal: 2, Username: "old", UPN: u.UPN, Target: u.ID, Action: migrate.Modify, Facts: migrate.FactsOf(u)}
	none := cloud.Value{}
	add := func(d *migrate.Decision, op cloud.Op, m cloud.Method, before, after cloud.Value) {
		d.Changes = append(d.Changes, planned(d, op, m, before, after))
	}
	add(&made, cloud.Add, cloud.Account, none, cloud.Value{Profile: &cloud.Profile{UPN: made.UPN, Enabled: true}})
	add(&made, cloud.Set, cloud.Blocked, none, until)
	add(&made, cloud.Add, cloud.Mobile, none, cloud.TextValue("+1 4255550111"))
	add(&made, cloud.Add, cloud.AlternateMobile, none, cloud.TextValue("+1 4255550112"))
	add(&made, cloud.Add, cloud.Office, none, cloud.TextValue("+1 4255550113x7"))
	add(&made, cloud.Add, cloud.Email, none, cloud.TextValue("new@fabrikam.example"))
	add(&made, cloud.Add, cloud.SoftwareOATH, none, cloud.Value{OATH: generator("MFB-1")})
	add(&made, cloud.Add, cloud.HardwareOATH, none, cloud.Value{OATH: generator("T-1")})
	add(&made, cloud.Add, cloud.Authenticator, none, cloud.Value{State: "invited"})
	add(&made, cloud.Set, cloud.DefaultMethod, none, cloud.TextValue("oath"))

	add(&had, cloud.Update, cloud.Account, cloud.Value{Profile: &before}, cloud.Value{Profile: &after})
	add(&had, cloud.Set, cloud.Blocked, cloud.Value{Until: u.BlockedUntil}, until)
	add(&had, cloud.Update, cloud.Mobile, cloud.TextValue(u.Mobile), cloud.TextValue("+1 4255550122"))
	add(&had, cloud.Add, cloud.AlternateMobile, none, cloud.TextValue("+1 4255550123"))
	add(&had, cloud.Update, cloud.HardwareOATH, cloud.Value{OATH: &old}, cloud.Value{OATH: &renamed})
	had.Changes[len(had.Changes)-1].ID = "o-T-old"
	add(&had, cloud.Set, cloud.DefaultMethod, cloud.TextValue("sms"), cloud.TextValue("oath"))
	return &fakePlan{instance: "i-1", decisions: []migrate.Decision{made, had}}
}

// graphRules are the rules that targets have between the methods of a user.
func graphRules(u *cloud.User, c cloud.Change) error {
	refuse := func(s string) error { return &cloud.Error{Kind: cloud.Invalid, Message: s} }
	if c.After.State == "expired" {
		return refuse("an authenticator can only be invited")
	}
	gone := c.After.IsZero()
	switch {
	case c.Method == cloud.AlternateMobile && !gone && u.Mobile == "":
		return refuse("an alternate needs a mobile")
	case c.Method == cloud.Mobile && gone && u.Alternate != "":
		return refuse("the alternate needs it")
	case c.Method == cloud.Mobile && gone && u.Default == cloud.SMS, c.Method.IsOATH() && gone && u.Default == cloud.OATHCode && len(u.OATH) == 1:
		return refuse("it is the default")
	case c.Method == cloud.Account && gone && (u.Mobile+u.Alternate+u.Office+u.Email != "" || len(u.OATH) > 0):
		return &cloud.Error{Kind: cloud.Conflict, Message: "the user still has methods"}
	}
	return nil
}

// undo runs undo and returns what was said of each change.
func undo(t *testing.T, p migrate.PlanReader, j migrate.Journal, d cloud.Directory, o migrate.UndoOptions) (migrate.UndoResult, map[string]string) {
	t.Helper()
	said := map[string]string{}
	o.Sleep = (&sleeper{}).sleep
	o.Each = func(e migrate.ChangeEvent) error {
		said[e.Username+" "+string(e.Change.Method)] = string(e.Result.Outcome)
		if e.Result.Message != "" {
			said[e.Username+" "+string(e.Change.Method)] += ": " + e.Result.Message
		}
		return nil
	}
	r, err := migrate.Undo(t.Context(), p, j, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return r, said
}

func TestUndoEveryKind(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := everyKind(d)
	before := d.state()
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	after := d.state()
	if slices.Equal(before, after) || len(d.written) != 16 {
		t.Fatalf("apply wrote %d changes", len(d.written))
	}
	r, said := undo(t, p, j, d, migrate.UndoOptions{})
	if diff := cmp.Diff(before, d.state()); diff != "" {
		t.Errorf("the target is not as it was:\n%s\n%v", diff, said)
	}
	want := migrate.UndoResult{Run: 2, Users: 2, Done: 2, Changes: map[cloud.Outcome]int{cloud.Done: 16}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("result:\n%s", diff)
	}
	if _, c := symbols(t, p, j, d, false); c.Total() != 0 {
		t.Errorf("after undo %d users are due", c.Total())
	}
	if r, _ := undo(t, p, j, d, migrate.UndoOptions{}); r.Users != 0 {
		t.Errorf("undone again: %+v", r)
	}
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	if diff := cmp.Diff(after, d.state()); diff != "" {
		t.Errorf("applied again:\n%s", diff)
	}
	undo(t, p, j, d, migrate.UndoOptions{})
	if diff := cmp.Diff(before, d.state()); diff != "" {
		t.Errorf("undone again:\n%s", diff)
	}
}

// What undo would do is said without a hand that could do it.
func TestUndoPreview(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := everyKind(d)
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	d.users["id-old"].Mobile = "+1 4255550199"
	state, calls, outcomes := d.state(), d.calls, j.outcomes()
	pending := 0
	r, err := migrate.PreviewUndo(t.Context(), p, j, d, migrate.UndoOptions{ApplyOptions: migrate.ApplyOptions{Each: func(e migrate.ChangeEvent) error {
		if e.Result.Outcome == migrate.Pending {
			pending++
		}
		return nil
	}}})
	if err != nil || pending != 15 || r.Users != 2 || r.Open != 1 || r.Kept != 1 || r.Run != 0 {
		t.Errorf("preview: %+v, %d pending, %v", r, pending, err)
	}
	if d.calls != calls || !slices.Equal(state, d.state()) || !cmp.Equal(outcomes, j.outcomes()) || j.runs != 1 {
		t.Error("the preview changed something")
	}
}

// What somebody changed since apply stays, and so does what that needs.
func TestUndoLeavesWhatWasChangedSince(t *testing.T) {
	for _, c := range []struct {
		name   string
		meddle func(d *fakeDirectory, made, had *cloud.User)
		stays  []string // "user method": left alone
		text   string
	}{
		{"another number", func(_ *fakeDirectory, _, had *cloud.User) { had.Mobile = "+1 4255550199" }, []string{"old mobile"}, "changed since"},
		{"taken away and given again", func(_ *fakeDirectory, made, _ *cloud.User) { made.Office = "+1 4255550198" }, []string{"new office", "new user"}, "changed since"},
		{"a token of their own", func(_ *fakeDirectory, made, _ *cloud.User) {
			made.OATH = append(made.OATH, cloud.OATHEntry{ID: "own", Method: cloud.SoftwareOATH, OATH: *generator("own")})
		}, []string{"new user"}, "did not bring"},
		{"an app was activated", func(_ *fakeDirectory, made, _ *cloud.User) { made.Authenticators[0].State = "active" }, []string{"new authenticator", "new user"}, "changed since"},
		{"another device", func(_ *fakeDirectory, made, _ *cloud.User) {
			made.Authenticators = append(made.Authenticators, cloud.AuthenticatorEntry{ID: "x", State: "active"})
		}, []string{"new user"}, "did not bring"},
		{"a role", func(_ *fakeDirectory, made, _ *cloud.User) { made.Privileged = true }, []string{"new user"}, "did not bring"},
		{"a longer block", func(_ *fakeDirectory, made, _ *cloud.User) { made.BlockedUntil = made.BlockedUntil.AddDate(1, 0, 0) }, []string{"new block", "new user"}, "changed since"},
		{"another name", func(_ *fakeDirectory, _, had *cloud.User) { had.DisplayName = "Old User" }, []string{"old user"}, "changed since"},
		{"texts as default", func(_ *fakeDirectory, made, _ *cloud.User) { made.Default = cloud.SMS }, []string{"new defaultMethod", "new mobile", "new user"}, "since"},
		{"calls to the office as default", func(_ *fakeDirectory, made, _ *cloud.User) { made.Default = cloud.VoiceOffice }, []string{"new defaultMethod", "new office", "new user"}, "since"},
		{"calls to the other mobile as default", func(_ *fakeDirectory, made, _ *cloud.User) { made.Default = cloud.VoiceAlternateMobile },
			[]string{"new defaultMethod", "new alternateMobile", "new mobile", "new user"}, "since"},
		{"gone", func(d *fakeDirectory, _, had *cloud.User) { delete(d.users, had.ID) }, []string{"old user", "old block", "old mobile", "old hardwareOath", "old defaultMethod"}, "any more"},
		{"the created one is gone", func(d *fakeDirectory, made, _ *cloud.User) { delete(d.users, made.ID) }, nil, ""},
	} {
		d, j := newDirectory(), newJournal()
		p := everyKind(d)
		applyOK(t, p, j, d, migrate.ApplyOptions{})
		c.meddle(d, d.users["new-new@contoso.example"], d.users["id-old"])
		r, said := undo(t, p, j, d, migrate.UndoOptions{})
		var stayed []string
		for what, outcome := range said {
			if !strings.HasPrefix(outcome, "done") && !strings.HasPrefix(outcome, "already") {
				stayed = append(stayed, what)
				if !strings.Contains(outcome, c.text) && !strings.Contains(outcome, "could not be taken back") || !strings.HasPrefix(outcome, "stale") {
					t.Errorf("%s: %s is %q", c.name, what, outcome)
				}
			}
		}
		slices.Sort(stayed)
		slices.Sort(c.stays)
		if !slices.Equal(stayed, c.stays) || r.Failed != 0 || r.Kept != min(len(c.stays), 1) {
			t.Errorf("%s: %v stays, want %v: %+v", c.name, stayed, c.stays, r)
		}
		if again, _ := undo(t, p, j, d, migrate.UndoOptions{}); again.Kept != r.Kept || again.Done+again.Failed != 0 || again.Changes[cloud.Done] != 0 {
			t.Errorf("%s, once more: %+v", c.name, again)
		}
	}
}

// What the target held before apply came is none of the plan's.
func TestUndoLeavesWhatWasThere(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 3)
	d.users["id-user01"].Mobile = "+1 4255550101" // as planned, before apply
	before := d.state()
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	if r, said := undo(t, p, j, d, migrate.UndoOptions{}); r.Done != 3 || said["user01 mobile"] != "" {
		t.Errorf("%+v, %v", r, said)
	}
	if diff := cmp.Diff(before, d.state()); diff != "" {
		t.Error(diff)
	}
}

// A generator whose secret nobody holds cannot come back, and what stands for
// it goes only where that is allowed.
func TestUndoIrreversible(t *testing.T) {
	d, j := newDirectory(), newJournal()
	d.batch = 20
	old := *generator("T-old")
	u := &cloud.User{ID: "id", Profile: cloud.Profile{UPN: "u@contoso.example"}, OATH: []cloud.OATHEntry{{ID: "o-T-old", Method: cloud.HardwareOATH, OATH: old}}}
	d.users[u.ID] = u
	dec := migrate.Decision{Username: "u", UPN: u.UPN, Target: u.ID, Action: migrate.Modify}
	gone := planned(&dec, cloud.Remove, cloud.HardwareOATH, cloud.Value{OATH: &old}, cloud.Value{})
	gone.ID = "o-T-old"
	dec.Changes = []migrate.PlannedChange{gone,
		planned(&dec, cloud.Add, cloud.HardwareOATH, cloud.Value{}, cloud.Value{OATH: generator("T-new")}),
		planned(&dec, cloud.Add, cloud.Mobile, cloud.Value{}, cloud.TextValue("+1 4255550101")),
		planned(&dec, cloud.Set, cloud.DefaultMethod, cloud.Value{}, cloud.TextValue("sms"))}
	dec.Changes[3].Irreversible = true // the target cannot be without a default once it has one
	p := &fakePlan{instance: "i-1", decisions: []migrate.Decision{dec}}
	applyOK(t, p, j, d, migrate.ApplyOptions{MaxRemovals: 1})
	r, said := undo(t, p, j, d, migrate.UndoOptions{})
	if r.Kept != 1 || r.Failed != 0 || u.Mobile != "" || len(u.OATH) != 1 || !strings.Contains(said["u hardwareOath"], "irreversible") && !strings.Contains(said["u hardwareOath"], "neither") {
		t.Errorf("%+v\n%v\n%v", r, said, d.state())
	}
	if r, said = undo(t, p, j, d, migrate.UndoOptions{ApplyOptions: migrate.ApplyOptions{AllowIrreversible: true}}); r.Kept != 1 || len(u.OATH) != 0 {
		t.Errorf("with consent: %+v\n%v\n%v", r, said, d.state())
	}
}

func TestUndoRefuses(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 6)
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	calls := d.calls
	try := func(p *fakePlan, o migrate.UndoOptions) error {
		_, err := migrate.Undo(t.Context(), p, j, d, o)
		return err
	}
	if err := try(&fakePlan{decisions: p.decisions, instance: "i-2"}, migrate.UndoOptions{}); err == nil || hint.Of(err) == "" {
		t.Errorf("another target: %v", err)
	}
	if err := try(&fakePlan{decisions: p.decisions, instance: "i-1", unsealed: true}, migrate.UndoOptions{}); err == nil {
		t.Error("a plan without its seal is undone")
	}
	d.locked = true
	if err := try(p, migrate.UndoOptions{}); err == nil || cloud.KindOf(err) != cloud.Locked {
		t.Errorf("a locked target: %v", err)
	}
	d.locked = false
	if d.calls != calls {
		t.Error("something was written")
	}
}

// Limits stop a run; the next one goes on, past users who cannot be undone.
func TestUndoLimits(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 6)
	before := d.state()
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	for runs := 1; ; runs++ {
		r, err := migrate.Undo(t.Context(), p, j, d, migrate.UndoOptions{ApplyOptions: migrate.ApplyOptions{MaxUsers: 2}})
		if r.Done != 2 || r.Users != 2 || r.Left != 6-2*runs {
			t.Errorf("run %d: %+v", runs, r)
		}
		if err == nil {
			if runs != 3 {
				t.Errorf("done after %d runs of two users", runs)
			}
			break
		}
		if e, ok := errors.AsType[*migrate.LimitError](err); !ok || e.Limit != 2 || runs > 4 {
			t.Fatalf("run %d: %v", runs, err)
		}
	}
	if diff := cmp.Diff(before, d.state()); diff != "" {
		t.Error(diff)
	}
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	d.fail = func(cloud.Change) error { return &cloud.Error{Kind: cloud.Denied, Message: "no"} }
	r, err := migrate.Undo(t.Context(), p, j, d, migrate.UndoOptions{ApplyOptions: migrate.ApplyOptions{MaxFailures: 2}})
	if _, ok := errors.AsType[*migrate.LimitError](err); !ok || r.Failed != 2 || r.Left != 4 {
		t.Errorf("failures: %+v, %v", r, err)
	}
	d.fail = nil
	if r, _ := undo(t, p, j, d, migrate.UndoOptions{}); r.Done != 6 {
		t.Errorf("after the failures: %+v", r)
	}
}

// Where no default can be unset, it goes with the method that it names.
func TestUndoDefaultGoesWithItsMethod(t *testing.T) {
	d, j := newDirectory(), newJournal()
	d.keeps = func(u *cloud.User, c cloud.Change) error {
		if c.Method == cloud.DefaultMethod && c.After.IsZero() {
			return &cloud.Error{Kind: cloud.Unsupported, Message: "there is always a default"}
		}
		if c.Method == cloud.Mobile && c.After.IsZero() {
			if len(u.OATH) > 0 && u.Default == cloud.SMS {
				return &cloud.Error{Kind: cloud.Invalid, Message: "the default goes last"}
			}
			u.Default = ""
		}
		return nil
	}
	p := sampleUsers(d, 3)
	p.decisions = p.decisions[1:]
	for i := range p.decisions {
		p.decisions[i].Changes[1].After, p.decisions[i].Changes[1].Irreversible = cloud.TextValue("sms"), true
	}
	before := d.state()
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	if r, err := migrate.PreviewUndo(t.Context(), p, j, d, migrate.UndoOptions{}); err != nil || r.Open != 2 || r.Kept+r.Failed != 0 {
		t.Errorf("preview: %+v, %v", r, err)
	}
	second := d.users[p.decisions[1].Target]
	second.Office = "+1 4255550177" // which the target would choose then
	if r, err := migrate.PreviewUndo(t.Context(), p, j, d, migrate.UndoOptions{}); err != nil || r.Open != 1 || r.Kept != 1 {
		t.Errorf("preview with another number: %+v, %v", r, err)
	}
	second.Office = ""
	r, said := undo(t, p, j, d, migrate.UndoOptions{})
	if diff := cmp.Diff(before, d.state()); diff != "" || r.Done != 2 || len(j.entries) != 0 {
		t.Errorf("%+v %v\n%s", r, said, diff)
	}
}

// A target that is throttled or shows writes late is waited for.
func TestUndoWaits(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 6)
	before := d.state()
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	n := 0
	d.down = func() error {
		if n++; n%2 == 1 {
			return &cloud.Error{Kind: cloud.Throttled, Message: "slow down"}
		}
		return nil
	}
	if r, _ := undo(t, p, j, d, migrate.UndoOptions{}); r.Done != 6 {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff(before, d.state()); diff != "" {
		t.Error(diff)
	}
	d.down = nil
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	d.delayed = true
	shown := d.users["id-user01"].Mobile
	d.users["id-user01"].Mobile = "" // not to be seen yet
	waiting := &sleeper{stop: func() { d.users["id-user01"].Mobile = shown }}
	r, err := migrate.Undo(t.Context(), p, j, d, migrate.UndoOptions{ApplyOptions: migrate.ApplyOptions{Sleep: waiting.sleep}})
	if err != nil || r.Done != 6 || len(waiting.slept) == 0 {
		t.Errorf("late to be seen: %+v, %v", r, err)
	}
	if diff := cmp.Diff(before, d.state()); diff != "" {
		t.Error(diff)
	}
}

// An invitation that has passed by itself is still this plan's.
func TestUndoExpiredInvitation(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := everyKind(d)
	before := d.state()
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	d.users["new-new@contoso.example"].Authenticators[0].State = "expired"
	r, said := undo(t, p, j, d, migrate.UndoOptions{})
	if diff := cmp.Diff(before, d.state()); diff != "" || r.Done != 2 {
		t.Errorf("%s%v", diff, said)
	}
}

// An invitation that took the place of one that had expired is revoked: no
// target makes one that is over.
func TestUndoRenewedInvitation(t *testing.T) {
	d, j := newDirectory(), newJournal()
	d.batch, d.keeps = 20, graphRules
	u := &cloud.User{ID: "id-old", Profile: cloud.Profile{UPN: "old@contoso.example", Enabled: true},
		Authenticators: []cloud.AuthenticatorEntry{{ID: "a-old@contoso.example", State: "expired"}}}
	d.users[u.ID] = u
	had := migrate.Decision{Ordinal: 1, Username: "old", UPN: u.UPN, Target: u.ID, Action: migrate.Modify, Facts: migrate.FactsOf(u)}
	c := planned(&had, cloud.Update, cloud.Authenticator, cloud.Value{State: "expired"}, cloud.Value{State: "invited"})
	c.ID = "a-old@contoso.example"
	had.Changes = []migrate.PlannedChange{c}
	p := &fakePlan{instance: "i-1", decisions: []migrate.Decision{had}}
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	if r, said := undo(t, p, j, d, migrate.UndoOptions{}); r.Done != 1 || len(u.Authenticators) != 0 {
		t.Errorf("left %v: %v", u.Authenticators, said)
	}
}
