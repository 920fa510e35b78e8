package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// symbols checks and returns what was found, by username.
func symbols(t *testing.T, p migrate.PlanReader, j migrate.JournalReader, d cloud.DirectoryReader, all bool) (map[string]migrate.Symbol, migrate.CheckResult) {
	t.Helper()
	found := map[string]migrate.Symbol{}
	r, err := migrate.Check(t.Context(), p, j, d, migrate.CheckOptions{All: all, Sleep: (&sleeper{}).sleep,
		Each: func(u migrate.UserCheck) error { found[u.Username] = u.Symbol; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return found, r
}

func TestCheck(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 6)
	p.decisions = append(p.decisions, migrate.Decision{Ordinal: 50, Username: "skipped", Action: migrate.Skip},
		migrate.Decision{Ordinal: 51, Username: "keep", Target: "id-user01", Action: migrate.Keep},
		migrate.Decision{Ordinal: 52, Username: "gone", Target: "id-gone", Action: migrate.Keep})

	if found, r := symbols(t, p, j, d, false); r.Total() != 0 || len(found) != 0 || r.Different() || r.Failed() {
		t.Errorf("nothing is due, and found are %v", found)
	}
	found, r := symbols(t, p, j, d, true)
	want := map[string]migrate.Symbol{"user00": "+", "user01": "+", "user02": "+", "user03": "+", "user04": "+", "user05": "+", "keep": "=", "gone": "+"}
	if diff := cmp.Diff(want, found); diff != "" || !r.Different() {
		t.Errorf("before apply:\n%s", diff)
	}

	d.users["id-user05"].Mobile = "+1 4255550199" // stale
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	d.users["id-user01"].Mobile = "+1 4255550188"
	d.users["id-user02"].OATH = nil
	delete(d.users, "id-user04")
	found, r = symbols(t, p, j, d, false)
	want = map[string]migrate.Symbol{"user00": "=", "user01": "*", "user02": "+", "user03": "=", "user04": "+", "user05": "*"}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("after apply:\n%s", diff)
	}
	if diff := cmp.Diff(map[migrate.Symbol]int{"=": 2, "+": 2, "*": 2}, r.Users); diff != "" || !r.Different() || r.Failed() {
		t.Errorf("result:\n%s", diff)
	}
}

func TestCheckExtraAndBoth(t *testing.T) {
	d := newDirectory()
	p := sampleUsers(d, 2)
	o := cloud.OATH{Serial: "old", Algorithm: cloud.SHA1, Digits: 6, Period: 30}
	d.users["id-user01"].OATH = []cloud.OATHEntry{{ID: "o-old", Method: cloud.HardwareOATH, OATH: o}}
	d.users["id-user01"].Mobile, d.users["id-user01"].Default = "+1 4255550101", "oath"
	c := planned(&p.decisions[1], cloud.Remove, cloud.HardwareOATH, cloud.Value{OATH: &o}, cloud.Value{})
	c.ID = "o-old"
	p.decisions[1].Changes = append(p.decisions[1].Changes, c)
	if found, _ := symbols(t, p, newJournal(), d, true); found["user01"] != migrate.Extra {
		t.Errorf("what is to be removed: %q", found["user01"])
	}
	d.users["id-user01"].Mobile = ""
	if found, _ := symbols(t, p, newJournal(), d, true); found["user01"] != migrate.Differs {
		t.Errorf("one missing, one extra: %q", found["user01"])
	}
}

func TestCheckUnreadable(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := sampleUsers(d, 6)
	applyOK(t, p, j, d, migrate.ApplyOptions{})
	d.users["twin"] = &cloud.User{ID: "twin", Profile: cloud.Profile{UPN: "user00@contoso.example"}}
	d.readErr = func(id cloud.UserID) error {
		if id == "id-user02" {
			return &cloud.Error{Kind: cloud.Denied, Message: "not this one"}
		}
		return nil
	}
	if found, _ := symbols(t, p, nil, d, true); found["user00"] != migrate.Unknown {
		t.Errorf("one of two users of a name: %q", found["user00"])
	}
	found, r := symbols(t, p, j, d, false) // now the journal knows which of them the plan made
	want := map[string]migrate.Symbol{"user00": "=", "user01": "=", "user02": "!", "user03": "=", "user04": "=", "user05": "="}
	if diff := cmp.Diff(want, found); diff != "" || !r.Failed() || r.Different() {
		t.Errorf("found:\n%s", diff)
	}
	d.readErr = func(cloud.UserID) error { return &cloud.Error{Kind: cloud.Unavailable, Message: "away"} }
	if _, err := migrate.Check(t.Context(), p, j, d, migrate.CheckOptions{Sleep: (&sleeper{}).sleep}); err == nil || cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("a target that is away: %v", err)
	}
	if _, err := migrate.Check(t.Context(), &fakePlan{instance: "i-2"}, j, d, migrate.CheckOptions{}); err == nil {
		t.Error("another target was checked")
	} else if _, ok := errors.AsType[*migrate.WrongTargetError](err); !ok {
		t.Errorf("another target: %v", err)
	}
}

func TestReportLines(t *testing.T) {
	var b bytes.Buffer
	r := migrate.NewReport(&b, false)
	number := cloud.TextValue("+44 2079460012")
	for _, err := range []error{
		r.Changed(migrate.ChangeEvent{Username: "ada", Change: migrate.PlannedChange{Change: cloud.Change{Op: cloud.Add, Method: cloud.Mobile, After: number}},
			Result: migrate.ChangeResult{Outcome: cloud.Done}}),
		r.Changed(migrate.ChangeEvent{Username: "e\u202eve", Change: migrate.PlannedChange{Change: cloud.Change{Op: cloud.Set, Method: cloud.DefaultMethod}},
			Result: migrate.ChangeResult{Outcome: cloud.Failed, Message: "no\u009b2J"}}),
		r.ApplySummary(migrate.ApplyResult{Run: 2, Total: 3, Done: 2, Failed: 1, Written: 1, Changes: map[cloud.Outcome]int{cloud.Done: 5}}, "abc"),
		r.Checked(migrate.UserCheck{Username: "ada", UPN: "ada@contoso.example", Symbol: migrate.Missing,
			Differences: []migrate.Difference{{Method: cloud.Mobile, Expected: number}}}),
		r.Checked(migrate.UserCheck{Username: "bob", Symbol: migrate.Unknown, Err: errors.New("raw +44 2079460012")}),
		r.CheckSummary(migrate.CheckResult{Users: map[migrate.Symbol]int{"+": 1}}),
		r.CheckSummary(migrate.CheckResult{}),
		r.Flush(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := `{"type":"change","username":"ada","method":"mobile","op":"add","result":"done","error":null}
{"type":"change","username":"e\u202eve","method":"defaultMethod","op":"set","result":"failed","error":"no\u009b2J"}
{"type":"summary","digest":"abc","run":2,"users":{"done":2,"failed":1,"left":0,"stale":0,"total":3,"written":1},"changes":{"done":5}}
{"type":"user","username":"ada","upn":"ada@contoso.example","symbol":"+","differences":[{"method":"mobile","expected":"+44 ********12","found":null}]}
{"type":"user","username":"bob","upn":"","symbol":"!","differences":[],"error":"unexpected error (*errors.errorString)"}
{"type":"summary","checked":1,"symbols":{"+":1}}
{"type":"summary","checked":0,"symbols":{}}
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// What apply has written and a Read misses is looked at again; what was
// changed since is not waited for without an end.
func TestCheckWaitsForWhatIsSeenLate(t *testing.T) {
	for name, c := range map[string]struct {
		delayed bool
		reads   int // after so many, everything is seen
		want    migrate.Symbol
		waited  time.Duration
	}{
		"seen at the second look":      {true, 2, migrate.Same, 2 * time.Second},
		"seen at the last":             {true, 5, migrate.Same, 30 * time.Second},
		"never seen":                   {true, 99, migrate.Missing, 30 * time.Second},
		"a target that is not delayed": {false, 2, migrate.Missing, 0},
	} {
		d, j := newDirectory(), newJournal()
		d.delayed = c.delayed
		p := sampleUsers(d, 3)
		applyOK(t, p, j, d, migrate.ApplyOptions{})
		whole := *d.users["id-user01"]
		d.users["id-user01"] = &cloud.User{ID: whole.ID, Profile: whole.Profile}
		reads := 0
		d.readErr = func(id cloud.UserID) error {
			if id == "id-user01" {
				if reads++; reads == c.reads {
					d.users[id] = &whole
				}
			}
			return nil
		}
		var waited time.Duration
		found := map[string]migrate.Symbol{}
		_, err := migrate.Check(t.Context(), p, j, d, migrate.CheckOptions{
			Sleep: func(_ context.Context, d time.Duration) error { waited += d; return nil },
			Each:  func(u migrate.UserCheck) error { found[u.Username] = u.Symbol; return nil }})
		if err != nil || found["user01"] != c.want || found["user00"] != migrate.Same || waited != c.waited {
			t.Errorf("%s: %v after %v, %v", name, found, waited, err)
		}
	}
}
