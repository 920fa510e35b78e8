package planfile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

// sampleUser makes the decision about user i: three changes, a finding on
// every second user, what apply looks at again. All of it is synthetic.
func sampleUser(i int) migrate.Decision {
	upn := fmt.Sprintf("user%06d@contoso.example", i)
	id := cloud.UserID("u-" + strconv.Itoa(i))
	d := migrate.Decision{
		Ordinal: i, Username: fmt.Sprintf("CONTOSO\\user%06d", i), UPN: upn, Target: id, MatchedBy: "upn",
		Action: migrate.Modify, Outlook: migrate.Works,
		Changes: []migrate.PlannedChange{
			{Change: cloud.Change{User: id, UPN: upn, Op: cloud.Add, Method: cloud.Mobile,
				After: cloud.TextValue(fmt.Sprintf("+44 20794600%02d", i%100))}, Reason: "Phone"},
			{Change: cloud.Change{User: id, UPN: upn, Op: cloud.Add, Method: cloud.SoftwareOATH,
				After: cloud.Value{OATH: &cloud.OATH{Name: "Phone of user", Serial: fmt.Sprintf("MFB-%016d", i), Manufacturer: "mfabridge", Model: "app",
					Algorithm: cloud.SHA1, Digits: 6, Period: 30, Secret: secret.New(fmt.Appendf(nil, "synthetic-seed-%06d", i)), Fingerprint: fmt.Sprintf("%016d", i)}}}, Reason: "device"},
			{Change: cloud.Change{User: id, UPN: upn, Op: cloud.Set, Method: cloud.DefaultMethod,
				After: cloud.TextValue("oath")}, Reason: "Mode oathToken"},
		},
		Facts: migrate.FactsOf(&cloud.User{ID: id, Profile: cloud.Profile{UPN: upn}}),
	}
	if i%2 == 0 {
		d.Findings = []migrate.Finding{{Code: "PUSH_NEEDS_ACTIVATION", Severity: migrate.SeverityWarning, Field: "Mode",
			Detail: "push cannot be carried over to another app", Action: "Send the user an invitation."}}
	}
	return d
}

// taker is a target that takes every change but those that fail names, and
// keeps nothing: its users are as the plan found them.
type taker struct {
	batch int
	fail  func(cloud.Change) bool
	calls int
}

func (d *taker) Capabilities(context.Context) (cloud.Capabilities, error) {
	return cloud.Capabilities{Instance: "i-1", Batch: d.batch}, nil
}

func (d *taker) Find(_ context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	return make([][]cloud.UserID, len(keys)), nil
}

func (d *taker) Read(_ context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	users := make([]cloud.User, len(ids))
	for i, id := range ids {
		n, err := strconv.Atoi(string(id[2:]))
		if err != nil {
			return nil, &cloud.Error{Kind: cloud.Invalid, Message: "no such id"}
		}
		users[i] = cloud.User{ID: id, Profile: cloud.Profile{UPN: fmt.Sprintf("user%06d@contoso.example", n)}}
	}
	return users, nil
}

func (d *taker) Write(_ context.Context, changes []cloud.Change) []cloud.Result {
	d.calls++
	results := make([]cloud.Result, len(changes))
	for i, c := range changes {
		results[i].Outcome = cloud.Done
		if d.fail != nil && d.fail(c) {
			results[i] = cloud.Result{Outcome: cloud.Failed, Err: &cloud.Error{Kind: cloud.Conflict, Message: "the serial number is taken"}}
		}
	}
	return results
}

// A plan goes through its file and its journal, is resumed, and leaves no
// secret behind.
func TestApplyThroughFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.db")
	w, err := planfile.Create(path, header(), planfile.Options{})
	must(t, err)
	defer w.Abort()
	s := migrate.NewSummary()
	for i := range 50 {
		d := sampleUser(i)
		d.Changes[1].After.OATH.Secret = secret.FromString(canary)
		must(t, w.Add(d))
		s.Users[migrate.Modify]++
	}
	_, err = w.Finish(s)
	must(t, err)
	p := open(t, path)
	d := &taker{batch: 10, fail: func(c cloud.Change) bool { return c.UPN == "user000007@contoso.example" && c.Method.IsOATH() }}
	for run, want := range []migrate.ApplyResult{
		{Run: 1, Total: 50, Done: 49, Failed: 1, Written: 50},
		{Run: 2, Total: 50, Done: 50, Written: 1},
		{Run: 3, Total: 50, Done: 50},
	} {
		j := openJournal(t, p)
		got, err := migrate.Apply(t.Context(), p, j, d, migrate.ApplyOptions{})
		must(t, err)
		got.Changes = nil
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("run %d: %+v, want %+v", run+1, got, want)
		}
		for _, name := range names(t, filepath.Dir(path)) {
			searchCanary(t, name, read(t, filepath.Join(filepath.Dir(path), name)))
		}
		must(t, j.Close())
		d.fail = nil
	}
	if d.calls != 18 { // 17 batches of 3 users, and one more
		t.Errorf("%d calls", d.calls)
	}
	if _, err := os.Stat(planfile.JournalPath(path)); err != nil {
		t.Error(err)
	}
}
