package migrate_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/internal/secret"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

func TestClients(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2024, 9, n, 0, 0, 0, 0, time.UTC) }
	var o migrate.Overview
	o.Settings.RadiusClients = []legacy.RadiusClient{
		{Name: "vpn", IPAddress: "10.0.0.1", ApplicationName: "VPN", SharedSecret: secret.FromString("s"), RequireUserMatch: true},
		{Name: "citrix one", IPAddress: "10.0.0.2", ApplicationName: "Citrix"},
		{Name: "citrix two", IPAddress: "10.0.0.3", ApplicationName: "citrix"},
		{Name: "rdg", IPAddress: "rdg.contoso.example"},
		{IPAddress: "10.0.0.9"},
	}
	o.Export.Activity.Applications = []legacy.Application{
		{Name: "Vpn", Type: "RADIUS", Attempts: 5, Users: 2, Last: day(1)},
		{Name: "vpn", Type: "radius", Attempts: 1, Users: 1, Last: day(3)},
		{Name: "Citrix", Type: "radius", Attempts: 7, Users: 3, Last: day(2)},
		{Name: "owa", Type: "iis", Attempts: 9},
		{Name: "rdg", Type: "ldap", Attempts: 9},
		{Name: "old", Type: "Radius", Attempts: 4, Users: 1, Last: day(4)},
		{Name: "OLD", Type: "radius", Attempts: 4, Users: 2, Last: day(2)},
		{Name: "", Type: "radius", Attempts: 2, Users: 2, Last: day(5)},
	}
	want := []migrate.Client{
		{Name: "vpn", Address: "10.0.0.1", Application: "VPN", InSettings: true, Secret: true, UserMatch: true,
			InActivity: true, Attempts: 6, Users: 2, Last: day(3)},
		{Name: "citrix one", Address: "10.0.0.2", Application: "Citrix", InSettings: true, InActivity: true, Shared: true, Attempts: 7, Users: 3, Last: day(2)},
		{Name: "citrix two", Address: "10.0.0.3", Application: "citrix", InSettings: true, InActivity: true, Shared: true, Attempts: 7, Users: 3, Last: day(2)},
		{Name: "rdg", Address: "rdg.contoso.example", Application: "rdg", InSettings: true},
		{Name: "10.0.0.9", Address: "10.0.0.9", InSettings: true},
		{Name: "old", Application: "old", InActivity: true, Attempts: 8, Users: 2, Last: day(4)},
		{Name: "without a name", InActivity: true, Attempts: 2, Users: 2, Last: day(5)},
	}
	if diff := cmp.Diff(want, o.Clients()); diff != "" {
		t.Error(diff)
	}
}

// A line of counts has a bounded number of words, however many types of login
// an export makes up.
func TestCountsAreBounded(t *testing.T) {
	o := migrate.Overview{Summary: migrate.NewSummary()}
	o.Export.Activity.Attempts = 1
	for i := range 100 {
		o.Export.Activity.Applications = append(o.Export.Activity.Applications, legacy.Application{Type: fmt.Sprintf("t%02d", i), Attempts: int64(100 - i)})
	}
	var b bytes.Buffer
	o.WriteText(&b)
	if text := b.String(); !strings.Contains(text, "other logins  t00 100, t01 99, ") || !strings.Contains(text, "t29 71, and 70 more\n") {
		t.Error(text)
	}
}

func TestSettingsBecomeFindings(t *testing.T) {
	var out sheet
	settings := legacy.Settings{Present: true,
		LDAPClients: []legacy.LDAPClient{{Name: "wiki"}, {}},
		Caching:     []legacy.CacheRule{{Type: "user", Seconds: 90, Application: "VPN"}},
		TrustedIPs:  []legacy.TrustedIP{{From: addr("10.0.0.0"), To: addr("10.0.0.255")}, {From: addr("10.1.0.1"), To: addr("10.1.0.1")}},
	}
	sum, err := migrate.Inspect(t.Context(), &export{}, migrate.Options{Now: now, Settings: settings}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range out.problems {
		got = append(got, string(f.Code)+" "+f.Place+" "+f.Field+": "+f.Detail)
	}
	want := []string{
		"LDAP_CLIENT_NOT_SERVED settings.json ldapClients: wiki asked the old server by LDAP",
		"LDAP_CLIENT_NOT_SERVED settings.json ldapClients: client 2 asked the old server by LDAP",
		"CACHE_RULE_NOT_MOVED settings.json caching: VPN: no second factor for 1m30s after a success, by user",
		"TRUSTED_IP_NOT_MOVED settings.json trustedIps: no second factor was asked for from 10.0.0.0-10.0.0.255",
		"TRUSTED_IP_NOT_MOVED settings.json trustedIps: no second factor was asked for from 10.1.0.1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if sum.Findings[migrate.TrustedIPNotMoved] != 2 {
		t.Errorf("counted: %v", sum.Findings)
	}
}
