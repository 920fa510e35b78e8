package migrate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/legacy"
	"mfabridge/migrate"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// Every finding of a user says which row it is about: the user's own, or that
// of the device or token.
func TestFindingsHaveTheirPlace(t *testing.T) {
	u := row("ada", 1)
	u.Place = legacy.Place{File: "users.csv", Line: 7}
	u.Mode, u.PhoneAppMode, u.StaticTokenSet = legacy.ModePhoneApp, "pin", true
	u.Devices = []legacy.Device{{Name: "old", NotificationType: "c2dm", Place: legacy.Place{File: "devices.csv", Line: 3}}}
	u.Tokens = []legacy.Token{{Serial: "S1", Place: legacy.Place{File: "tokens.csv", Line: 4, Column: 9}}}
	var out sheet
	if _, err := migrate.Inspect(t.Context(), &export{users: []legacy.User{u}}, migrate.Options{Now: now, Activity: true}, &out); err != nil {
		t.Fatal(err)
	}
	got := map[migrate.Code]string{}
	for _, f := range out.decisions[0].Findings {
		got[f.Code] = f.Place
	}
	want := map[migrate.Code]string{
		migrate.UserInactive: "users.csv:7", migrate.TokenNoSecret: "tokens.csv:4:9", migrate.DevicePlatformDead: "devices.csv:3",
		migrate.DeviceNoSecret: "devices.csv:3", migrate.PushNeedsActivation: "users.csv:7", migrate.PINNotMoved: "users.csv:7",
		migrate.StaticTokenNotMoved: "users.csv:7", migrate.DefaultMethodChanged: "users.csv:7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Users are called inactive only where there is a report that could know them.
func TestInactiveUsers(t *testing.T) {
	seen := row("seen", 1)
	seen.Activity = legacy.Activity{Attempts: 1}
	off := row("off", 3)
	off.Enabled = false
	for _, known := range []bool{true, false} {
		var out sheet
		_, err := migrate.Inspect(t.Context(), &export{users: []legacy.User{seen, row("unseen", 2), off}}, migrate.Options{Now: now, Activity: known}, &out)
		if err != nil {
			t.Fatal(err)
		}
		for name, inactive := range map[string]bool{"seen": false, "unseen": known, "off": false} {
			if got := strings.Contains(fmt.Sprint(out.codes(name)), string(migrate.UserInactive)); got != inactive {
				t.Errorf("report %v: %s is inactive: %v", known, name, got)
			}
		}
	}
}

func TestActivationsByPlatformAndAge(t *testing.T) {
	made := time.Date(2024, 9, 28, 0, 0, 0, 0, time.UTC)
	u := row("ada", 1)
	for i, d := range []struct {
		push string
		at   time.Time
	}{
		{"apns", made}, {"apns", made.AddDate(0, 0, 1)}, {"apns", made.AddDate(-1, 0, 0)}, {"apns", made.AddDate(-1, 0, -1)},
		{"gcm", made.AddDate(-2, 0, -1)}, {"fcm", made.AddDate(-3, 0, -1)}, {"c2dm", time.Time{}}, {"mpns", made}, {"bps", made}, {"", made}, {"smoke", made},
	} {
		u.Devices = append(u.Devices, legacy.Device{Name: fmt.Sprint(i), NotificationType: d.push, Activated: d.at})
	}
	sum, err := migrate.Inspect(t.Context(), &export{users: []legacy.User{u}}, migrate.Options{Now: made.AddDate(2, 0, 0), ExportTime: made}, &sheet{})
	if err != nil {
		t.Fatal(err)
	}
	type ages = map[migrate.Age]int
	want := map[migrate.Platform]ages{
		migrate.PlatformIOS:          {migrate.AgeOneYear: 3, migrate.AgeTwoYears: 1},
		migrate.PlatformAndroid:      {migrate.AgeThreeYears: 1, migrate.AgeOlder: 1},
		migrate.PlatformOldAndroid:   {migrate.AgeUnknown: 1},
		migrate.PlatformWindowsPhone: {migrate.AgeOneYear: 1},
		migrate.PlatformBlackBerry:   {migrate.AgeOneYear: 1},
		migrate.PlatformUnknown:      {migrate.AgeOneYear: 1},
		migrate.PlatformOther:        {migrate.AgeOneYear: 1},
	}
	if diff := cmp.Diff(want, sum.Activated); diff != "" {
		t.Error(diff)
	}
}

// listing takes findings of two codes, in the order of an export.
func listing(t *testing.T, most int) *migrate.Listing {
	t.Helper()
	l := migrate.NewListing(most, t.TempDir())
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range 5 {
		d := migrate.Decision{Ordinal: i, Username: fmt.Sprintf("user%d", i), Findings: []migrate.Finding{
			{Code: migrate.PhoneUnverified, Severity: migrate.SeverityInfo, Detail: "d", Action: "A.", Place: fmt.Sprintf("users.csv:%d", i)},
			{Code: migrate.NoFactorAfterApply, Severity: migrate.SeverityError, Detail: "e", Action: "B.", Place: fmt.Sprintf("users.csv:%d", i)},
		}}
		if err := l.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	f := migrate.Finding{Code: migrate.ColumnUnknown, Severity: migrate.SeverityInfo, Field: "Pin\x1b[31m", Detail: "x", Place: "users.csv:1:9"}
	if err := l.Problem(f); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestListing(t *testing.T) {
	for _, c := range []struct{ most, kept int }{{0, 11}, {2, 5}, {5, 11}} {
		l := listing(t, c.most)
		var got []migrate.Listed
		for f, err := range l.Findings() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, f)
		}
		if len(got) != c.kept || l.Count(migrate.PhoneUnverified) != 5 {
			t.Fatalf("at most %d: kept %d of %d", c.most, len(got), l.Count(migrate.PhoneUnverified))
		}
		first, last := got[0], got[len(got)-1]
		if first.Code != migrate.NoFactorAfterApply || first.Username != "user0" || got[1].Username != "user1" || last.Code != migrate.ColumnUnknown {
			t.Errorf("at most %d: out of order: %v", c.most, got)
		}
	}
}

func TestInspectionText(t *testing.T) {
	var b bytes.Buffer
	var o migrate.Overview
	o.Summary = migrate.NewSummary()
	o.Summary.Severity = map[migrate.Severity]int{migrate.SeverityError: 5, migrate.SeverityInfo: 6}
	if err := migrate.InspectionText(&b, o, listing(t, 2)); err != nil {
		t.Fatal(err)
	}
	want := `
ERRORS: somebody is locked out, let in or left behind if nothing is done

  NO_FACTOR_AFTER_APPLY, 5
  to do: B.
    users.csv:0: user0: e
    users.csv:1: user1: e
    and 3 more (--all lists them)

GOOD TO KNOW

  PHONE_UNVERIFIED, 5
  to do: A.
    users.csv:0: user0: d
    users.csv:1: user1: d
    and 3 more (--all lists them)

  COLUMN_UNKNOWN, 1
    users.csv:1:9: Pin\u001b[31m: x
`
	_, got, _ := strings.Cut(b.String(), "findings      error 5, info 6\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\nall of it:\n%s", diff, b.String())
	}
	if !strings.HasPrefix(b.String(), "devices with a usable code secret: 0 of 0\n\noutlook of 0 users\n") {
		t.Errorf("it begins with:\n%.200s", b.String())
	}
}

func TestInspectionJSON(t *testing.T) {
	_, sum, out := accepting(t, "NO_FACTOR_AFTER_APPLY,one,leaves,Dana\n")
	var b bytes.Buffer
	j := migrate.NewInspectionJSON(&b)
	for _, d := range out.decisions {
		if err := j.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range out.problems {
		if err := j.Problem(f); err != nil {
			t.Fatal(err)
		}
	}
	o := migrate.Overview{Summary: sum}
	o.Settings.RadiusClients = []legacy.RadiusClient{{Name: "vpn"}}
	if err := j.Overview(o); err != nil {
		t.Fatal(err)
	}
	var types []string
	for line := range strings.Lines(b.String()) {
		var v struct {
			Type     string
			Findings any
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		types = append(types, v.Type)
	}
	if diff := cmp.Diff([]string{"user", "user", "user", "finding", "finding", "radius_client", "summary"}, types); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{
		`"accepted":{"reason":"leaves","approver":"Dana"}`, `"place":"users.csv:30"`, `"field":""`,
		`"accepted":{"NO_FACTOR_AFTER_APPLY":1}`, `"activations":{}`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing in:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("null in:\n%s", b.String())
	}
}
