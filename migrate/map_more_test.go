package migrate_test

import (
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

func TestDefaultMethod(t *testing.T) {
	run(t, []rule{
		{name: "voice by the slot of Phone", given: func(w *world) { w.row.Mode = legacy.ModeVoiceCall },
			changes: []string{mobile1, "set defaultMethod none -> voiceMobile"}},
		{name: "voice by the slot where Phone stands already", given: func(w *world) {
			w.row.Mode, w.user.Mobile, w.user.Office = legacy.ModeVoiceCall, "+44 2079460009", "+44 2079460001"
		}, changes: []string{"set defaultMethod none -> voiceOffice"}, findings: []migrate.Code{migrate.PhoneDuplicate}},
		{name: "voice without a Phone: the slot that is there", given: func(w *world) {
			w.row.Mode, w.row.Phone, w.row.BackupPhone = legacy.ModeVoiceCall, legacy.PhoneFields{}, extended("2079460002", "7")
		}, changes: []string{"add office none -> +44 2079460002x7", "set defaultMethod none -> voiceOffice"}},
		{name: "push where a device is active", given: func(w *world) {
			w.row.Mode = legacy.ModePhoneApp
			w.user.Authenticators = []cloud.AuthenticatorEntry{{State: "active"}}
		}, changes: []string{mobile1, "set defaultMethod none -> push"}},
		{name: "push becomes oath where a code moved", given: func(w *world) {
			w.row.Mode, w.row.Devices = legacy.ModePhoneApp, []legacy.Device{device("P", strings.Repeat("k", 20), 0)}
		}, changes: []string{mobile1, "add softwareOath none -> " + fingerprintSerial(strings.Repeat("k", 20)) + "/P", "add authenticator none -> invited", byOATH},
			findings: []migrate.Code{migrate.PushNeedsActivation}, outlook: migrate.MustAct},
		{name: "not there", given: func(w *world) { w.row.Mode = legacy.ModeOathToken },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.DefaultMethodChanged}},
		{name: "not said", given: func(w *world) { w.row.Mode = legacy.ModeUnset },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.DefaultMethodChanged}},
		{name: "not said, company default", given: func(w *world) { w.row.Mode, w.opt.CompanyMode = legacy.ModeUnset, legacy.ModeVoiceCall },
			changes: []string{mobile1, "set defaultMethod none -> voiceMobile"}},
		{name: "forbidden by policy", given: func(w *world) {
			w.user.Forbidden = []cloud.Method{cloud.Mobile}
			w.row.BackupPhone = extended("2079460002", "7")
		}, changes: []string{mobile1, "add office none -> +44 2079460002x7", "set defaultMethod none -> voiceOffice"},
			findings: []migrate.Code{migrate.DefaultMethodChanged, migrate.MethodNotAllowed}},
		{name: "unset: the cloud's stays", given: func(w *world) { w.user.Default = cloud.VoiceMobile }, changes: []string{mobile1}},
		{name: "always: replaced", given: func(w *world) { w.user.Default, w.opt.DefaultMethod = cloud.VoiceMobile, migrate.DefaultAlways },
			changes: []string{mobile1, "set defaultMethod voiceMobile -> sms"}},
		{name: "always: equal", given: func(w *world) { w.user.Default, w.opt.DefaultMethod = cloud.SMS, migrate.DefaultAlways }, changes: []string{mobile1}},
		{name: "always, but not said: the cloud's stays", given: func(w *world) {
			w.user.Default, w.row.Mode, w.opt.DefaultMethod = cloud.VoiceMobile, legacy.ModeUnset, migrate.DefaultAlways
		}, changes: []string{mobile1}},
		{name: "secure: the most secure", given: func(w *world) {
			w.row.Tokens, w.opt.DefaultMethod = []legacy.Token{token("S1", "12345678901234567890")}, migrate.DefaultSecure
		}, changes: []string{mobile1, "add hardwareOath none -> S1/Acme T1", byOATH}, findings: []migrate.Code{migrate.DefaultMethodChanged}},
		{name: "secure: the cloud's stays", given: func(w *world) { w.user.Default, w.opt.DefaultMethod = cloud.SMS, migrate.DefaultSecure }, changes: []string{mobile1}},
		{name: "ignored by the target", given: func(w *world) { w.caps.DefaultIsUsed = false },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.DefaultMethodIgnored}},
		{name: "cannot be set", given: func(w *world) { w.caps.DefaultMethod = cloud.Access{} },
			changes: []string{mobile1}, findings: []migrate.Code{migrate.DefaultMethodIgnored}},
		{name: "cannot be changed", given: func(w *world) {
			w.user.Default, w.opt.DefaultMethod, w.caps.DefaultMethod = cloud.VoiceMobile, migrate.DefaultAlways, cloud.Access{Create: true}
		}, changes: []string{mobile1}, findings: []migrate.Code{migrate.DefaultMethodIgnored}},
		{name: "cannot be set the first time", given: func(w *world) { w.caps.DefaultMethod = cloud.Access{Update: true} },
			changes: []string{mobile1}, findings: []migrate.Code{migrate.DefaultMethodIgnored}},
		{name: "preference unknown to the target", given: func(w *world) { w.caps.Preferences = []cloud.Preference{cloud.VoiceMobile} },
			changes: []string{mobile1, "set defaultMethod none -> voiceMobile"}, findings: []migrate.Code{migrate.DefaultMethodChanged}},
	})
}

func TestSubModes(t *testing.T) {
	with := func(change func(*legacy.User)) func(*world) { return func(w *world) { change(&w.row) } }
	voice := []string{mobile1, "set defaultMethod none -> voiceMobile"}
	text := []string{mobile1, bySMS}
	push := []string{mobile1, "add authenticator none -> invited", bySMS}
	run(t, []rule{
		{name: "voice PIN", given: with(func(u *legacy.User) { u.Mode, u.PinMode = legacy.ModeVoiceCall, "pin" }), changes: voice, findings: []migrate.Code{migrate.PINNotMoved}},
		{name: "voice return PIN", given: with(func(u *legacy.User) { u.Mode, u.PinMode = legacy.ModeVoiceCall, "returnPin" }), changes: voice, findings: []migrate.Code{migrate.PINNotMoved}},
		{name: "voiceprint", given: with(func(u *legacy.User) { u.Mode, u.PinMode = legacy.ModeVoiceCall, "voiceprint" }), changes: voice, findings: []migrate.Code{migrate.VoiceprintNotMoved}},
		{name: "voice PIN mode of a text user", given: with(func(u *legacy.User) { u.PinMode = "pin" }), changes: text},
		{name: "text and PIN", given: with(func(u *legacy.User) { u.SMSMode = "otpPlusPin" }), changes: text, findings: []migrate.Code{migrate.PINNotMoved}},
		{name: "text and PIN of a voice user", given: with(func(u *legacy.User) { u.Mode, u.SMSMode, u.SMSDirection = legacy.ModeVoiceCall, "otpPlusPin", "twoWay" }), changes: voice},
		{name: "two-way text", given: with(func(u *legacy.User) { u.SMSDirection = "twoWay" }), changes: text, findings: []migrate.Code{migrate.SMSTwoWayRetired}},
		{name: "app PIN", given: with(func(u *legacy.User) { u.Mode, u.PhoneAppMode = legacy.ModePhoneApp, "pin" }), changes: push,
			findings: []migrate.Code{migrate.PushNeedsActivation, migrate.PINNotMoved, migrate.DefaultMethodChanged}},
		{name: "two-way text by the company's default", given: func(w *world) { w.opt.Settings.Defaults.SMSDirection = "twoWay" }, changes: text,
			findings: []migrate.Code{migrate.SMSTwoWayRetired}},
		{name: "app voiceprint", given: with(func(u *legacy.User) { u.Mode, u.PhoneAppMode = legacy.ModePhoneApp, "voiceprint" }), changes: push,
			findings: []migrate.Code{migrate.PushNeedsActivation, migrate.VoiceprintNotMoved, migrate.DefaultMethodChanged}},
		{name: "PIN set", given: with(func(u *legacy.User) { u.PinSet = true }), changes: text, findings: []migrate.Code{migrate.PINNotMoved}},
		{name: "static token", given: with(func(u *legacy.User) { u.StaticTokenSet = true }), changes: text, findings: []migrate.Code{migrate.StaticTokenNotMoved}},
		{name: "security questions", given: with(func(u *legacy.User) { u.SecurityQuestionsSet = true }), changes: text, findings: []migrate.Code{migrate.SecurityQuestionsNotMoved}},
	})
}

func TestStateOfTheUser(t *testing.T) {
	run(t, []rule{
		{name: "disabled", given: func(w *world) { w.row.Enabled = false }, findings: []migrate.Code{migrate.UserDisabled}, action: migrate.Skip, outlook: migrate.OutOfScope},
		{name: "disabled and let in", given: func(w *world) { w.row.Enabled, w.row.DisabledBehavior = false, "succeed" },
			findings: []migrate.Code{migrate.PasswordOnlyToday, migrate.UserDisabled}, action: migrate.Skip, outlook: migrate.PasswordOnly},
		{name: "disabled, and the company lets such in", given: func(w *world) { w.row.Enabled, w.opt.Settings.Defaults.DisabledBehavior = false, "succeed" },
			findings: []migrate.Code{migrate.PasswordOnlyToday, migrate.UserDisabled}, action: migrate.Skip, outlook: migrate.PasswordOnly},
		{name: "disabled, and not let in though the company does", given: func(w *world) {
			w.row.Enabled, w.row.DisabledBehavior, w.opt.Settings.Defaults.DisabledBehavior = false, "fail", "succeed"
		}, findings: []migrate.Code{migrate.UserDisabled}, action: migrate.Skip, outlook: migrate.OutOfScope},
		{name: "disabled, included", given: func(w *world) { w.row.Enabled, w.opt.IncludeDisabled = false, true },
			changes:  []string{"update user ada@contoso.example -> ada@contoso.example disabled", mobile1, bySMS},
			findings: []migrate.Code{migrate.UserDisabled, migrate.CloudUserDisabling}, action: migrate.Modify, outlook: migrate.LockedOut},
		{name: "disabled, included, and disabled in the cloud", given: func(w *world) { w.row.Enabled, w.opt.IncludeDisabled, w.user.Enabled = false, true, false },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.UserDisabled, migrate.CloudUserDisabled}, action: migrate.Modify, outlook: migrate.Works},
		{name: "disabled, included, created", given: func(w *world) { w.row.Enabled, w.opt.IncludeDisabled, w.user = false, true, nil },
			changes:  []string{"add user none -> ada@contoso.example disabled", mobile1, bySMS},
			findings: []migrate.Code{migrate.UserDisabled}, action: migrate.Create},
		{name: "disabled, included, and the target disables nobody", given: func(w *world) {
			w.row.Enabled, w.opt.IncludeDisabled, w.caps.Disable = false, true, false
		}, changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.UserDisabled}, action: migrate.Modify, outlook: migrate.Works},
		{name: "blocked", given: func(w *world) { w.row.Blocked = true },
			changes: []string{"set block none -> 2025-05-21", mobile1, bySMS}},
		{name: "blocked, no export date", given: func(w *world) { w.row.Blocked, w.opt.ExportTime = true, time.Time{} },
			changes: []string{"set block none -> 2025-05-30", mobile1, bySMS}},
		{name: "blocked, no export date, blocked already", given: func(w *world) {
			w.row.Blocked, w.opt.ExportTime, w.user.BlockedUntil = true, time.Time{}, now.Add(time.Hour)
		}, changes: []string{mobile1, bySMS}},
		{name: "blocked for longer in the cloud", given: func(w *world) { w.row.Blocked, w.user.BlockedUntil = true, now.AddDate(1, 0, 0) },
			changes: []string{mobile1, bySMS}},
		{name: "blocked for shorter in the cloud", given: func(w *world) { w.row.Blocked, w.user.BlockedUntil = true, now.AddDate(0, 0, 3) },
			changes: []string{"set block 2025-03-04 -> 2025-05-21", mobile1, bySMS}},
		{name: "block over", given: func(w *world) { w.row.Blocked, w.opt.ExportTime = true, now.AddDate(0, 0, -91) },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.BlockExpired}},
		{name: "block impossible", given: func(w *world) { w.row.Blocked, w.caps.Block = true, false },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.BlockNotMoved}},
		{name: "only a block", given: func(w *world) { w.row.Blocked, w.row.Phone = true, legacy.PhoneFields{} },
			changes: []string{"set block none -> 2025-05-21"}, findings: []migrate.Code{migrate.NoFactorAfterApply}},
		{name: "disabled in the cloud", given: func(w *world) { w.user.Enabled = false }, changes: []string{mobile1, bySMS},
			findings: []migrate.Code{migrate.CloudUserDisabled}, action: migrate.Modify, outlook: migrate.LockedOut},
		{name: "guest", given: func(w *world) {
			w.user.Guest, w.row.Tokens = true, []legacy.Token{token("S1", "12345678901234567890")}
		}, changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.CloudUserGuest}},
		{name: "administrator", given: func(w *world) { w.user.Privileged, w.user.Mobile = true, "+44 2079460009" },
			findings: []migrate.Code{migrate.UserPrivileged}, action: migrate.Skip, outlook: migrate.Works},
		{name: "administrator without a method", given: func(w *world) { w.user.Privileged = true },
			findings: []migrate.Code{migrate.UserPrivileged, migrate.NoFactorAfterApply}, action: migrate.Skip, outlook: migrate.LockedOut},
	})
}

func TestEmail(t *testing.T) {
	with := func(address string, change func(*world)) func(*world) {
		return func(w *world) {
			w.row.Email = address
			if change != nil {
				change(w)
			}
		}
	}
	added := []string{mobile1, "add email none -> ada@home.example", bySMS}
	plain := []string{mobile1, bySMS}
	skipped := []migrate.Code{migrate.EmailSkipped}
	run(t, []rule{
		{name: "external by default", given: with("ada@home.example", nil), changes: added},
		{name: "off by default where the target sends no codes to it", given: with("ada@home.example", func(w *world) { w.caps.EmailVerifies = false }), changes: plain, findings: skipped},
		{name: "own domain", given: with("ada@contoso.example", nil), changes: plain, findings: skipped},
		{name: "below the own domain", given: with("ada@Mail.Contoso.example", nil), changes: plain, findings: skipped},
		{name: "own domain as an ending only", given: with("ada@notcontoso.example", nil),
			changes: []string{mobile1, "add email none -> ada@notcontoso.example", bySMS}},
		{name: "own domain, as DNS has it", given: with("ada@bücher.example", func(w *world) { w.caps.Domains = []string{"xn--bcher-kva.example"} }), changes: plain, findings: skipped},
		{name: "own domain, in its letters", given: with("ada@mail.XN--Bcher-kva.example", func(w *world) { w.caps.Domains = []string{"bücher.example"} }), changes: plain, findings: skipped},
		{name: "another domain with such letters", given: with("ada@bücher.example", nil), changes: []string{mobile1, "add email none -> ada@bücher.example", bySMS}},
		{name: "domains unknown", given: with("ada@home.example", func(w *world) { w.caps.Domains = nil }), changes: plain, findings: skipped},
		{name: "off", given: with("ada@home.example", func(w *world) { w.opt.Email = migrate.EmailOff }), changes: plain, findings: skipped},
		{name: "off where the target takes none", given: with("ada@home.example", func(w *world) { delete(w.caps.Methods, cloud.Email) }), changes: plain, findings: skipped},
		{name: "asked for where the target takes none", given: with("ada@home.example", func(w *world) { w.opt.Email = migrate.EmailAll; delete(w.caps.Methods, cloud.Email) }),
			changes: plain, findings: []migrate.Code{migrate.MethodUnsupported}},
		{name: "all", given: with("ada@contoso.example", func(w *world) { w.opt.Email = migrate.EmailAll }),
			changes: []string{mobile1, "add email none -> ada@contoso.example", bySMS}},
		{name: "invalid", given: with("ada at home", nil), changes: plain, findings: []migrate.Code{migrate.EmailInvalid}},
		{name: "with a display name", given: with("Ada <ada@home.example>", nil), changes: plain, findings: []migrate.Code{migrate.EmailInvalid}},
		{name: "there", given: with("Ada@home.example", func(w *world) { w.user.Email = "ada@home.example" }), changes: plain},
		{name: "another", given: with("ada@home.example", func(w *world) { w.user.Email = "a@old.example" }), changes: plain, findings: []migrate.Code{migrate.MethodDiffersInCloud}},
		{name: "another, replaced", given: with("ada@home.example", func(w *world) { w.user.Email, w.opt.Existing = "a@old.example", migrate.ExistingReplace }),
			changes: []string{mobile1, "update email a@old.example -> ada@home.example", bySMS}},
	})
}

func TestAccount(t *testing.T) {
	run(t, []rule{
		{name: "created", given: func(w *world) { w.user = nil; w.row.SID = "S-1-5-21-1" },
			changes: []string{"add user none -> ada@contoso.example S-1-5-21-1", mobile1, bySMS}, action: migrate.Create},
		{name: "created with the names of the old server", given: func(w *world) { w.user = nil; w.row.Username = `CONTOSO\ada` },
			changes: []string{`add user none -> ada@contoso.example+CONTOSO\ada+ada`, mobile1, bySMS}},
		{name: "names and Sid added", given: func(w *world) { w.row.Username, w.row.SID = `CONTOSO\ada`, "S-1-5-21-1" },
			changes: []string{`update user ada@contoso.example -> ada@contoso.example+CONTOSO\ada+ada S-1-5-21-1`, mobile1, bySMS}},
		{name: "a Sid that is there already", given: func(w *world) { w.user.SID = "S-1-5-21-1" }, changes: []string{mobile1, bySMS}},
		{name: "a Sid where the target keeps none of ours", given: func(w *world) { w.row.SID, w.caps.Aliases = "S-1-5-21-1", false }, changes: []string{mobile1, bySMS}},
		{name: "a Sid that is none", given: func(w *world) { w.row.SID = "1101" },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.SIDInvalid}},
		{name: "names there", given: func(w *world) { w.row.Username, w.user.Aliases = `CONTOSO\ada`, []string{"ADA", `contoso\ADA`} },
			changes: []string{mobile1, bySMS}},
		{name: "name of somebody else", given: func(w *world) { w.row.Username, w.taken = `CONTOSO\ada`, []string{"ada"} },
			changes:  []string{`update user ada@contoso.example -> ada@contoso.example+CONTOSO\ada`, mobile1, bySMS},
			findings: []migrate.Code{migrate.AliasConflict}},
		{name: "name wanted by two", given: func(w *world) {
			w.row.Username, w.shared = `CONTOSO\ada`, shared{migrate.SharedName: {"ada": {Others: []string{`FABRIKAM\ada`}}}}
		}, changes: []string{`update user ada@contoso.example -> ada@contoso.example+CONTOSO\ada`, mobile1, bySMS},
			findings: []migrate.Code{migrate.AliasConflict}},
		{name: "target without names", given: func(w *world) { w.row.Username, w.caps.Aliases = `CONTOSO\ada`, false },
			changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.AliasNotMoved}},
		{name: "nothing to move: not created", given: func(w *world) { w.user, w.row.Phone = nil, legacy.PhoneFields{} },
			findings: []migrate.Code{migrate.UserNothingToMove, migrate.NoFactorAfterApply}, action: migrate.Skip, outlook: migrate.LockedOut},
		{name: "nothing to move: names all the same", given: func(w *world) { w.row.Username, w.row.Phone = `CONTOSO\ada`, legacy.PhoneFields{} },
			changes:  []string{`update user ada@contoso.example -> ada@contoso.example+CONTOSO\ada+ada`},
			findings: []migrate.Code{migrate.UserNothingToMove, migrate.NoFactorAfterApply}, action: migrate.Modify},
		{name: "two rows on one user", given: func(w *world) {
			w.shared = shared{migrate.SharedTarget: {"id:id-ada": {Others: []string{"ada2"}}}}
		}, findings: []migrate.Code{migrate.UserMatchShared}, action: migrate.Skip, outlook: migrate.LockedOut},
		{name: "two rows with one Sid", given: func(w *world) {
			w.row.SID = "S-1-5-21-1"
			w.shared = shared{migrate.SharedTarget: {"sid:s-1-5-21-1": {Others: []string{"ada2"}}}}
		}, findings: []migrate.Code{migrate.UserMatchShared}, action: migrate.Skip, outlook: migrate.LockedOut},
	})
}

func TestDelivery(t *testing.T) {
	run(t, []rule{
		{name: "no provider", given: func(w *world) { w.caps.Telephony = nil }, changes: []string{mobile1, bySMS},
			findings: []migrate.Code{migrate.TelephonyNoProvider}, outlook: migrate.MustAct},
		{name: "no provider for this way", given: func(w *world) { w.caps.Telephony = []cloud.Preference{cloud.VoiceOffice} }, changes: []string{mobile1, bySMS},
			findings: []migrate.Code{migrate.TelephonyNoProvider}, outlook: migrate.MustAct},
		{name: "no provider, but a token", given: func(w *world) {
			w.caps.Telephony, w.row.Tokens = nil, []legacy.Token{token("S1", "12345678901234567890")}
		}, changes: []string{mobile1, "add hardwareOath none -> S1/Acme T1", bySMS}, outlook: migrate.Works},
		{name: "retired", given: func(w *world) { w.caps.RetiresTelephony = true }, changes: []string{mobile1, bySMS},
			findings: []migrate.Code{migrate.TelephonyRetirement}, outlook: migrate.MustAct},
		{name: "only method of a new user forbidden", given: func(w *world) { w.user, w.caps.Forbidden = nil, []cloud.Method{cloud.Mobile} },
			changes: []string{"add user none -> ada@contoso.example", mobile1}, findings: []migrate.Code{migrate.MethodNotAllowed, migrate.NoFactorAfterApply},
			action: migrate.Create, outlook: migrate.LockedOut},
		{name: "sign-in by text of a new user", given: func(w *world) { w.user, w.caps.SMSSignIn = nil, true },
			changes:  []string{"add user none -> ada@contoso.example", mobile1, bySMS},
			findings: []migrate.Code{migrate.SMSSignInEnabled}, action: migrate.Create},
		{name: "texts forbidden, calls allowed and not delivered", given: func(w *world) {
			w.user.ForbiddenWays, w.caps.Telephony = []cloud.Preference{cloud.SMS}, []cloud.Preference{cloud.SMS}
		}, changes: []string{mobile1, "set defaultMethod none -> voiceMobile"},
			findings: []migrate.Code{migrate.DefaultMethodChanged, migrate.TelephonyNoProvider}, outlook: migrate.MustAct},
		{name: "only method forbidden", given: func(w *world) { w.user.Forbidden = []cloud.Method{cloud.Mobile} }, changes: []string{mobile1},
			findings: []migrate.Code{migrate.MethodNotAllowed, migrate.NoFactorAfterApply}, outlook: migrate.LockedOut},
		{name: "only an address", given: func(w *world) { w.row.Phone, w.row.Email = legacy.PhoneFields{}, "ada@home.example" },
			changes: []string{"add email none -> ada@home.example"}, findings: []migrate.Code{migrate.NoFactorAfterApply}, outlook: migrate.LockedOut},
	})
}

func TestIrreversibleWhereTheTargetDeletesNothing(t *testing.T) {
	r := rule{given: func(w *world) { w.caps.Methods[cloud.Mobile] = cloud.Access{Create: true, Read: true, Update: true} }}
	for _, c := range r.decide(t).Changes {
		if want := c.Method == cloud.Mobile; c.Irreversible != want {
			t.Errorf("%s: irreversible %v, want %v", line(c), c.Irreversible, want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, opt := range map[string]migrate.Options{
		"existing": {Now: now, Existing: "x"}, "default": {Now: now, DefaultMethod: "x"}, "email": {Now: now, Email: "x"},
		"mode": {Now: now, CompanyMode: "x"}, "time": {}, "country": {Now: now, DefaultCountry: "Atlantis"},
	} {
		if _, err := migrate.NewMapper(opt, engine()); err == nil {
			t.Errorf("%s: wrong options are taken", name)
		}
	}
}

// Entra's inventory of tokens takes none without a maker.
func TestEveryTokenHasAMaker(t *testing.T) {
	for name, given := range map[string]legacy.Token{
		"from an export": token("S1", "key of the token"),
		"no maker":       {Serial: "S1", Seed: seed("key of the token"), Generator: sixDigits},
		"no serial":      {Manufacturer: "Acme", Seed: seed("key of the token"), Generator: sixDigits},
	} {
		d := rule{given: func(w *world) { w.row.Tokens = []legacy.Token{given} }}.decide(t)
		found := false
		for _, c := range d.Changes {
			if o := c.After.OATH; o != nil {
				found = true
				if o.Manufacturer == "" || o.Model == "" || o.Name == "" {
					t.Errorf("%s: %q %q called %q", name, o.Manufacturer, o.Model, o.Name)
				}
			}
		}
		if !found {
			t.Errorf("%s: the token does not move", name)
		}
	}
}
