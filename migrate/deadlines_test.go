package migrate_test

import (
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

const deadlinesHeader = "cloud,class,date,source\n"

func deadlines(t *testing.T, text string) *migrate.Deadlines {
	t.Helper()
	d, err := migrate.ReadDeadlines(strings.NewReader(text), "ends.csv")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeadlinesAreReadStrictly(t *testing.T) {
	good := "\ufeffsource, Date,class,cloud\r\n\"a page, read\",2027-02-01,member,global\r\nnone published,,external,china\r\n"
	if d := deadlines(t, good); d.File != "ends.csv" || len(d.SHA256) != 64 {
		t.Errorf("file %q, digest %q", d.File, d.SHA256)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "ends.csv:1: there is no deadline"},
		"only a header":    {deadlinesHeader, "ends.csv:1: there is no deadline"},
		"no source column": {"cloud,class,date\nglobal,member,2027-02-01\n", "ends.csv:1: the header has no column source"},
		"another column":   {"cloud,class,date,source,note\n", "ends.csv:1: the header has 5 columns"},
		"fields":           {deadlinesHeader + "global,member,2027-02-01\n", "ends.csv:2: the line has 3 fields"},
		"cloud":            {deadlinesHeader + "mars,member,2027-02-01,x\n", `ends.csv:2: there is no cloud "mars"`},
		"class":            {deadlinesHeader + "global,guest,2027-02-01,x\n", `ends.csv:2: there is no class of users "guest"`},
		"date":             {deadlinesHeader + "global,member,1 Feb 2027,x\n", `ends.csv:2: the date "1 Feb 2027"`},
		"no such day":      {deadlinesHeader + "global,member,2027-02-30,x\n", "ends.csv:2: the date"},
		"no source":        {deadlinesHeader + "global,member,2027-02-01, \n", "ends.csv:2: the source is empty"},
		"twice":            {deadlinesHeader + "global,member,2027-02-01,x\nglobal,member,2027-03-01,x\n", "ends.csv:3: member of global stand twice"},
		"open quote":       {deadlinesHeader + "global,member,2027-02-01,\"x\n", "ends.csv:2: a quoted field has no end"},
		"line break":       {deadlinesHeader + "global,member,2027-02-01,\"a\nb\"\n", "ends.csv:2: a field"},
		"large":            {deadlinesHeader + strings.Repeat(" ", migrate.MaxDeadlineFile), "larger than"},
	} {
		if _, err := migrate.ReadDeadlines(strings.NewReader(c.text), "ends.csv"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzDeadlines(f *testing.F) {
	f.Add(deadlinesHeader + "global,member,2027-02-01,x\n")
	f.Add("source,date,class,cloud\r\n\"a, \"\"b\"\"\",,external,china\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := migrate.ReadDeadlines(strings.NewReader(text), "f")
		if (d == nil) == (err == nil) {
			t.Errorf("%v and %v", d, err)
		}
	})
}

// retiring is a target that ends its own telephony.
func retiring(change func(*world)) func(*world) {
	return func(w *world) {
		w.caps.RetiresTelephony, w.caps.Cloud = true, "global"
		w.row.Mode = legacy.ModeVoiceCall
		if change != nil {
			change(w)
		}
	}
}

func TestRetirement(t *testing.T) {
	const extended6 = "2027-07-01"
	for _, c := range []struct {
		name     string
		given    func(*world)
		severity migrate.Severity
		says     string
		outlook  migrate.Outlook
	}{
		{"member", nil, migrate.SeverityWarning, "2027-02-01", migrate.MustAct},
		{"cloud not named", func(w *world) { w.caps.Cloud = "" }, migrate.SeverityWarning, "2027-02-01", migrate.MustAct},
		{"guest of this organisation", func(w *world) { w.user.Guest = true }, migrate.SeverityWarning, "2027-02-01", migrate.MustAct},
		{"external", func(w *world) { w.user.External = true }, migrate.SeverityWarning, extended6, migrate.MustAct},
		{"global administrator", func(w *world) { w.user.GlobalAdmin = true }, migrate.SeverityWarning, extended6, migrate.MustAct},
		{"no date published", func(w *world) { w.caps.Cloud = "usgov" }, migrate.SeverityWarning, "a date that is not known (none published", migrate.MustAct},
		{"a table of the customer's", func(w *world) {
			w.opt.Deadlines = deadlines(t, deadlinesHeader+"global,member,2028-01-02,a letter\n")
		}, migrate.SeverityWarning, "2028-01-02 (a letter)", migrate.MustAct},
		{"not in the customer's table", func(w *world) {
			w.user.External = true
			w.opt.Deadlines = deadlines(t, deadlinesHeader+"global,member,2028-01-02,a letter\n")
		}, migrate.SeverityWarning, "a date that is not known", migrate.MustAct},
		{"provider", func(w *world) { w.opt.Provider.Voice = true }, migrate.SeverityInfo, "the provider delivers", migrate.Works},
		{"provider of texts, office only", func(w *world) {
			w.opt.Provider.SMS, w.row.Phone = true, extended("2079460001", "5")
		}, migrate.SeverityWarning, "2027-02-01", migrate.MustAct},
		{"provider and sign-in by text", func(w *world) { w.opt.Provider.SMS, w.user.SMSSignIn = true, true },
			migrate.SeverityWarning, "but not the sign-in by text alone", migrate.MustAct},
	} {
		d := rule{given: retiring(c.given)}.decide(t)
		var found []migrate.Finding
		for _, f := range d.Findings {
			if f.Code == migrate.TelephonyRetirement {
				found = append(found, f)
			}
		}
		if len(found) != 1 || found[0].Severity != c.severity || !strings.Contains(found[0].Detail, c.says) || d.Outlook != c.outlook {
			t.Errorf("%s: %+v, outlook %s; want %s, %q, %s", c.name, found, d.Outlook, c.severity, c.says, c.outlook)
		}
	}
}

// Deadlines are counted for those who lose something, and for nobody else.
func TestDeadlinesAreCounted(t *testing.T) {
	dir := &directory{caps: engine()}
	dir.caps.RetiresTelephony, dir.caps.CreateUsers = true, false
	src := &export{}
	for i, change := range []func(*cloud.User, *legacy.User){
		func(*cloud.User, *legacy.User) {},
		func(*cloud.User, *legacy.User) {},
		func(u *cloud.User, _ *legacy.User) { u.External = true },
		func(_ *cloud.User, row *legacy.User) {
			row.Tokens = []legacy.Token{token("S1", "12345678901234567890")}
		},
		func(_ *cloud.User, row *legacy.User) { row.Phone = legacy.PhoneFields{} },
	} {
		row := ada()
		row.UPN = string(rune('a'+i)) + "@contoso.example"
		row.Username, row.Phone.Number = row.UPN, "207946000"+string(rune('1'+i))
		user := person("id"+row.UPN, row.UPN, "")
		change(user, &row)
		src.users, dir.users = append(src.users, row), append(dir.users, user)
	}
	var out sheet
	sum, err := migrate.Plan(t.Context(), src, dir, migrate.Options{Now: now}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if len(sum.Deadlines) != 2 || sum.Deadlines["2027-02-01"] != 2 || sum.Deadlines["2027-07-01"] != 1 {
		t.Errorf("deadlines %v", sum.Deadlines)
	}
}

func TestSignInByText(t *testing.T) {
	signs := func(change func(*world)) func(*world) {
		return func(w *world) { w.user.SMSSignIn = true; change(w) }
	}
	run(t, []rule{
		{name: "a mobile is written", given: signs(func(*world) {}), changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.SMSSignInEnabled}},
		{name: "it is there already", given: signs(func(w *world) { w.user.Mobile = "+44 2079460001" }), changes: []string{bySMS}},
		{name: "another is kept", given: signs(func(w *world) { w.user.Mobile = "+44 2079460002" }), changes: []string{bySMS},
			findings: []migrate.Code{migrate.MethodDiffersInCloud}},
		{name: "another is replaced", given: signs(func(w *world) { w.user.Mobile, w.opt.Existing = "+44 2079460002", migrate.ExistingReplace }),
			changes: []string{"update mobile +44 2079460002 -> +44 2079460001", bySMS}, findings: []migrate.Code{migrate.SMSSignInEnabled}},
		{name: "an office number", given: signs(func(w *world) { w.row.Phone, w.row.Mode = extended("2079460001", "5"), legacy.ModeVoiceCall }),
			changes: []string{"add office none -> +44 2079460001x5", "set defaultMethod none -> voiceOffice"}},
	})
}

func TestInvitationsRenewed(t *testing.T) {
	invited := func(again bool, states ...string) func(*world) {
		return func(w *world) {
			w.row.Mode, w.row.Phone, w.opt.Reinvite = legacy.ModePhoneApp, legacy.PhoneFields{}, again
			for i, s := range states {
				w.user.Authenticators = append(w.user.Authenticators, cloud.AuthenticatorEntry{ID: string(rune('a' + i)), State: s})
			}
		}
	}
	still := []migrate.Code{migrate.PushNeedsActivation, migrate.NoFactorAfterApply}
	run(t, []rule{
		{name: "expired, not asked for", given: invited(false, "expired"), findings: still},
		{name: "expired", given: invited(true, "expired"), changes: []string{"update authenticator expired -> invited"}, findings: still},
		{name: "one expired, one open", given: invited(true, "expired", "invited"), findings: still},
		{name: "open", given: invited(true, "invited"), findings: still},
		{name: "the target renews none", given: func(w *world) {
			invited(true, "expired")(w)
			w.caps.Methods[cloud.Authenticator] = cloud.Access{Create: true, Delete: true}
		}, findings: still},
	})
}

func TestTokensThatSomebodyHasToActivate(t *testing.T) {
	passive := func(change func(*world)) func(*world) {
		return func(w *world) {
			tokenRow(w)
			w.caps.OATH.Activates = false
			w.row.Tokens = []legacy.Token{token("S1", "12345678901234567890")}
			change(w)
		}
	}
	run(t, []rule{
		{name: "does not count", given: passive(func(*world) {}), changes: []string{"add hardwareOath none -> S1/Acme T1"},
			findings: []migrate.Code{migrate.TokenNotActivated, migrate.NoFactorAfterApply}, outlook: migrate.LockedOut},
		{name: "is no default", given: passive(func(w *world) { w.row.Phone = phone("2079460001") }),
			changes:  []string{mobile1, "add hardwareOath none -> S1/Acme T1", bySMS},
			findings: []migrate.Code{migrate.TokenNotActivated, migrate.DefaultMethodChanged}, outlook: migrate.Works},
		{name: "one that is there counts", given: passive(func(w *world) {
			w.user.OATH = []cloud.OATHEntry{entry("e1", "S1", "12345678901234567890")}
		}), changes: []string{byOATH}, outlook: migrate.Works},
		{name: "one that waits there does not", given: passive(func(w *world) {
			w.user.OATH = []cloud.OATHEntry{entry("e1", "S1", "12345678901234567890")}
			w.user.OATH[0].Inactive = true
		}), findings: []migrate.Code{migrate.TokenNotActivated, migrate.NoFactorAfterApply}, outlook: migrate.LockedOut},
		{name: "somebody else's that waits there does not", given: passive(func(w *world) {
			w.row.Tokens = nil
			w.user.OATH = []cloud.OATHEntry{entry("e1", "S1", "12345678901234567890")}
			w.user.OATH[0].Inactive = true
		}), findings: []migrate.Code{migrate.UserNothingToMove, migrate.NoFactorAfterApply}, outlook: migrate.LockedOut},
	})
}

func TestAdministratorsNamedByThePlan(t *testing.T) {
	named := func(text string) func(*world) {
		return func(w *world) {
			w.user.Privileged = true
			w.opt.Privileged = names(t, text)
		}
	}
	run(t, []rule{
		{name: "named", given: named("# boss\nADA@contoso.example\n"), changes: []string{mobile1, bySMS}, findings: []migrate.Code{migrate.PrivilegedIncluded}, action: migrate.Modify},
		{name: "another is", given: named("ben@contoso.example\n"), findings: []migrate.Code{migrate.UserPrivileged, migrate.NoFactorAfterApply}, action: migrate.Skip},
	})
}

// Who signs in to the target by text alone hears when that ends, also beside an app
// or a token; not where the target ends nothing.
func TestSignInByTextEnds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		says   string
	}{
		"a member":           {func(*world) {}, "2027-02-01"},
		"an external user":   {func(w *world) { w.user.External = true }, "2027-07-01"},
		"nothing ends":       {func(w *world) { w.caps.RetiresTelephony = false }, ""},
		"no sign-in by text": {func(w *world) { w.user.SMSSignIn = false }, ""},
		"no number":          {func(w *world) { w.user.Mobile = "" }, ""},
	} {
		d := rule{given: retiring(func(w *world) {
			w.user.SMSSignIn, w.user.Mobile, w.row.Phone = true, "+44 2079460001", legacy.PhoneFields{}
			w.row.Mode, w.row.Tokens = legacy.ModeOathToken, []legacy.Token{token("S1", "12345678901234567890")}
			c.change(w)
		})}.decide(t)
		said := ""
		for _, f := range d.Findings {
			if f.Code == migrate.SMSSignInEnds {
				said += f.Detail
			}
		}
		if c.says == "" && said != "" || !strings.Contains(said, c.says) {
			t.Errorf("%s: %q, want %q", name, said, c.says)
		}
	}
}
