package migrate_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

var (
	now      = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	exported = time.Date(2025, 2, 20, 0, 0, 0, 0, time.UTC)
)

// engine are the capabilities of a target like our own engine, with push.
func engine() cloud.Capabilities {
	all := cloud.Access{Create: true, Read: true, Update: true, Delete: true}
	return cloud.Capabilities{
		Instance: "11111111-2222-3333-4444-555555555555", Product: "test target", Batch: 7,
		Domains:     []string{"contoso.example"},
		CreateUsers: true, Aliases: true, Disable: true, Block: true,
		Methods: map[cloud.Method]cloud.Access{
			cloud.Mobile: all, cloud.AlternateMobile: all, cloud.Office: all, cloud.Email: all,
			cloud.SoftwareOATH: all, cloud.HardwareOATH: all, cloud.Authenticator: all,
		},
		DefaultMethod: all,
		Preferences:   []cloud.Preference{cloud.Push, cloud.OATHCode, cloud.SMS, cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice},
		DefaultIsUsed: true,
		EmailVerifies: true,
		OATH: cloud.OATHCapabilities{Limit: 5, Algorithms: []cloud.Algorithm{cloud.SHA1, cloud.SHA256}, Digits: []int{6, 8},
			Periods: []int{30, 60}, Fingerprints: true, Activates: true, MinSecret: 10, MaxSecret: 128, MaxDrift: 500},
		Telephony: []cloud.Preference{cloud.SMS, cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice},
	}
}

// ada is a row that moves without a finding.
func ada() legacy.User {
	return legacy.User{Username: "ada@contoso.example", UPN: "ada@contoso.example", Enabled: true, Mode: legacy.ModeSMSText,
		FirstName: "Ada", LastName: "Byron", Phone: phone("2079460001")}
}

// adaInCloud is her user in the target, with nothing registered.
func adaInCloud() *cloud.User {
	return &cloud.User{ID: "id-ada", Profile: cloud.Profile{UPN: "ada@contoso.example", Enabled: true}}
}

func phone(number string) legacy.PhoneFields {
	return legacy.PhoneFields{CountryCode: "44", Number: number}
}

func extended(number, extension string) legacy.PhoneFields {
	return legacy.PhoneFields{CountryCode: "44", Number: number, Extension: extension}
}

func seed(text string) legacy.Seed {
	return legacy.Seed{Key: secret.FromString(text), State: legacy.SeedOK}
}

var sixDigits = legacy.Generator{Interval: 30, Digits: 6, Algorithm: "SHA1"}

func device(name, key string, activated int) legacy.Device {
	return legacy.Device{Name: name, Seed: seed(key), Generator: sixDigits, NotificationType: "apns",
		Activated: now.AddDate(0, 0, activated)}
}

func token(serial, key string) legacy.Token {
	return legacy.Token{Serial: serial, Manufacturer: "Acme", Model: "T1", Seed: seed(key), Generator: sixDigits}
}

func entry(id, serial, key string) cloud.OATHEntry {
	return cloud.OATHEntry{ID: id, Method: cloud.HardwareOATH, OATH: cloud.OATH{Name: "Acme T1", Serial: serial, Manufacturer: "Acme", Model: "T1",
		Algorithm: cloud.SHA1, Digits: 6, Period: 30, Fingerprint: cloud.Fingerprint(engine().Instance, secret.FromString(key))}}
}

func fingerprintSerial(key string) string {
	return "MFB-" + cloud.Fingerprint(engine().Instance, secret.FromString(key))
}

// shared is a Conflicts for tests.
type shared map[migrate.ConflictKind]map[string]migrate.Conflict

func (s shared) Of(kind migrate.ConflictKind, key string) (migrate.Conflict, bool) {
	c, ok := s[kind][key]
	return c, ok
}

// world is everything that a rule may look at; each case changes some of it.
type world struct {
	row    legacy.User
	user   *cloud.User // nil: to be created
	caps   cloud.Capabilities
	opt    migrate.Options
	shared shared
	taken  []string
}

// rule is one case: what is changed, and what the decision must hold. Changes
// are written "op method before -> after", see line; findings by code.
type rule struct {
	name     string
	given    func(*world)
	changes  []string
	findings []migrate.Code
	action   migrate.Action // empty: not looked at
	outlook  migrate.Outlook
}

func (r rule) decide(t *testing.T) migrate.Decision {
	t.Helper()
	w := world{row: ada(), user: adaInCloud(), caps: engine(),
		opt: migrate.Options{CreateUsers: true, Now: now, ExportTime: exported}}
	if r.given != nil {
		r.given(&w)
	}
	mapper, err := migrate.NewMapper(w.opt, w.caps)
	if err != nil {
		t.Fatal(err)
	}
	match := migrate.Match{User: w.user, By: migrate.MatchedByUPN, Taken: w.taken}
	if w.user == nil {
		match = migrate.Match{Create: true, UPN: w.row.UPN, Taken: w.taken}
	}
	return mapper.Map(w.row, w.shared, match)
}

// line writes a change down for comparison.
func line(c migrate.PlannedChange) string {
	return string(c.Op) + " " + string(c.Method) + " " + text(c.Before) + " -> " + text(c.After)
}

func text(v cloud.Value) string {
	switch {
	case v.IsZero():
		return "none"
	case v.OATH != nil:
		return v.OATH.Serial + "/" + v.OATH.Name
	case v.Profile != nil:
		s := v.Profile.UPN
		for _, a := range v.Profile.Aliases {
			s += "+" + a
		}
		if v.Profile.SID != "" {
			s += " " + v.Profile.SID
		}
		if !v.Profile.Enabled {
			s += " disabled"
		}
		return s
	case !v.Until.IsZero():
		return v.Until.Format(time.DateOnly)
	default:
		return v.Text + v.State
	}
}

// names are the lines of a file of names.
func names(t *testing.T, text string) *migrate.Names {
	t.Helper()
	n, err := migrate.ReadNames("names.txt", func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}
