package legacy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/legacy"
)

func TestActivity(t *testing.T) {
	e := open(t, files{
		"users.csv": "Username,UserPrincipalName,Enabled\nada,ada@contoso.example,\nben,,\nBEN,,\nbad,,maybe\neve,eve@contoso.example,\nidle,,\n",
		"activity.csv": "Application_Name,time stamp,USER NAME,authentication-method,Authentication Type,Primary Call Phone Number,Odd\n" +
			"VPN,2024-09-01T10:00:00Z,ADA,Phone Call,radius,425-555-0100,x\n" +
			"Citrix,2024-09-03 10:00:00,ada,Mobile App,radius,,\n" +
			"VPN,2024-09-02T10:00:00,ada,Phone Call,radius,,\n" +
			"VPN,2024-09-05T10:00:00+02:00,Ada@Contoso.example,OATH Token,iis,,\n" +
			",2024-09-06T10:00:00Z,ghost,,radius,,\n" +
			"VPN,2024-09-06T10:00:00Z,ben,,radius,,\n" +
			"VPN,2024-09-06T10:00:00Z,bad,,radius,,\n" +
			"VPN,01/02/2024,eve,,radius,,\n" +
			"VPN,,eve,,radius,,\nVPN,2024-09-06T10:00:00Z,,,radius,,\nVPN,0001-09-06T10:00:00Z,eve,,radius,,\n" + strings.Repeat("x", 300) + ",2024-09-06T10:00:00Z,eve,,,,\n",
	}.write(t), legacy.Options{})
	day := func(d, h int) time.Time { return time.Date(2024, 9, d, h, 0, 0, 0, time.UTC) }
	got := map[string]legacy.Activity{}
	for _, u := range users(t, e) {
		got[u.Username] = u.Activity
	}
	want := map[string]legacy.Activity{
		"ada":  {Last: day(5, 8), Method: "OATH Token", Attempts: 4, Applications: []string{"Citrix", "VPN"}},
		"eve":  {},
		"idle": {},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	sum := legacy.ActivitySummary{Attempts: 7, First: day(1, 10), Last: day(6, 10), Users: 1, UnknownUsers: 2, UnknownAttempts: 2, Applications: []legacy.Application{
		{Name: "VPN", Type: "radius", Attempts: 4, Users: 3, Last: day(6, 10)},
		{Name: "Citrix", Type: "radius", Attempts: 1, Users: 1, Last: day(3, 10)},
		{Name: "VPN", Type: "iis", Attempts: 1, Users: 1, Last: day(5, 8)},
		{Name: "", Type: "radius", Attempts: 1, Users: 1, Last: day(6, 10)},
	}}
	if diff := cmp.Diff(sum, e.Summary().Activity); diff != "" {
		t.Error(diff)
	}
	wantProblems := []string{
		"activity.csv:1:107 COLUMN_UNKNOWN |Odd|nothing is read from this column, and its values are not kept",
		`activity.csv:9:5 ROW_INVALID eve|time stamp|Timestamp is "01/02/2024", but must be a date as 2006-01-02T15:04:05Z or 2006-01-02 15:04:05; the row is left out`,
		"activity.csv:10:5 ROW_INVALID eve|time stamp|Timestamp is empty; the row is left out",
		"activity.csv:11:26 ROW_INVALID |USER NAME|Username is empty; the row is left out",
		"activity.csv:12:5 ROW_INVALID eve|time stamp|Timestamp must be a date after 1970; the row is left out",
		"activity.csv:13:1 ROW_INVALID eve|Application_Name|Application Name is longer than any name; the row is left out",
	}
	if diff := cmp.Diff(wantProblems, problems(t, e)[2:]); diff != "" {
		t.Error(diff)
	}
}

// What is kept has a limit, whatever the report holds; what is beyond it is
// counted.
func TestActivityLimits(t *testing.T) {
	var b strings.Builder
	b.WriteString("Timestamp,Username,Authentication Method,Application Name\n")
	for i := range legacy.MaxApplications + 20 {
		fmt.Fprintf(&b, "2024-09-01T10:00:%02dZ,ada,method %d,app %03d\n", i%60, i, i)
	}
	e := open(t, files{"users.csv": "Username\nada\n", "activity.csv": b.String()}.write(t), legacy.Options{})
	a := users(t, e)[0].Activity
	if a.Attempts != legacy.MaxApplications+20 || len(a.Applications) != legacy.MaxUserApplications || a.Applications[15] != "app 015" {
		t.Errorf("activity %+v", a)
	}
	if s := e.Summary().Activity; len(s.Applications) != legacy.MaxApplications || s.OtherAttempts != 20 || s.Users != 1 {
		t.Errorf("summary %+v", s)
	}
}

func FuzzActivity(f *testing.F) {
	fuzzForm(f, "activity-2.csv", "Timestamp,Username,Authentication Method,Authentication Type,Application Name\n2024-01-01 00:00:00,ada,x,radius,VPN\n",
		"Username\nada\n", "time-stamp,username\n2024-01-01T00:00:00,\"\n")
}
