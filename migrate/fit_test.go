package migrate_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
	"mfabridge/legacy"
	numbers "mfabridge/legacy/phone"
	"mfabridge/migrate"
)

// TestPlansWhatIsTaken plans for rows with values that an engine refuses, and
// holds each change against the engine's own rules: one that apply could not
// make would leave somebody out whom the plan says works.
func TestPlansWhatIsTaken(t *testing.T) {
	const key = "12345678901234567890"
	long := func(n int) string { return strings.Repeat("a", n) }
	with := func(change func(*legacy.User)) legacy.User {
		u := row("ada@contoso.example", 1)
		change(&u)
		return u
	}
	called := func(name string) func(*legacy.User) {
		return func(u *legacy.User) { u.Username, u.UPN = name, "ada@contoso.example" }
	}
	generator := func(serial string) func(*legacy.User) {
		return func(u *legacy.User) { u.Tokens = []legacy.Token{token(serial, key)} }
	}
	office := func(extension string) func(*legacy.User) {
		return func(u *legacy.User) { u.Mode, u.Phone = legacy.ModeVoiceCall, extended("2079460001", extension) }
	}
	mail := func(address string) func(*legacy.User) { return func(u *legacy.User) { u.Email = address } }
	plans := numbers.NewPlans()
	for name, c := range map[string]struct {
		change func(*legacy.User)
		want   migrate.Code
		lost   bool // the user cannot be made at all
	}{
		"login name, nothing wide":    {change: called("a\u200bda"), want: migrate.AliasUnfit},
		"login name, soft hyphen":     {change: called("ada\u00ad"), want: migrate.AliasUnfit},
		"login name, no-break space":  {change: called("ada\u00a0b"), want: migrate.AliasUnfit},
		"login name, other direction": {change: called("CORP\\\u202eada"), want: migrate.AliasUnfit},
		"login name, private letter":  {change: called("ada\ue000"), want: migrate.AliasUnfit},
		"login name, no UTF-8":        {change: called("ada\xff"), want: migrate.AliasUnfit},
		"login name, all scripts":     {change: called("CORP\\उपयोगकर्ता")},
		"login name, Persian":         {change: called("CORP\\می\u200cنا")},
		"login name, Hindi joined":    {change: called("CORP\\क्\u200dष")},
		"login name, joiner of none":  {change: called("CORP\\a\u200dda"), want: migrate.AliasUnfit},
		"login name, filler":          {change: called("CORP\\ada\u3164"), want: migrate.AliasUnfit},
		"login name, picture chosen":  {change: called("CORP\\ada\ufe0f"), want: migrate.AliasUnfit},
		"principal name, Persian":     {change: func(u *legacy.User) { u.UPN = "می\u200cنا@contoso.example" }},
		"address, Hindi":              {change: mail("आदित्य@डाटामेल.भारत")},
		"address, Thai":               {change: mail("ada@ที่ทำงาน.ไทย")},
		"address, Vietnamese apart":   {change: mail("nguye\u0302\u0303n@vie\u0323\u0302t.example")},
		"address, direction mixed":    {change: mail("ada@abcא.example"), want: migrate.EmailInvalid},
		"login name, too long":        {change: called(long(257)), want: migrate.AliasUnfit},
		"login name, space within":    {change: called(`CORP\ ada`)},
		"login name, longest":         {change: called(long(256))},
		"principal name, too long":    {change: func(u *legacy.User) { u.UPN = long(250) + "@contoso.example" }, want: migrate.UserUnmatched, lost: true},
		"user name, too long":         {change: func(u *legacy.User) { u.Username, u.UPN = long(250)+"@contoso.example", "" }, want: migrate.UserUnmatched, lost: true},
		"Sid, too many parts":         {change: func(u *legacy.User) { u.SID = "S-1-5" + strings.Repeat("-1", 16) }, want: migrate.SIDInvalid},
		"Sid, most parts":             {change: func(u *legacy.User) { u.SID = "S-1-5" + strings.Repeat("-1", 15) }},
		"serial, nothing wide":        {change: generator("A\u200b1"), want: migrate.TokenUnsupported},
		"serial, no-break space":      {change: generator("A\u00a01"), want: migrate.TokenUnsupported},
		"serial, too long":            {change: generator(long(129)), want: migrate.TokenUnsupported},
		"serial, longest":             {change: generator(long(128))},
		"address, too long":           {change: mail(long(242) + "@home.example"), want: migrate.EmailInvalid},
		"address, nothing wide":       {change: mail("a\u200bda@home.example"), want: migrate.EmailInvalid},
		"address, no domain name":     {change: mail("ada@home_1.example"), want: migrate.EmailInvalid},
		"address, long label":         {change: mail("ada@" + long(64) + ".example"), want: migrate.EmailInvalid},
		"address, all scripts":        {change: mail("zoë@häuser.example")},
		"number, too many digits":     {change: func(u *legacy.User) { u.Phone = legacy.PhoneFields{CountryCode: "49", Number: "30123456789012"} }, want: migrate.PhoneInvalid, lost: true},
		"extension, too many digits":  {change: office("123456789012"), want: migrate.PhoneInvalid, lost: true},
		"extension, most digits":      {change: office("12345678901")},
	} {
		var out sheet
		opt := migrate.Options{CreateUsers: true, Now: now, Email: migrate.EmailAll, NumberingPlans: plans}
		if _, err := migrate.Plan(t.Context(), &export{users: []legacy.User{with(c.change)}}, &directory{caps: engine()}, opt, &out); err != nil {
			t.Fatal(err)
		}
		d := out.decisions[0]
		if found := codesOf(d); c.want != "" && !slices.Contains(found, c.want) {
			t.Errorf("%s: %v, want %s", name, found, c.want)
		}
		if made := d.Action == migrate.Create; made == c.lost {
			t.Errorf("%s: the user is made: %v", name, made)
		}
		for _, change := range d.Changes {
			if err := taken(change.Change); err != nil {
				t.Errorf("%s: %s is planned, and refused: %v", name, line(change), err)
			}
		}
	}
}

// taken holds a change against the rules of an engine.
func taken(c cloud.Change) error {
	switch {
	case c.Method == cloud.Account:
		return form.CheckProfile(c.After.Profile)
	case c.Method == cloud.Email:
		return form.CheckEmail(c.After.Text)
	case c.Method.IsPhone():
		return form.CheckPhone(c.Method, c.After.Text)
	case c.Method.IsOATH():
		return form.CheckOATH(c.After.OATH)
	}
	return nil
}

// TestRoomForAliases: what an engine has no room for is not planned.
func TestRoomForAliases(t *testing.T) {
	u := row(`CORP\ada`, 1)
	u.UPN = "ada@contoso.example"
	var names []string
	for i := range 19 {
		names = append(names, "ada"+strings.Repeat("x", i+1))
	}
	out, _ := plan(t, []legacy.User{u}, person("A", u.UPN, "", names...))
	d := out.decisions[0]
	if found := codesOf(d); !slices.Contains(found, migrate.AliasUnfit) {
		t.Errorf("findings %v", found)
	}
	for _, c := range d.Changes {
		if err := taken(c.Change); err != nil {
			t.Errorf("%s is planned, and refused: %v", line(c), err)
		}
	}
}

// TestNameWithoutRoomIsWanted: a name that one user has no room for is still that
// user's as much as the other's who wants it.
func TestNameWithoutRoomIsWanted(t *testing.T) {
	var names []string
	for i := range 20 {
		names = append(names, "ada"+strings.Repeat("x", i+1))
	}
	one, other := row(`CORP\ada`, 1), row(`SHOP\ada`, 2)
	one.UPN, other.UPN = "ada@contoso.example", "adam@contoso.example"
	out, _ := plan(t, []legacy.User{one, other}, person("A", one.UPN, "", names...), person("B", other.UPN, ""))
	for _, c := range out.decisions[1].Changes {
		if p := c.Change.After.Profile; p != nil && slices.Contains(p.Aliases, "ada") {
			t.Errorf("one of two gets it: %s", line(c))
		}
	}
	if found := codesOf(out.decisions[1]); !slices.Contains(found, migrate.AliasConflict) {
		t.Errorf("findings %v", found)
	}
}

func codesOf(d migrate.Decision) []migrate.Code {
	var codes []migrate.Code
	for _, f := range d.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

// TestExportOfTomorrow: blocks would last from a day that is yet to come.
func TestExportOfTomorrow(t *testing.T) {
	for ahead, ok := range map[time.Duration]bool{0: true, 24 * time.Hour: true, 24*time.Hour + time.Second: false, 80 * 365 * 24 * time.Hour: false} {
		err := migrate.Options{Now: now, ExportTime: now.Add(ahead)}.Validate()
		if (err == nil) != ok {
			t.Errorf("an export of %v later: %v", ahead, err)
		}
	}
}
