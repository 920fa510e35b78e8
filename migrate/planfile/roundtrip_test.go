package planfile_test

import (
	"fmt"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

// canary is planted as a secret; no output may hold it in any form.
const canary = "CANARY-seed-0123456789"

func change(id cloud.UserID, upn string, op cloud.Op, m cloud.Method, mid string, before, after cloud.Value) migrate.PlannedChange {
	return migrate.PlannedChange{Change: cloud.Change{User: id, UPN: upn, Op: op, Method: m, ID: mid, Before: before, After: after}, Reason: "why " + string(m)}
}

// decisions hold every kind of value once. Everything in them is synthetic.
func decisions() []migrate.Decision {
	const a, b = "ada@contoso.example", "bob@contoso.example"
	until := time.Date(2027, 2, 1, 8, 30, 0, 123, time.UTC)
	oath := &cloud.OATH{Name: "Ada's phone \u202e", Serial: "MFB-ABCDEFGH", Manufacturer: "mfabridge", Model: "app", Algorithm: cloud.SHA256,
		Digits: 8, Period: 60, Drift: -3, Secret: secret.FromString(canary), Fingerprint: "ABCDEFGHIJKLMNOP"}
	profile := &cloud.Profile{UPN: a, DisplayName: "Ada \"the first\"", Aliases: []string{"CONTOSO\\ada", "ada"}, SID: "S-1-5-21-1", Enabled: true}
	ada := migrate.Decision{Ordinal: 0, Username: "ada", UPN: a, MatchedBy: "created", Action: migrate.Create, Outlook: migrate.Works,
		Changes: []migrate.PlannedChange{
			change("", a, cloud.Add, cloud.Account, "", cloud.Value{}, cloud.Value{Profile: profile}),
			change("", a, cloud.Add, cloud.Mobile, "", cloud.Value{}, cloud.TextValue("+44 2079460012")),
			change("", a, cloud.Add, cloud.SoftwareOATH, "", cloud.Value{}, cloud.Value{OATH: oath}),
			change("", a, cloud.Set, cloud.DefaultMethod, "", cloud.Value{}, cloud.TextValue("oath")),
		}}
	bob := migrate.Decision{Ordinal: 3, Username: "bob", UPN: b, Target: "id-bob", MatchedBy: "upn", Wave: "one", Action: migrate.Modify,
		Outlook: migrate.MustAct, Facts: []migrate.Fact{{Name: "upn", Value: b}, {Name: "mobile", Value: "+1 4255550100"}},
		Findings: []migrate.Finding{{Code: "PHONE_SHARED", Severity: migrate.SeverityInfo, Field: "Phone", Detail: "shared with ada", Action: "Ask."},
			{Code: "PHONE_SHARED", Severity: migrate.SeverityInfo, Field: "BackupPhone", Detail: "shared", Action: "Ask."}},
		Changes: []migrate.PlannedChange{
			change("id-bob", b, cloud.Update, cloud.Office, "p3", cloud.TextValue("+1 4255550100x12"), cloud.TextValue("+1 4255550101x34")),
			change("id-bob", b, cloud.Add, cloud.Email, "", cloud.Value{}, cloud.TextValue("robert.private@fabrikam.example")),
			change("id-bob", b, cloud.Set, cloud.Blocked, "", cloud.Value{}, cloud.Value{Until: until}),
			change("id-bob", b, cloud.Remove, cloud.Authenticator, "a1", cloud.Value{State: "expired"}, cloud.Value{}),
		}}
	bob.Changes[3].Irreversible = true
	return []migrate.Decision{ada, bob, {Ordinal: 4, Username: "eve", Action: migrate.Skip, Outlook: migrate.LockedOut}}
}

func problems() []migrate.Finding {
	return []migrate.Finding{{Code: "ROW_INVALID", Severity: migrate.SeverityError, Field: "Phone", Place: "users.csv:12:5", Detail: "too many columns", Action: "Mend the row."}}
}

func header() migrate.Header {
	return migrate.Header{ToolVersion: "1.2.3", PlanID: "plan-1", Created: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		Target:  migrate.Target{Given: "sqlite:cloud.db", Instance: "i-1", Product: "test", Existed: true},
		Inputs:  []migrate.Input{{Name: "users.csv", SHA256: "00"}},
		Options: map[string]string{"default-country": "GB"}, Capabilities: cloud.Capabilities{Instance: "i-1", Batch: 7}, PhoneMetadata: "v1",
		Accepted: []migrate.Acceptance{{Code: "ROW_INVALID", User: "users.csv:12:5", Reason: "known, <so>", Approver: "Dana", Line: 2}}}
}

func summary() migrate.Summary {
	s := migrate.NewSummary()
	s.Users[migrate.Create], s.Users[migrate.Modify], s.Users[migrate.Skip] = 1, 1, 1
	s.Outlook[migrate.Works] = 1
	s.Changes[cloud.Add] = 5
	s.Devices, s.DevicesWithSecret = 3, 2
	return s
}

// makePlan writes decisions() and problems() and returns where.
func makePlan(tb testing.TB) (path, digest string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "plan #1?.db")
	w, err := planfile.Create(path, header(), planfile.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	defer w.Abort()
	for _, d := range decisions() {
		if err := w.Add(d); err != nil {
			tb.Fatal(err)
		}
	}
	for _, f := range problems() {
		if err := w.Problem(f); err != nil {
			tb.Fatal(err)
		}
	}
	if digest, err = w.Finish(summary()); err != nil {
		tb.Fatal(err)
	}
	return path, digest
}

func open(tb testing.TB, path string) *planfile.Plan {
	tb.Helper()
	p, err := planfile.Open(path, planfile.KeyPath(path))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Close() })
	return p
}

func collect[T any](tb testing.TB, seq iter.Seq2[T, error]) []T {
	tb.Helper()
	var all []T
	for v, err := range seq {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// dump is every field of a decision in text, secrets too: Value.Equal, which
// go-cmp would use, leaves some out.
func dump(d migrate.Decision) []string {
	lines := []string{fmt.Sprint(d.Ordinal, d.Username, d.UPN, d.Target, d.MatchedBy, d.Wave, d.Action, d.Outlook)}
	value := func(v cloud.Value) string {
		s := fmt.Sprintf("text %q state %q until %v", v.Text, v.State, v.Until)
		if o := v.OATH; o != nil {
			s += fmt.Sprintf(" oath %q %q %q %q %q %d %d %d %q %q", o.Name, o.Serial, o.Manufacturer, o.Model, o.Algorithm, o.Digits, o.Period, o.Drift, o.Secret.Reveal(), o.Fingerprint)
		}
		if v.Profile != nil {
			s += fmt.Sprintf(" profile %+v", *v.Profile)
		}
		return s
	}
	for _, c := range d.Changes {
		lines = append(lines, fmt.Sprint("change ", c.User, c.UPN, c.Op, c.Method, c.ID, c.Reason, c.Irreversible), value(c.Before), value(c.After))
	}
	for _, f := range d.Findings {
		lines = append(lines, fmt.Sprintf("finding %+v", f))
	}
	for _, f := range d.Facts {
		lines = append(lines, fmt.Sprintf("fact %+v", f))
	}
	return lines
}

func dumps(ds []migrate.Decision) []string {
	var all []string
	for _, d := range ds {
		all = append(all, dump(d)...)
	}
	return all
}

func TestRoundTrip(t *testing.T) {
	path, digest := makePlan(t)
	p := open(t, path)
	if diff := cmp.Diff(dumps(decisions()), dumps(collect(t, p.Users(t.Context(), migrate.Revealed)))); diff != "" {
		t.Errorf("decisions differ:\n%s", diff)
	}
	if diff := cmp.Diff(problems(), collect(t, p.Problems(t.Context()))); diff != "" {
		t.Errorf("problems differ:\n%s", diff)
	}
	if diff := cmp.Diff(header(), p.Header()); diff != "" {
		t.Errorf("header differs:\n%s", diff)
	}
	if diff := cmp.Diff(summary(), p.Summary()); diff != "" {
		t.Errorf("summary differs:\n%s", diff)
	}
	if p.Digest() != digest || len(digest) != 64 {
		t.Errorf("digest %q, Finish said %q", p.Digest(), digest)
	}
	if !p.Sealed() {
		t.Error("the seal was checked and Sealed says no")
	}
}

func TestMaskedWithoutKey(t *testing.T) {
	path, _ := makePlan(t)
	p, err := planfile.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Sealed() {
		t.Error("Sealed without a key")
	}
	users := collect(t, p.Users(t.Context(), migrate.Masked))
	want := decisions()
	for i := range want {
		for k := range want[i].Changes {
			c := &want[i].Changes[k]
			c.Before, c.After = migrate.MaskValue(c.Method, c.Before), migrate.MaskValue(c.Method, c.After)
		}
		for k := range want[i].Facts {
			want[i].Facts[k] = migrate.MaskFact(want[i].Facts[k])
		}
	}
	if diff := cmp.Diff(dumps(want), dumps(users)); diff != "" {
		t.Errorf("masked decisions differ:\n%s", diff)
	}
	if got := users[0].Changes[1].After.Text; got != "+44 ********12" {
		t.Errorf("masked mobile is %q", got)
	}
	for _, err := range p.Users(t.Context(), migrate.Revealed) {
		if err == nil {
			t.Error("values were revealed without a key")
		}
	}
}

// What is asked for one wave leaves the other users out, and does not open
// what is sealed of them; rows of no user are complained about all the same.
func TestUsersInWave(t *testing.T) {
	path, _ := makePlan(t)
	all := decisions()
	for wave, want := range map[string][]migrate.Decision{"one": {all[1]}, "": {all[0], all[2]}, "none such": nil} {
		if diff := cmp.Diff(dumps(want), dumps(collect(t, open(t, path).UsersIn(t.Context(), migrate.Revealed, wave)))); diff != "" {
			t.Errorf("wave %q differs:\n%s", wave, diff)
		}
	}
	alter(t, path, `UPDATE users SET sealed = x'00' WHERE ordinal = 0`)
	p, err := planfile.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := collect(t, p.UsersIn(t.Context(), migrate.Masked, "one")); len(got) != 1 {
		t.Errorf("beside a damaged user: %d", len(got))
	}
	alter(t, path, `INSERT INTO changes SELECT 99, seq, op, method, id, before, after, reason, irreversible FROM changes WHERE ordinal = 0`)
	for _, wave := range []string{"one", ""} {
		failed := false
		for _, err := range p.UsersIn(t.Context(), migrate.Masked, wave) {
			failed = failed || err != nil
		}
		if !failed {
			t.Errorf("wave %q: rows of no user were passed over", wave)
		}
	}
}
