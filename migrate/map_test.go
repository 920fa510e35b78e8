package migrate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

const (
	mobile1 = "add mobile none -> +44 2079460001"
	bySMS   = "set defaultMethod none -> sms"
	byOATH  = "set defaultMethod none -> oath"
)

func run(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			d := r.decide(t)
			var changes []string
			for _, c := range d.Changes {
				changes = append(changes, line(c))
			}
			if diff := cmp.Diff(r.changes, changes, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			var codes []migrate.Code
			for _, f := range d.Findings {
				codes = append(codes, f.Code)
				if f.Detail == "" || f.Action == "" || f.Severity == "" {
					t.Errorf("finding %+v is not complete", f)
				}
				if strings.Contains(f.Detail, "2079460") {
					t.Errorf("the detail of %s shows a telephone number: %s", f.Code, f.Detail)
				}
			}
			if diff := cmp.Diff(r.findings, codes, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if r.action != "" && d.Action != r.action {
				t.Errorf("action %q, want %q", d.Action, r.action)
			}
			if r.outlook != "" && d.Outlook != r.outlook {
				t.Errorf("outlook %q, want %q", d.Outlook, r.outlook)
			}
		})
	}
}

func TestPhones(t *testing.T) {
	run(t, []rule{
		{name: "no extension: mobile", changes: []string{mobile1, bySMS}, action: migrate.Modify, outlook: migrate.Works},
		{name: "invalid", given: func(w *world) { w.row.Phone = phone("12") },
			findings: []migrate.Code{migrate.PhoneInvalid, migrate.UserNothingToMove, migrate.NoFactorAfterApply}, action: migrate.Keep, outlook: migrate.LockedOut},
		{name: "no calling code and no default", given: func(w *world) { w.row.Phone.CountryCode = "" },
			findings: []migrate.Code{migrate.PhoneInvalid, migrate.UserNothingToMove, migrate.NoFactorAfterApply}},
		{name: "calling code assumed", given: func(w *world) { w.row.Phone.CountryCode = ""; w.opt.DefaultCountry = "GB" },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.PhoneCountryAssumed}},
		{name: "own calling code against CountryCode", given: func(w *world) { w.row.Phone = legacy.PhoneFields{CountryCode: "1", Number: "+44 20 7946 0001"} },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.PhoneCountryConflict}},
		{name: "possible but not valid", given: func(w *world) { w.row.Phone = phone("6579460001") },
			changes: []string{"add mobile none -> +44 6579460001", bySMS}, findings: []migrate.Code{migrate.PhoneUnverified}},
		{name: "possible but not valid, strict", given: func(w *world) { w.row.Phone = phone("6579460001"); w.opt.PhoneStrict = true },
			findings: []migrate.Code{migrate.PhoneInvalid, migrate.UserNothingToMove, migrate.NoFactorAfterApply}},
		{name: "extension: office", given: func(w *world) { w.row.Phone = extended("2079460001", "55"); w.row.Mode = legacy.ModeVoiceCall },
			changes: []string{"add office none -> +44 2079460001x55", "set defaultMethod none -> voiceOffice"}},
		{name: "extension at the number's end", given: func(w *world) { w.row.Phone = phone("2079460001 ext 55"); w.row.Mode = legacy.ModeVoiceCall },
			changes: []string{"add office none -> +44 2079460001x55", "set defaultMethod none -> voiceOffice"}},
		{name: "extension with Mode smsText", given: func(w *world) { w.row.Phone = extended("2079460001", "55") },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.PhoneExtensionDropped}},
		{name: "extension with the company's mode smsText", given: func(w *world) {
			w.row.Phone, w.row.Mode, w.opt.CompanyMode = extended("2079460001", "55"), legacy.ModeUnset, legacy.ModeSMSText
		}, changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.PhoneExtensionDropped}},
		{name: "dial script with Mode smsText", given: func(w *world) { w.row.Phone = extended("2079460001", "1,,5#") },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.PhoneExtensionDropped}},
		{name: "pause before the extension", given: func(w *world) { w.row.Phone = extended("2079460001", ",,55"); w.row.Mode = legacy.ModeVoiceCall },
			changes:  []string{"add office none -> +44 2079460001x55", "set defaultMethod none -> voiceOffice"},
			findings: []migrate.Code{migrate.ExtensionPauseDropped}},
		{name: "dial script", given: func(w *world) { w.row.Phone = extended("2079460001", "1,,5#"); w.row.Mode = legacy.ModeVoiceCall },
			findings: []migrate.Code{migrate.ExtensionDialScript, migrate.UserNothingToMove, migrate.NoFactorAfterApply}},
		{name: "kept in step with the directory", given: func(w *world) { w.row.KeepPhoneSynchronized = true },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.PhoneSyncEnds}},
		{name: "kept in step, and only the backup number moves", given: func(w *world) {
			w.row.KeepPhoneSynchronized, w.row.Phone, w.row.BackupPhone = true, legacy.PhoneFields{}, phone("2079460001")
		}, changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.BackupPromoted}},
	})
}

func TestBackupPhone(t *testing.T) {
	run(t, []rule{
		{name: "no extension: alternate", given: func(w *world) { w.row.BackupPhone = phone("2079460002") },
			changes: []string{mobile1, "add alternateMobile none -> +44 2079460002", bySMS}},
		{name: "no mobile: promoted, before the office", given: func(w *world) {
			w.row.Phone, w.row.BackupPhone, w.row.Mode = extended("2079460001", "5"), phone("2079460002"), legacy.ModeVoiceCall
		}, changes: []string{"add mobile none -> +44 2079460002", "add office none -> +44 2079460001x5", "set defaultMethod none -> voiceOffice"},
			findings: []migrate.Code{migrate.BackupPromoted}},
		{name: "mobile in the cloud: alternate", given: func(w *world) {
			w.row.Phone, w.row.BackupPhone, w.user.Mobile = legacy.PhoneFields{}, phone("2079460002"), "+44 2079460009"
		}, changes: []string{"add alternateMobile none -> +44 2079460002", bySMS}},
		{name: "extension: office", given: func(w *world) { w.row.BackupPhone = extended("2079460002", "7") },
			changes: []string{mobile1, "add office none -> +44 2079460002x7", bySMS}},
		{name: "both have an extension", given: func(w *world) {
			w.row.Phone, w.row.BackupPhone, w.row.Mode = extended("2079460001", "5"), extended("2079460002", "7"), legacy.ModeVoiceCall
		}, changes: []string{"add office none -> +44 2079460001x5", "set defaultMethod none -> voiceOffice"},
			findings: []migrate.Code{migrate.BackupPhoneSkipped}},
		{name: "office free since Phone is a dial script", given: func(w *world) {
			w.row.Phone, w.row.BackupPhone, w.row.Mode = extended("2079460001", "5#"), extended("2079460002", "7"), legacy.ModeVoiceCall
		}, changes: []string{"add office none -> +44 2079460002x7", "set defaultMethod none -> voiceOffice"},
			findings: []migrate.Code{migrate.ExtensionDialScript}},
		{name: "invalid", given: func(w *world) { w.row.BackupPhone = phone("12") },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.PhoneInvalid}},
		{name: "the same number twice", given: func(w *world) { w.row.BackupPhone = phone("020 7946 0001") },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.PhoneDuplicate}},
		{name: "the same number with another extension", given: func(w *world) { w.row.BackupPhone = extended("2079460001", "7") },
			changes: []string{mobile1, "add office none -> +44 2079460001x7", bySMS}},
	})
}

// A number that has its calling code in both columns moves as it is written, and
// the finding says what may be wrong.
func TestCallingCodeTwice(t *testing.T) {
	for _, c := range []struct {
		code, number, moves string
		twice               bool
	}{
		{"49", "49 30 1234567", "+49 49301234567", true},
		{"81", "81-3-1234-5678", "+81 81312345678", true},
		{"44", "6579460001", "+44 6579460001", false},
	} {
		d := rule{given: func(w *world) { w.row.Phone = legacy.PhoneFields{CountryCode: c.code, Number: c.number} }}.decide(t)
		if len(d.Changes) == 0 || d.Changes[0].After.Text != c.moves || len(d.Findings) != 1 || d.Findings[0].Code != migrate.PhoneUnverified ||
			strings.Contains(d.Findings[0].Detail, "without the second "+c.code) != c.twice || strings.Contains(d.Findings[0].Detail, "12345") {
			t.Errorf("%s: %+v, %+v", c.number, d.Changes, d.Findings)
		}
	}
}

func TestExistingPhones(t *testing.T) {
	run(t, []rule{
		{name: "equal in its own slot", given: func(w *world) { w.user.Mobile, w.user.Default = "+44 2079460001", cloud.SMS }, action: migrate.Keep, outlook: migrate.Works},
		{name: "equal but for the spaces", given: func(w *world) { w.user.Mobile, w.user.Default = "+442079460001", cloud.SMS }, action: migrate.Keep},
		{name: "in another cloud slot", given: func(w *world) { w.user.Mobile, w.user.Office = "+44 2079460009", "+44 2079460001" },
			changes: []string{bySMS}, findings: []migrate.Code{migrate.PhoneDuplicate}},
		{name: "another value: kept", given: func(w *world) { w.user.Mobile = "+44 2079460009" },
			changes: []string{bySMS}, findings: []migrate.Code{migrate.MethodDiffersInCloud}},
		{name: "another value: replaced", given: func(w *world) { w.user.Mobile, w.opt.Existing = "+44 2079460009", migrate.ExistingReplace },
			changes: []string{"update mobile +44 2079460009 -> +44 2079460001", bySMS}},
		{name: "another value: cannot be replaced", given: func(w *world) {
			w.user.Mobile, w.opt.Existing = "+44 2079460009", migrate.ExistingReplace
			w.caps.Methods[cloud.Mobile] = cloud.Access{Create: true, Read: true}
		}, changes: []string{bySMS}, findings: []migrate.Code{migrate.MethodUnsupported}},
		{name: "the target takes no such number", given: func(w *world) { delete(w.caps.Methods, cloud.Mobile) },
			findings: []migrate.Code{migrate.MethodUnsupported, migrate.UserNothingToMove, migrate.NoFactorAfterApply}},
		{name: "shared", given: func(w *world) {
			w.shared = shared{migrate.SharedPhone: {"+442079460001": {Others: []string{"ben", "cy"}, More: 3}}}
		}, changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.PhoneShared}},
		{name: "shared, but there already", given: func(w *world) {
			w.user.Mobile, w.user.Default = "+44 2079460001", cloud.SMS
			w.shared = shared{migrate.SharedPhone: {"+442079460001": {Others: []string{"ben"}}}}
		}},
	})
}

func tokenRow(w *world) {
	w.row.Phone, w.row.Mode = legacy.PhoneFields{}, legacy.ModeOathToken
}

func TestTokens(t *testing.T) {
	const key, other = "12345678901234567890", "abcdefghijabcdefghij"
	none := []migrate.Code{migrate.UserNothingToMove, migrate.NoFactorAfterApply}
	bad := func(code migrate.Code) []migrate.Code { return append([]migrate.Code{code}, none...) }
	one := func(change func(*legacy.Token)) func(*world) {
		return func(w *world) {
			tokenRow(w)
			tok := token("S1", key)
			if change != nil {
				change(&tok)
			}
			w.row.Tokens = []legacy.Token{tok}
		}
	}
	run(t, []rule{
		{name: "moves", given: one(nil), changes: []string{"add hardwareOath none -> S1/Acme T1", byOATH}, outlook: migrate.Works},
		{name: "without a serial", given: one(func(k *legacy.Token) { k.Serial = "" }),
			changes: []string{"add hardwareOath none -> " + fingerprintSerial(key) + "/Acme T1", byOATH}},
		{name: "no secret", given: one(func(k *legacy.Token) { k.Seed = legacy.Seed{} }), findings: bad(migrate.TokenNoSecret)},
		{name: "neither serial nor secret", given: func(w *world) { w.row.TokenExists = true }, changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.TokenNoSecret}},
		{name: "said to exist, and there", given: func(w *world) { one(nil)(w); w.row.TokenExists = true }, changes: []string{"add hardwareOath none -> S1/Acme T1", byOATH}},
		{name: "serial rounded", given: one(func(k *legacy.Token) { k.Serial = "1.23457E+11" }), findings: bad(migrate.TokenSerialRounded)},
		{name: "serial rounded, no secret", given: one(func(k *legacy.Token) { k.Serial, k.Seed = "1,2e+11", legacy.Seed{} }), findings: bad(migrate.TokenSerialRounded)},
		{name: "secret invalid", given: one(func(k *legacy.Token) { k.Seed = legacy.Seed{State: legacy.SeedInvalid, Problem: "looks like hex"} }), findings: bad(migrate.TokenSecretInvalid)},
		{name: "secret ambiguous", given: one(func(k *legacy.Token) { k.Seed = legacy.Seed{State: legacy.SeedAmbiguous, Problem: "is both"} }), findings: bad(migrate.SecretAmbiguous)},
		{name: "secret too short", given: one(func(k *legacy.Token) { k.Seed = seed("short") }), findings: bad(migrate.TokenSecretInvalid)},
		{name: "secret too long", given: one(func(k *legacy.Token) { k.Seed = seed(strings.Repeat("x", 129)) }), findings: bad(migrate.TokenSecretInvalid)},
		{name: "interval 60", given: one(func(k *legacy.Token) { k.Interval = 60 }), changes: []string{"add hardwareOath none -> S1/Acme T1", byOATH}},
		{name: "interval 45", given: one(func(k *legacy.Token) { k.Interval = 45 }), findings: bad(migrate.TokenIntervalUnsupported)},
		{name: "key unusable", given: one(func(k *legacy.Token) { k.Seed = legacy.Seed{State: legacy.SeedUnusable, Problem: "counts events"} }), findings: bad(migrate.TokenUnsupported)},
		{name: "rows contradict", given: one(func(k *legacy.Token) { k.Unclear = "the interval is 30 in one row and 60 in another" }), findings: bad(migrate.TokenConflict)},
		{name: "digits", given: one(func(k *legacy.Token) { k.Digits = 7 }), findings: bad(migrate.TokenUnsupported)},
		{name: "algorithm", given: one(func(k *legacy.Token) { k.Algorithm = "SHA512" }), findings: bad(migrate.TokenUnsupported)},
		{name: "target takes none", given: func(w *world) { one(nil)(w); delete(w.caps.Methods, cloud.HardwareOATH) }, findings: bad(migrate.MethodUnsupported)},
		{name: "secret on two users", given: func(w *world) {
			one(nil)(w)
			w.shared = shared{migrate.SharedSecret: {cloud.Fingerprint(engine().Instance, seed(key).Key): {Others: []string{"ben"}}}}
		}, findings: bad(migrate.TokenConflict)},
		{name: "serial on two users", given: func(w *world) {
			one(nil)(w)
			w.shared = shared{migrate.SharedSerial: {"s1": {Others: []string{"ben"}}}}
		},
			findings: bad(migrate.TokenConflict)},
		{name: "the same token twice", given: func(w *world) { tokenRow(w); w.row.Tokens = []legacy.Token{token("S1", key), token("s1", key)} },
			changes: []string{"add hardwareOath none -> S1/Acme T1", byOATH}, findings: []migrate.Code{migrate.TokenDuplicate}},
		{name: "twice, once without its secret", given: func(w *world) {
			tokenRow(w)
			w.row.Tokens = []legacy.Token{{Serial: "S1", Generator: sixDigits}, token("S1", key)}
		}, changes: []string{"add hardwareOath none -> S1/Acme T1", byOATH}, findings: []migrate.Code{migrate.TokenDuplicate}},
		{name: "two secrets under one serial", given: func(w *world) { tokenRow(w); w.row.Tokens = []legacy.Token{token("S1", key), token("S1", other)} },
			findings: append([]migrate.Code{migrate.TokenConflict, migrate.TokenConflict}, none...)},
		{name: "the same secret as a device", given: func(w *world) {
			tokenRow(w)
			w.row.Tokens, w.row.Devices = []legacy.Token{token("S1", key)}, []legacy.Device{device("Phone", key, 0)}
			w.user.Authenticators = []cloud.AuthenticatorEntry{{ID: "a", State: "active"}}
		}, changes: []string{"add hardwareOath none -> S1/Acme T1", byOATH}, findings: []migrate.Code{migrate.TokenDuplicate}},
		{name: "the same secret as a device, the token being there and its secret hidden", given: func(w *world) {
			tokenRow(w)
			w.row.Tokens, w.row.Devices = []legacy.Token{token("S1", key)}, []legacy.Device{device("Phone", key, 0)}
			w.user.Authenticators = []cloud.AuthenticatorEntry{{ID: "a", State: "active"}}
			w.user.OATH = []cloud.OATHEntry{entry("e1", "S1", key)}
			w.user.OATH[0].Fingerprint = ""
		}, changes: []string{byOATH}, findings: []migrate.Code{migrate.SecretNotCompared, migrate.TokenDuplicate}},
		{name: "the same secret as a device, the token being somebody else's", given: func(w *world) {
			tokenRow(w)
			w.row.Tokens, w.row.Devices = []legacy.Token{token("S1", key)}, []legacy.Device{device("Phone", key, 0)}
			w.user.Authenticators = []cloud.AuthenticatorEntry{{ID: "a", State: "active"}}
			w.user.Mobile = "+44 2079460009"
			w.shared = shared{migrate.SharedSerial: {"s1": {Others: []string{"ben"}}}}
		}, findings: []migrate.Code{migrate.TokenConflict, migrate.DeviceConflict, migrate.UserNothingToMove}},
		{name: "sixth", given: func(w *world) {
			one(nil)(w)
			for _, c := range "abcde" {
				w.user.OATH = append(w.user.OATH, entry(string(c), string(c), strings.Repeat(string(c), 20)))
			}
		}, changes: []string{byOATH}, findings: []migrate.Code{migrate.TokenLimit}},
	})
}

func TestTokensInTheCloud(t *testing.T) {
	const key, other = "12345678901234567890", "abcdefghijabcdefghij"
	there := func(change func(*world, *cloud.OATHEntry)) func(*world) {
		return func(w *world) {
			tokenRow(w)
			w.row.Tokens = []legacy.Token{token("S1", key)}
			e := entry("e1", "S1", key)
			w.user.Default = cloud.OATHCode
			change(w, &e)
			w.user.OATH = []cloud.OATHEntry{e}
		}
	}
	run(t, []rule{
		{name: "there", given: there(func(*world, *cloud.OATHEntry) {}), action: migrate.Keep},
		{name: "there under another serial", given: there(func(_ *world, e *cloud.OATHEntry) { e.Serial = "Z" })},
		{name: "there as software", given: there(func(_ *world, e *cloud.OATHEntry) { e.Method = cloud.SoftwareOATH })},
		{name: "there, secrets hidden", given: there(func(_ *world, e *cloud.OATHEntry) { e.Fingerprint = "" }), action: migrate.Keep,
			findings: []migrate.Code{migrate.SecretNotCompared}},
		{name: "another name", given: there(func(_ *world, e *cloud.OATHEntry) { e.Name = "old" }),
			changes: []string{"update hardwareOath S1/old -> S1/Acme T1"}},
		{name: "another interval", given: there(func(_ *world, e *cloud.OATHEntry) { e.Period = 60 }),
			changes: []string{"update hardwareOath S1/Acme T1 -> S1/Acme T1"}},
		{name: "another interval, unchangeable", given: there(func(w *world, e *cloud.OATHEntry) {
			e.Period = 60
			w.caps.Methods[cloud.HardwareOATH] = cloud.Access{Create: true}
		}), findings: []migrate.Code{migrate.MethodDiffersInCloud}},
		{name: "parameters hidden", given: there(func(_ *world, e *cloud.OATHEntry) { e.Period, e.Digits, e.Algorithm = 0, 0, "" })},
		{name: "serial there with another secret", given: there(func(_ *world, e *cloud.OATHEntry) { *e = entry("e1", "S1", other) }),
			findings: []migrate.Code{migrate.MethodDiffersInCloud}},
		{name: "there is no conflict", given: there(func(w *world, _ *cloud.OATHEntry) {
			w.shared = shared{migrate.SharedSerial: {"s1": {Others: []string{"ben"}}}}
		})},
	})
}

func appRow(w *world) {
	w.row.Phone, w.row.Mode = legacy.PhoneFields{}, legacy.ModePhoneApp
	w.user.Authenticators = []cloud.AuthenticatorEntry{{ID: "a", State: "active"}}
	w.user.Default = cloud.Push
}

func TestDevices(t *testing.T) {
	key := func(i int) string { return strings.Repeat(string(rune('a'+i)), 20) }
	add := func(i int, name string) string {
		return "add softwareOath none -> " + fingerprintSerial(key(i)) + "/" + name
	}
	one := func(change func(*legacy.Device)) func(*world) {
		return func(w *world) {
			appRow(w)
			dev := device("Phone", key(0), 0)
			change(&dev)
			w.row.Devices = []legacy.Device{dev}
		}
	}
	run(t, []rule{
		{name: "moves", given: one(func(*legacy.Device) {}), changes: []string{add(0, "Phone")}, outlook: migrate.Works},
		{name: "a name with a line break, and too long", given: one(func(d *legacy.Device) { d.Name = " a\n\tb " + strings.Repeat("é", 100) }),
			changes: []string{add(0, "a b "+strings.Repeat("é", 62))}},
		{name: "without a name", given: one(func(d *legacy.Device) { d.Name = "" }), changes: []string{add(0, "Mobile app")}},
		{name: "no secret", given: one(func(d *legacy.Device) { d.Seed = legacy.Seed{} }), findings: []migrate.Code{migrate.DeviceNoSecret, migrate.UserNothingToMove}},
		{name: "secret invalid", given: one(func(d *legacy.Device) { d.Seed = legacy.Seed{State: legacy.SeedInvalid} }), findings: []migrate.Code{migrate.DeviceSecretInvalid, migrate.UserNothingToMove}},
		{name: "secret ambiguous", given: one(func(d *legacy.Device) { d.Seed = legacy.Seed{State: legacy.SeedAmbiguous} }), findings: []migrate.Code{migrate.SecretAmbiguous, migrate.UserNothingToMove}},
		{name: "interval", given: one(func(d *legacy.Device) { d.Interval = 45 }), findings: []migrate.Code{migrate.DeviceIntervalUnsupported, migrate.UserNothingToMove}},
		{name: "digits", given: one(func(d *legacy.Device) { d.Digits = 7 }), findings: []migrate.Code{migrate.DeviceUnsupported, migrate.UserNothingToMove}},
		{name: "dead platform", given: one(func(d *legacy.Device) { d.NotificationType = "mpns" }), changes: []string{add(0, "Phone")}, findings: []migrate.Code{migrate.DevicePlatformDead}},
		{name: "as hardware where software cannot be created", given: func(w *world) {
			one(func(*legacy.Device) {})(w)
			delete(w.caps.Methods, cloud.SoftwareOATH)
		}, changes: []string{"add hardwareOath none -> " + fingerprintSerial(key(0)) + "/Phone"}},
		{name: "secret on two users", given: func(w *world) {
			one(func(*legacy.Device) {})(w)
			w.shared = shared{migrate.SharedSecret: {cloud.Fingerprint(engine().Instance, seed(key(0)).Key): {Others: []string{"ben"}}}}
		}, findings: []migrate.Code{migrate.DeviceConflict, migrate.UserNothingToMove}},
		{name: "two with one secret", given: func(w *world) {
			appRow(w)
			w.row.Devices = []legacy.Device{device("A", key(0), 0), device("B", key(0), -1)}
		}, changes: []string{add(0, "A")}, findings: []migrate.Code{migrate.DeviceDuplicate}},
		{name: "same name: the newest", given: func(w *world) {
			appRow(w)
			w.row.Devices = []legacy.Device{device("phone", key(0), -2), device(" PHONE", key(1), -1)}
		}, changes: []string{add(1, "PHONE")}, findings: []migrate.Code{migrate.DeviceSuperseded}},
		{name: "newest first, six", given: func(w *world) {
			appRow(w)
			w.user.Authenticators, w.user.Default = nil, cloud.OATHCode
			delete(w.caps.Methods, cloud.Authenticator)
			undated := device("undated", key(4), 0)
			undated.Activated = time.Time{}
			used := device("used", key(5), 0)
			used.Activated, used.LastUsed = time.Time{}, now
			w.row.Devices = []legacy.Device{undated, used, device("old", key(0), -9), device("new", key(1), -1), device("mid", key(2), -5), device("mid2", key(3), -6)}
		}, changes: []string{add(1, "new"), add(2, "mid"), add(3, "mid2"), add(0, "old")},
			findings: []migrate.Code{migrate.DeviceLimit, migrate.DeviceLimit, migrate.PushNeedsActivation}, outlook: migrate.MustAct},
		{name: "room for five where push is active", given: func(w *world) {
			appRow(w)
			w.user.OATH = []cloud.OATHEntry{entry("x", "X", key(9)), entry("y", "Y", key(8))}
			w.row.Devices = []legacy.Device{device("1", key(1), -1), device("2", key(2), -2), device("3", key(3), -3)}
		}, changes: []string{add(1, "1"), add(2, "2")}, findings: []migrate.Code{migrate.DeviceLimit}},
		{name: "a conflict takes no place", given: func(w *world) {
			appRow(w)
			w.caps.OATH.Limit = 2
			w.row.Devices = []legacy.Device{device("1", key(1), -1), device("2", key(2), -2)}
			w.shared = shared{migrate.SharedSecret: {cloud.Fingerprint(engine().Instance, seed(key(1)).Key): {Others: []string{"ben"}}}}
		}, changes: []string{add(2, "2")}, findings: []migrate.Code{migrate.DeviceConflict}},
		{name: "no limit", given: func(w *world) {
			appRow(w)
			w.caps.OATH.Limit = 0
			for i := range 7 {
				w.row.Devices = append(w.row.Devices, device(string(rune('0'+i)), key(i), -i))
			}
		}, changes: []string{add(0, "0"), add(1, "1"), add(2, "2"), add(3, "3"), add(4, "4"), add(5, "5"), add(6, "6")}},
	})
}

func TestPush(t *testing.T) {
	base := func(w *world) { appRow(w); w.user.Authenticators, w.user.Default = nil, "" }
	run(t, []rule{
		{name: "invited", given: base, changes: []string{"add authenticator none -> invited"},
			findings: []migrate.Code{migrate.PushNeedsActivation, migrate.NoFactorAfterApply}, outlook: migrate.LockedOut},
		{name: "invited before", given: func(w *world) {
			base(w)
			w.user.Authenticators = []cloud.AuthenticatorEntry{{ID: "i", State: "expired"}}
		}, findings: []migrate.Code{migrate.PushNeedsActivation, migrate.NoFactorAfterApply}},
		{name: "cannot be invited", given: func(w *world) { base(w); delete(w.caps.Methods, cloud.Authenticator) },
			findings: []migrate.Code{migrate.PushNeedsActivation, migrate.UserNothingToMove, migrate.NoFactorAfterApply}},
		{name: "active", given: appRow, findings: []migrate.Code{migrate.UserNothingToMove}, outlook: migrate.Works},
		{name: "app besides texts: no need to act", given: func(w *world) { w.row.PhoneAppActivated = true },
			changes:  []string{mobile1, "add authenticator none -> invited", bySMS},
			findings: []migrate.Code{migrate.PushNeedsActivation}, outlook: migrate.Works},
		{name: "app first, text besides: must act", given: func(w *world) { w.row.Mode = legacy.ModePhoneApp },
			changes:  []string{mobile1, "add authenticator none -> invited", bySMS},
			findings: []migrate.Code{migrate.PushNeedsActivation, migrate.DefaultMethodChanged}, outlook: migrate.MustAct},
	})
}
