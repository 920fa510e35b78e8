package migrate_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

func planAgainst(t *testing.T, d *directory, opt migrate.Options, users ...legacy.User) (*sheet, migrate.Summary, error) {
	t.Helper()
	var out sheet
	opt.Now, opt.ExportTime, opt.TempDir = now, exported, t.TempDir()
	sum, err := migrate.Plan(t.Context(), &export{users: users}, d, opt, &out)
	return &out, sum, err
}

// A user of whom the target does not tell is skipped, with the reason, and the
// others are planned. What the row shares with another one is nobody's: the
// user may have it.
func TestPlanSkipsWhoCannotBeRead(t *testing.T) {
	ada, ben, cyd := row("ada@contoso.example", 1), row("ben@contoso.example", 2), row("cyd@contoso.example", 3)
	ben.Tokens = []legacy.Token{token("T-1", "12345678901234567890")}
	cyd.Tokens = ben.Tokens
	d := &directory{caps: engine(), users: []*cloud.User{person("a", ada.UPN, ""), person("b", ben.UPN, ""), person("c", cyd.UPN, "")},
		unread: map[cloud.UserID]*cloud.Error{"b": {Kind: cloud.Denied, Message: "user b cannot be read: Graph answers 403 accessDenied (request-id 7)"}}}
	out, sum, err := planAgainst(t, d, migrate.Options{}, ada, ben, cyd)
	if err != nil {
		t.Fatal(err)
	}
	hidden := out.of("ben@contoso.example")
	if hidden.Action != migrate.Skip || len(hidden.Changes) > 0 || hidden.Outlook != migrate.LockedOut || len(hidden.Findings) != 1 ||
		hidden.Findings[0].Code != migrate.UserUnreadable || hidden.Findings[0].Severity != migrate.SeverityError || !strings.Contains(hidden.Findings[0].Detail, "403 accessDenied (request-id 7)") {
		t.Errorf("%+v", hidden)
	}
	if got := out.of("ada@contoso.example"); got.Action != migrate.Modify || len(got.Findings) > 0 && slices.Contains(out.codes("ada@contoso.example"), migrate.UserUnreadable) {
		t.Errorf("%+v", got)
	}
	if codes := out.codes("cyd@contoso.example"); !slices.Contains(codes, migrate.TokenConflict) {
		t.Errorf("the token that the hidden user may have moves: %v", codes)
	}
	if sum.Users[migrate.Skip] != 1 || sum.Findings[migrate.UserUnreadable] != 1 {
		t.Errorf("%+v", sum)
	}
}

// A target that tells of nobody ends the plan; one that is away for a while is
// waited for, and somebody is told.
func TestPlanWaitsForItsTarget(t *testing.T) {
	rows := []legacy.User{row("ada@contoso.example", 1)}
	d := &directory{caps: engine(), users: []*cloud.User{person("a", "ada@contoso.example", "")}}
	d.down = func() error { return &cloud.Error{Kind: cloud.Denied, Message: "no"} }
	naps := &sleeper{}
	if _, _, err := planAgainst(t, d, migrate.Options{Sleep: naps.sleep}, rows...); cloud.KindOf(err) != cloud.Denied || len(naps.slept) > 0 {
		t.Errorf("refused: %v after %v", err, naps.slept)
	}
	calls, told := 0, 0
	d.down = func() error {
		if calls++; calls < 4 {
			return &cloud.Error{Kind: cloud.Throttled, Message: "later", RetryAfter: 30 * time.Second}
		}
		return nil
	}
	opt := migrate.Options{Sleep: naps.sleep, Waiting: func(cause error, pause time.Duration) {
		if told++; pause != 30*time.Second || cloud.KindOf(cause) != cloud.Throttled {
			t.Errorf("told %v, %v", cause, pause)
		}
	}}
	if out, _, err := planAgainst(t, d, opt, rows...); err != nil || told != 3 || out.of("ada@contoso.example").Action != migrate.Modify {
		t.Errorf("throttled for a while: %v, told %d times", err, told)
	}
	d.down = func() error { return &cloud.Error{Kind: cloud.Unavailable, Message: "away"} }
	if _, _, err := planAgainst(t, d, migrate.Options{Sleep: naps.sleep, Tries: 3}, rows...); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("away for good: %v", err)
	}
	d.down, d.err = nil, &cloud.Error{Kind: cloud.Unavailable, Message: "away"}
	naps.stop = func() { d.err = nil }
	if _, _, err := planAgainst(t, d, migrate.Options{Sleep: naps.sleep}, rows...); err != nil {
		t.Errorf("away while users are looked up: %v", err)
	}
}

// The first pass may take an hour where the target is far: it tells how far it is.
func TestPlanTellsOfHowManyItHasAsked(t *testing.T) {
	var rows []legacy.User
	for n := range 20 {
		rows = append(rows, row(fmt.Sprintf("user%d@contoso.example", n), n))
	}
	var told []int
	if _, _, err := planAgainst(t, &directory{caps: engine()}, migrate.Options{Asked: func(rows int) { told = append(told, rows) }}, rows...); err != nil || !slices.Equal(told, []int{7, 14, 20}) {
		t.Errorf("%v, %v", told, err)
	}
}

// That nobody knows who may take a role on is said once, in the plan.
func TestPlanSaysThatAdministratorsAreNotAllSeen(t *testing.T) {
	for result, want := range map[cloud.CheckResult]int{cloud.CheckUnknown: 1, cloud.CheckWarning: 1, cloud.CheckPassed: 0} {
		d := &directory{caps: engine(), users: []*cloud.User{person("a", "ada@contoso.example", "")}}
		out, sum, err := planAgainst(t, d, migrate.Options{Preflight: []cloud.Check{{Name: cloud.CheckEligible, Result: result, Detail: "not told", Action: "Grant it."},
			{Name: "oath.activation", Result: result, Detail: "x", Action: "y"}}}, row("ada@contoso.example", 1))
		if err != nil || len(out.problems) != want || sum.Findings[migrate.EligibleNotSeen] != want || want == 1 && out.problems[0].Detail != "not told. Grant it." {
			t.Errorf("%s: %+v, %v", result, out.problems, err)
		}
	}
}

// reticent is a target that tells of all users but some.
type reticent struct {
	*fakeDirectory
	unread map[cloud.UserID]*cloud.Error
	bin    map[cloud.UserID]bool // who was deleted and can be restored
	binErr error
}

func (d *reticent) Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	users, err := d.fakeDirectory.Read(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if d.unread[id] != nil {
			users[i] = cloud.User{}
		}
	}
	return users, unreadOf(d.unread, ids)
}

func (d *reticent) Restorable(_ context.Context, ids []cloud.UserID) ([]bool, error) {
	can := make([]bool, len(ids))
	for i, id := range ids {
		can[i] = d.bin[id]
	}
	return can, d.binErr
}

// One user whom the service fails at is one user's failure in apply, check and
// undo, and none of them waits for him for ever.
func TestOneUserWhomTheServiceFailsAt(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 5)
	who := p.decisions[2].Target
	hides := &reticent{fakeDirectory: d, unread: map[cloud.UserID]*cloud.Error{who: {Kind: cloud.Unavailable, Message: "Graph answers 500"}}}
	naps := &sleeper{}
	opt := migrate.ApplyOptions{Sleep: naps.sleep}
	if r, err := migrate.Apply(t.Context(), p, j, hides, opt); err != nil || r.Failed != 1 || r.Done != 4 || r.Verdict() != migrate.SomeLeft {
		t.Errorf("apply: %+v, %v", r, err)
	}
	found, _ := symbols(t, p, j, hides, false)
	if found["user02"] != migrate.Unknown || found["user01"] != migrate.Same {
		t.Errorf("check: %v", found)
	}
	clear(hides.unread)
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	hides.unread[who] = &cloud.Error{Kind: cloud.Unavailable, Message: "Graph answers 500"}
	u, said := undo(t, p, j, hides, migrate.UndoOptions{})
	if u.Failed != 1 || u.Done != 4 || !strings.Contains(said["user02 mobile"], "500") {
		t.Errorf("undo: %+v, %v", u, said)
	}
	clear(hides.unread)
	if u, _ := undo(t, p, j, hides, migrate.UndoOptions{}); u.Done != 1 || u.Failed != 0 {
		t.Errorf("undo goes on: %+v", u)
	}
	if len(naps.slept) > 0 {
		t.Errorf("waited %v", naps.slept)
	}
}

// A run ended while it wrote to somebody, who cannot be read since: the next one
// goes on behind that user, and forgets nothing.
func TestAnIntentOutlivesAUserWhoCannotBeRead(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 5)
	d.down = func() error { return &cloud.Error{Kind: cloud.Unavailable, Message: "gone"} }
	naps := &sleeper{}
	opt := migrate.ApplyOptions{Sleep: naps.sleep, Tries: 1}
	if _, err := migrate.Apply(t.Context(), p, j, d, opt); cloud.KindOf(err) != cloud.Unavailable {
		t.Fatal(err)
	}
	d.down = nil
	who := p.decisions[1].Target
	hides := &reticent{fakeDirectory: d, unread: map[cloud.UserID]*cloud.Error{who: {Kind: cloud.Denied, Message: "Graph answers 403"}}}
	var told []string
	opt.Each = func(e migrate.ChangeEvent) error {
		if e.Result.Outcome == cloud.Failed {
			told = append(told, fmt.Sprint(e.Username, " ", e.Change.Method, ": ", e.Result.Message))
		}
		return nil
	}
	r, err := migrate.Apply(t.Context(), p, j, hides, opt)
	if err != nil || r.Failed != 1 || r.Done != 4 || r.Verdict() != migrate.SomeLeft || len(told) != 2 || !strings.Contains(told[0], "user01 mobile: Graph answers 403; whether") {
		t.Errorf("%+v, %v, %q", r, err, told)
	}
	entries, err := j.Entries(t.Context(), p.decisions[1].Ordinal, p.decisions[1].Ordinal)
	if err != nil || len(entries) != 1 || !entries[0].Intended() {
		t.Errorf("the journal has %+v, %v", entries, err)
	}
	clear(hides.unread)
	if r, err := migrate.Apply(t.Context(), p, j, hides, opt); err != nil || r.Done != 5 {
		t.Errorf("told again: %+v, %v", r, err)
	}
}

// Who was deleted and can be restored has what the plan wrote: it is not undone
// until the user is back, or gone for good.
func TestUndoOfWhoCanBeRestored(t *testing.T) {
	for name, c := range map[string]struct {
		bin  bool
		err  error
		kept int
	}{
		"can":      {true, nil, 1},
		"gone":     {false, nil, 0},
		"not told": {false, &cloud.Error{Kind: cloud.Denied, Message: "403"}, 1},
	} {
		d, j := newDirectory(), newJournal()
		p := sampleUsers(d, 5)
		who := p.decisions[1].Target
		applyOK(t, p, j, d, migrate.ApplyOptions{})
		away := d.users[who]
		delete(d.users, who)
		bin := &reticent{fakeDirectory: d, bin: map[cloud.UserID]bool{who: c.bin}, binErr: c.err}
		r, said := undo(t, p, j, bin, migrate.UndoOptions{})
		if r.Kept != c.kept || r.Failed != 0 || strings.Contains(said["user01 mobile"], "restores the user") != (c.kept == 1) {
			t.Errorf("%s: %+v, %v", name, r, said)
		}
		if c.kept == 0 {
			continue
		}
		d.users[who], bin.binErr = away, nil
		if r, said := undo(t, p, j, bin, migrate.UndoOptions{}); r.Done != 1 || away.Mobile != "" {
			t.Errorf("%s, restored: %+v, %v", name, r, said)
		}
	}
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 5)
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	delete(d.users, p.decisions[1].Target)
	bin := &reticent{fakeDirectory: d, binErr: &cloud.Error{Kind: cloud.Unavailable, Message: "away"}}
	if _, err := migrate.Undo(t.Context(), p, j, bin, migrate.UndoOptions{ApplyOptions: migrate.ApplyOptions{Sleep: (&sleeper{}).sleep}}); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("away: %v", err)
	}
}

// One user at whose changes the service fails each time keeps the intent and
// counts as failed; the run goes on, and so does undo.
func TestOneUserWhomTheServiceCannotServe(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 9)
	who := p.decisions[1].Target
	failing := func(c cloud.Change) error {
		if c.User == who && c.Method == cloud.Mobile {
			return &cloud.Error{Kind: cloud.Unavailable, Alone: true, Message: "Graph answers 500"}
		}
		return nil
	}
	d.fail = failing
	naps := &sleeper{}
	opt := migrate.ApplyOptions{Sleep: naps.sleep}
	for range 2 { // again and again
		if r, err := migrate.Apply(t.Context(), p, j, d, opt); err != nil || r.Failed != 1 || r.Done != 8 || r.Verdict() != migrate.SomeLeft || len(naps.slept) > 0 {
			t.Errorf("apply: %+v, %v, waited %v", r, err, naps.slept)
		}
		if entries, err := j.Entries(t.Context(), p.decisions[1].Ordinal, p.decisions[1].Ordinal); err != nil || len(entries) != 1 || !entries[0].Intended() {
			t.Errorf("the journal has %+v, %v", entries, err)
		}
	}
	d.fail = nil
	if r := applyOK(t, p, j, d, opt); r.Done != 9 {
		t.Errorf("served again: %+v", r)
	}
	d.fail = failing
	u, said := undo(t, p, j, d, migrate.UndoOptions{})
	if u.Failed != 1 || u.Done != 8 || !strings.Contains(said["user01 mobile"], "500") {
		t.Errorf("undo: %+v, %v", u, said)
	}
	d.fail = nil
	if u, _ := undo(t, p, j, d, migrate.UndoOptions{}); u.Done != 1 || u.Failed+u.Kept != 0 || d.users[who].Mobile != "" {
		t.Errorf("undo goes on: %+v", u)
	}
}
