package migrate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// What nobody could give back is a generator or an app that goes, or becomes
// another, for good; apply asks for leave for these alone.
func TestWhatAChangeLoses(t *testing.T) {
	losing := map[string]bool{}
	for _, m := range []cloud.Method{cloud.SoftwareOATH, cloud.HardwareOATH, cloud.Authenticator} {
		for _, op := range []cloud.Op{cloud.Remove, cloud.Update} {
			losing[string(m)+" "+string(op)] = true
		}
	}
	for _, m := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email, cloud.SoftwareOATH, cloud.HardwareOATH, cloud.Authenticator, cloud.DefaultMethod, cloud.Blocked, cloud.Account} {
		for _, op := range []cloud.Op{cloud.Add, cloud.Update, cloud.Remove, cloud.Set} {
			for _, forGood := range []bool{true, false} {
				c := migrate.PlannedChange{Change: cloud.Change{Method: m, Op: op}, Irreversible: forGood}
				if want := forGood && losing[string(m)+" "+string(op)]; c.Loses() != want {
					t.Errorf("%s %s, irreversible %v: loses %v", op, m, forGood, c.Loses())
				}
			}
		}
	}
}

// Which change undo could put back, by what the target takes and by who has the
// secret.
func TestWhatIsForGood(t *testing.T) {
	all := cloud.Access{Create: true, Read: true, Update: true, Delete: true}
	but := func(edit func(*cloud.Access)) cloud.Access {
		a := all
		edit(&a)
		return a
	}
	noDelete, noUpdate, noCreate := but(func(a *cloud.Access) { a.Delete = false }), but(func(a *cloud.Access) { a.Update = false }), but(func(a *cloud.Access) { a.Create = false })
	text, none := cloud.TextValue, cloud.Value{}
	here := cloud.Value{OATH: &cloud.OATH{Serial: "T-1", Name: "a"}}
	renamed := cloud.Value{OATH: &cloud.OATH{Serial: "T-1", Name: "b"}}
	other := cloud.Value{OATH: &cloud.OATH{Serial: "T-2", Name: "a"}}
	secretly := cloud.Value{OATH: &cloud.OATH{Serial: "T-1", Secret: secret.FromString("12345678901234567890")}}
	state := func(s string) cloud.Value { return cloud.Value{State: s} }
	profile := cloud.Value{Profile: &cloud.Profile{UPN: "u@contoso.example"}}
	for name, c := range map[string]struct {
		method        cloud.Method
		op            cloud.Op
		before, after cloud.Value
		access        cloud.Access
		want          bool
	}{
		"a number is added":                     {cloud.Mobile, cloud.Add, none, text("+1 4255550101"), all, false},
		"a number is added for good":            {cloud.Mobile, cloud.Add, none, text("+1 4255550101"), noDelete, true},
		"a number becomes another":              {cloud.Mobile, cloud.Update, text("+1 4255550101"), text("+1 4255550102"), all, false},
		"a number becomes another for good":     {cloud.Mobile, cloud.Update, text("+1 4255550101"), text("+1 4255550102"), noUpdate, true},
		"a number goes":                         {cloud.Mobile, cloud.Remove, text("+1 4255550101"), none, all, false},
		"a number goes for good":                {cloud.Mobile, cloud.Remove, text("+1 4255550101"), none, noCreate, true},
		"a generator is added":                  {cloud.SoftwareOATH, cloud.Add, none, secretly, all, false},
		"a generator goes":                      {cloud.SoftwareOATH, cloud.Remove, here, none, all, true},
		"a generator is renamed":                {cloud.SoftwareOATH, cloud.Update, here, renamed, all, false},
		"a generator gets another secret":       {cloud.SoftwareOATH, cloud.Update, here, secretly, all, true},
		"a generator becomes another":           {cloud.SoftwareOATH, cloud.Update, here, other, all, true},
		"an app is invited":                     {cloud.Authenticator, cloud.Add, none, state("invited"), all, false},
		"an invitation that is over is renewed": {cloud.Authenticator, cloud.Update, state("expired"), state("invited"), all, false},
		"it is renewed for good":                {cloud.Authenticator, cloud.Update, state("expired"), state("invited"), noDelete, true},
		"an open invitation is renewed":         {cloud.Authenticator, cloud.Update, state("invited"), state("invited"), all, true},
		"an app goes":                           {cloud.Authenticator, cloud.Remove, state("active"), none, all, true},
		"a user is changed":                     {cloud.Account, cloud.Update, profile, profile, noUpdate, false},
		"a user is made where none can be":      {cloud.Account, cloud.Add, none, profile, all, true},
		"a block where there is none":           {cloud.Blocked, cloud.Set, none, none, all, true},
	} {
		caps := cloud.Capabilities{Methods: map[cloud.Method]cloud.Access{c.method: c.access}}
		if got := migrate.Irreversible(cloud.Change{Method: c.method, Op: c.op, Before: c.before, After: c.after}, &caps); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	caps := cloud.Capabilities{CreateUsers: true, Block: true, DefaultMethod: all, Preferences: []cloud.Preference{cloud.SMS}}
	for name, c := range map[string]struct {
		change cloud.Change
		want   bool
	}{
		"a user is made":             {cloud.Change{Method: cloud.Account, Op: cloud.Add, After: profile}, false},
		"a block":                    {cloud.Change{Method: cloud.Blocked, Op: cloud.Set}, false},
		"a default that is known":    {cloud.Change{Method: cloud.DefaultMethod, Op: cloud.Set, Before: text("sms"), After: text("oath")}, false},
		"a default that is nobody's": {cloud.Change{Method: cloud.DefaultMethod, Op: cloud.Set, Before: text("fido2"), After: text("oath")}, true},
	} {
		if got := migrate.Irreversible(c.change, &caps); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Each fact by itself, changed, is another list: then apply leaves the user
// alone.
func TestFactsTellEachOtherUser(t *testing.T) {
	base := cloud.User{Profile: cloud.Profile{UPN: "u@contoso.example"}}
	before := migrate.FactsOf(&base)
	for name, edit := range map[string]func(*cloud.User){
		"another name":           func(u *cloud.User) { u.UPN = "v@contoso.example" },
		"a guest":                func(u *cloud.User) { u.Guest = true },
		"an administrator":       func(u *cloud.User) { u.Privileged = true },
		"who signs in by text":   func(u *cloud.User) { u.SMSSignIn = true },
		"who may have no mobile": func(u *cloud.User) { u.Forbidden = []cloud.Method{cloud.Mobile} },
		"who may not be called":  func(u *cloud.User) { u.ForbiddenWays = []cloud.Preference{cloud.VoiceMobile} },
	} {
		u := base
		edit(&u)
		if cmp.Equal(before, migrate.FactsOf(&u)) {
			t.Errorf("%s: the same facts", name)
		}
	}
}

// A Sid is a key only where it is one (MS-DTYP 2.4.2.1): anything else leads to
// nobody, and is given to nobody.
func TestSids(t *testing.T) {
	for text, ok := range map[string]bool{
		"S-1-5-21-1004336348-1177238915-682003330-512": true,
		"s-1-5-21-1":                true,
		"S-1-5-32":                  true,
		"":                          false,
		"S":                         false,
		"S-1-5":                     false,
		"X-1-5-21-1":                false,
		"S-2-5-21-1":                false,
		"S-1-5-21-":                 false,
		"S-1--21-1":                 false,
		"S-1-5-21-x":                false,
		"S-1-5-21-1:2":              false,
		"S-1-5-21-/1":               false,
		"S-1-5-21-1 ":               false,
		"S-1-5-21-999999999999999":  true,
		"S-1-5-21-1000000000000000": false,
		"-1-5-21-1":                 false,
		"1-5-21-1":                  false,
	} {
		want := ""
		if ok {
			want = text
		}
		if got := migrate.SIDOf(&legacy.User{SID: text}); got != want {
			t.Errorf("%q is taken for %q", text, got)
		}
	}
}

// Nobody is created by a name that is none.
func TestNamesToCreateBy(t *testing.T) {
	for name, ok := range map[string]bool{
		"ada@contoso.example": true, "a@b": true, "ädä@contoso.example": true,
		"": false, "ada": false, "@contoso.example": false, "ada@": false, "ada@b@c": false, "ada @contoso.example": false,
		`CONTOSO\ada@contoso.example`: false, "ada@contoso.example\n": false, "a\u200bda@contoso.example": false, "@": false,
	} {
		if got := migrate.IsAddress(name); got != ok {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// Numbers are one whatever stands between their digits; an extension, a calling
// code that is not there, or another digit makes another one.
func TestSamePhones(t *testing.T) {
	const number = "+1 4255550101"
	for other, same := range map[string]bool{
		number: true, "+14255550101": true, "+1 (425) 555-0101": true, "+1.425.555.0101": true,
		"": false, "14255550101": false, "+1 4255550102": false, "+1 425555010": false, "+1 42555501011": false, "+1 425555010x1": false, "+1 4255550101x1": false,
	} {
		if got := migrate.SamePhone(other, number); got != same {
			t.Errorf("%q: %v", other, got)
		}
	}
	if migrate.SamePhone("", "") != true || migrate.SamePhone("", "-") {
		t.Error("no number is some number")
	}
}

// Two numbers are one where their digits are, with the plus and the x that
// stand among them.
func FuzzSamePhone(f *testing.F) {
	for _, pair := range [][2]string{{"+1 4255550101", "+1 (425) 555-0101"}, {"+1 4255550101x1", "+1 4255550101 x 1"}, {"", "-"}, {"-", ""}, {"1", "12"}, {"٣", "x"}} {
		f.Add(pair[0], pair[1])
	}
	dialled := func(number string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("0123456789+x", r) {
				return r
			}
			return -1
		}, number)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		want := a == b || a != "" && dialled(a) == dialled(b)
		if got := migrate.SamePhone(a, b); got != want {
			t.Errorf("%q and %q: %t", a, b, got)
		}
		if got := migrate.DigitsOf(a); got != dialled(a) {
			t.Errorf("%q: digits %q", a, got)
		}
	})
}

// No default is a way that the target's policy forbids the user, whatever they
// have: they could not get in by it.
func TestDefaultThatIsForbidden(t *testing.T) {
	office := func(w *world) { w.user.Office = "+44 2079460003" }
	alternate := func(w *world) { w.user.Mobile, w.user.Alternate = "+44 2079460001", "+44 2079460004" }
	app := func(w *world) { w.user.Authenticators = []cloud.AuthenticatorEntry{{State: "active"}} }
	code := func(w *world) {
		w.user.OATH = []cloud.OATHEntry{{ID: "o", Method: cloud.SoftwareOATH, OATH: cloud.OATH{Serial: "T-9", Algorithm: cloud.SHA1, Digits: 6, Period: 30}}}
	}
	for name, c := range map[string]struct {
		has       []func(*world)
		forbidden []cloud.Method
		ways      []cloud.Preference
		want      cloud.Preference
	}{
		"all of them":                     {[]func(*world){office, alternate, app, code}, nil, nil, cloud.Push},
		"no app":                          {[]func(*world){office, alternate, app, code}, []cloud.Method{cloud.Authenticator}, nil, cloud.OATHCode},
		"no pushes":                       {[]func(*world){office, alternate, app, code}, nil, []cloud.Preference{cloud.Push}, cloud.OATHCode},
		"no app and no code":              {[]func(*world){office, alternate, app, code}, []cloud.Method{cloud.Authenticator, cloud.SoftwareOATH}, nil, cloud.SMS},
		"a code of another kind":          {[]func(*world){alternate, code}, []cloud.Method{cloud.HardwareOATH}, nil, cloud.OATHCode},
		"no texts":                        {[]func(*world){office, alternate}, nil, []cloud.Preference{cloud.SMS}, cloud.VoiceMobile},
		"no mobile":                       {[]func(*world){office, alternate}, []cloud.Method{cloud.Mobile}, nil, cloud.VoiceOffice},
		"no mobile, no office":            {[]func(*world){office, alternate}, []cloud.Method{cloud.Mobile, cloud.Office}, nil, cloud.VoiceAlternateMobile},
		"no mobile, nothing else":         {[]func(*world){alternate}, []cloud.Method{cloud.Mobile, cloud.AlternateMobile}, nil, ""},
		"no telephone of three":           {[]func(*world){office, alternate}, []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office}, nil, ""},
		"an app that was only invited to": {[]func(*world){func(w *world) { w.user.Authenticators = []cloud.AuthenticatorEntry{{State: "invited"}} }}, nil, nil, cloud.SMS},
	} {
		r := rule{name: name, given: func(w *world) {
			w.opt.DefaultMethod = migrate.DefaultSecure
			for _, edit := range c.has {
				edit(w)
			}
			w.user.Forbidden, w.user.ForbiddenWays = c.forbidden, c.ways
		}}
		var got string
		for _, change := range r.decide(t).Changes {
			if change.Method == cloud.DefaultMethod {
				got = change.After.Text
			}
		}
		if got != string(c.want) {
			t.Errorf("%s: asked by %q, not %q", name, got, strings.TrimSpace(string(c.want)))
		}
	}
}
