package migrate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

func TestMatching(t *testing.T) {
	r := func(username, upn, sid string) legacy.User {
		u := row(username, 1)
		u.UPN, u.SID = upn, sid
		return u
	}
	a, b := person("A", "a@contoso.example", "S-1-5-1"), person("B", "b@contoso.example", "S-1-5-2", "bee", `CONTOSO\bee`)
	for _, c := range []struct {
		name string
		row  legacy.User
		by   string
		id   cloud.UserID
		code migrate.Code
	}{
		{"by UPN", r("x", "A@contoso.example", ""), "upn", "A", ""},
		{"by Username", r("a@contoso.example", "", ""), "username", "A", ""},
		{"by Username where the UPN is unknown", r("a@contoso.example", "new@contoso.example", ""), "username", "A", ""},
		{"by Sid", r("x", "new@contoso.example", "s-1-5-1"), "sid", "A", ""},
		{"all agree", r("a@contoso.example", "a@contoso.example", "S-1-5-1"), "upn", "A", ""},
		{"UPN and Sid disagree", r("x", "a@contoso.example", "S-1-5-2"), "", "", migrate.UserMatchConflict},
		{"UPN and Username disagree", r("b@contoso.example", "a@contoso.example", ""), "", "", migrate.UserMatchConflict},
		{"Sid contradicts", r("x", "a@contoso.example", "S-1-5-9"), "", "", migrate.UserMatchConflict},
		{"several hits", r("x", "twice@contoso.example", ""), "", "", migrate.UserAmbiguous},
		{"created", r("new@contoso.example", "", "S-1-5-9"), "created", "", ""},
		{"created under a name that is taken", r("x", "alias@contoso.example", ""), "", "", migrate.UserMatchConflict},
		{"no name to create with", r("bare", "", ""), "", "", migrate.UserUnmatched},
		{"a UPN that is none", r("c@contoso.example", `CONTOSO\c`, ""), "", "", migrate.UserUnmatched},
		{"a bare Username is no key", r("bee", "", ""), "", "", migrate.UserUnmatched},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _ := plan(t, []legacy.User{c.row}, a, b, person("C", "twice@contoso.example", ""), person("D", "twice@contoso.example", ""),
				person("E", "e@contoso.example", "", "alias@contoso.example"))
			d := out.decisions[0]
			if d.MatchedBy != c.by || d.Target != c.id {
				t.Errorf("matched %q by %q, want %q by %q", d.Target, d.MatchedBy, c.id, c.by)
			}
			if c.code == "" {
				if d.Action == migrate.Skip {
					t.Errorf("skipped: %+v", d.Findings)
				}
				return
			}
			if d.Action != migrate.Skip || d.Outlook != migrate.LockedOut || len(d.Changes) != 0 || out.codes(c.row.Username)[0] != c.code {
				t.Errorf("action %s, outlook %s, findings %v, want %s alone", d.Action, d.Outlook, out.codes(c.row.Username), c.code)
			}
		})
	}
}

// A target that keeps no Sid of ours knows the one of Active Directory all the
// same.
func TestSidLeadsToEntraUsers(t *testing.T) {
	r := row("old", 1)
	r.UPN, r.SID = "gone@contoso.example", "S-1-5-1"
	for sid, want := range map[string]string{"S-1-5-1": "sid", "S-1-5-2": ""} {
		var out sheet
		dir := &directory{caps: entra(), users: []*cloud.User{person("A", "a@contoso.example", sid)}}
		if _, err := migrate.Plan(t.Context(), &export{users: []legacy.User{r}}, dir, migrate.Options{Now: now}, &out); err != nil {
			t.Fatal(err)
		}
		if d := out.decisions[0]; d.MatchedBy != want {
			t.Errorf("%s: matched by %q, findings %v", sid, d.MatchedBy, d.Findings)
		}
	}
}

func TestNobodyIsCreatedUnasked(t *testing.T) {
	for name, change := range map[string]func(*migrate.Options, *cloud.Capabilities){
		"not asked for":       func(o *migrate.Options, _ *cloud.Capabilities) { o.CreateUsers = false },
		"target creates none": func(_ *migrate.Options, c *cloud.Capabilities) { c.CreateUsers = false },
	} {
		t.Run(name, func(t *testing.T) {
			opt, caps := migrate.Options{CreateUsers: true, Now: now}, engine()
			change(&opt, &caps)
			var out sheet
			if _, err := migrate.Plan(t.Context(), &export{users: []legacy.User{ada()}}, &directory{caps: caps}, opt, &out); err != nil {
				t.Fatal(err)
			}
			if d := out.decisions[0]; d.Action != migrate.Skip || len(d.Changes) != 0 || out.codes(ada().Username)[0] != migrate.UserUnmatched {
				t.Errorf("decision %+v", d)
			}
		})
	}
}

// An address with something around it is nobody's name: a user who was made
// with it could never sign in.
func TestNobodyIsCreatedByWhatIsNoName(t *testing.T) {
	for _, name := range []string{"mailto:ada@contoso.example", "<ada@contoso.example>", "ada@contoso.example,", "ada@contoso.example;", `"ada"@contoso.example`,
		"ada@contoso.example (work)", "ada@[192.0.2.1]", "ada@", "@contoso.example", "a@da@contoso.example", "ad\u200ba@contoso.example"} {
		r := row("ada", 1)
		r.UPN = name
		if out := planWith(t, migrate.Options{CreateUsers: true}, []legacy.User{r}); out.decisions[0].Action != migrate.Skip || out.codes("ada")[0] != migrate.UserUnmatched {
			t.Errorf("%q: %+v", name, out.decisions[0])
		}
		r.Username, r.UPN = name, ""
		if out := planWith(t, migrate.Options{CreateUsers: true}, []legacy.User{r}); out.decisions[0].Action != migrate.Skip {
			t.Errorf("Username %q: %+v", name, out.decisions[0])
		}
	}
	for _, name := range []string{"o'neil+test@contoso.example", "jörg@contoso.example", "ada_l-1.x#ext#@contoso.example"} {
		r := row("ada", 1)
		r.UPN = name
		if out := planWith(t, migrate.Options{CreateUsers: true}, []legacy.User{r}); out.decisions[0].Action != migrate.Create {
			t.Errorf("%q: %+v", name, out.decisions[0])
		}
	}
}

func TestRowsOnOneUser(t *testing.T) {
	first, second, other := row("a@contoso.example", 1), row("old", 2), row("c@contoso.example", 1)
	second.UPN, second.SID = "", "S-1-5-1"
	out, _ := plan(t, []legacy.User{first, second, other}, person("A", "a@contoso.example", "S-1-5-1"))
	for _, name := range []string{first.Username, second.Username} {
		if d := out.of(name); d.Action != migrate.Skip || len(d.Changes) != 0 || out.codes(name)[0] != migrate.UserMatchShared {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if codes := out.codes(other.Username); len(codes) != 0 {
		t.Errorf("the number of a row that does not move is shared: %v", codes)
	}
	// A disabled row that is skipped is in nobody's way.
	second.Enabled = false
	out, _ = plan(t, []legacy.User{first, second}, person("A", "a@contoso.example", "S-1-5-1"))
	if codes := out.codes(first.Username); len(codes) != 0 {
		t.Errorf("a skipped row is in the way: %v", codes)
	}
}

func TestSharedNumbers(t *testing.T) {
	var users []legacy.User
	for i := range 9 {
		users = append(users, row(fmt.Sprintf("u%d@contoso.example", i), 1))
	}
	users[7].Enabled = false // does not move
	u8 := person("U8", "u8@contoso.example", "")
	u8.Mobile, u8.Default = "+44 20 7946 0001", cloud.SMS // has it already: nothing is said of u8, and the others hear of it
	out, sum := plan(t, users, u8)
	if sum.Findings[migrate.PhoneShared] != 7 {
		t.Errorf("%d users share the number, want 7", sum.Findings[migrate.PhoneShared])
	}
	got := out.of("u2@contoso.example").Findings[0].Detail
	want := "+44 ********01 is also the number of u0@contoso.example, u1@contoso.example, u3@contoso.example, u4@contoso.example, u5@contoso.example and 2 more"
	if got != want {
		t.Errorf("detail\n %s\nwant\n %s", got, want)
	}
	if got := out.of("u6@contoso.example").Findings[0].Detail; !strings.HasSuffix(got, "u4@contoso.example and 2 more") {
		t.Errorf("detail of the last: %s", got)
	}
}

func TestSharedSecrets(t *testing.T) {
	const key = "12345678901234567890"
	a, b, c := row("a@contoso.example", 1), row("b@contoso.example", 2), row("c@contoso.example", 3)
	a.Tokens, b.Tokens = []legacy.Token{token("S1", key)}, []legacy.Token{token("S2", key)}
	c.Devices = []legacy.Device{device("P", key, 0)}
	out, _ := plan(t, []legacy.User{a, b, c})
	for name, code := range map[string]migrate.Code{a.Username: migrate.TokenConflict, b.Username: migrate.TokenConflict, c.Username: migrate.DeviceConflict} {
		if codes := out.codes(name); !slices.Contains(codes, code) {
			t.Errorf("%s: %v, want %s", name, codes, code)
		}
	}
	for _, d := range out.decisions {
		for _, ch := range d.Changes {
			if ch.Method.IsOATH() {
				t.Errorf("%s gets %s", d.Username, line(ch))
			}
		}
	}
	// One whose row does not move is in nobody's way, and is named.
	b.Enabled, c.Devices = false, nil
	out, _ = plan(t, []legacy.User{a, b, c})
	if codes := out.codes(a.Username); !slices.Equal(codes, []migrate.Code{migrate.SecretElsewhere}) {
		t.Errorf("a token of a disabled user: %v", codes)
	}
	if got, want := out.of(a.Username).Findings[0].Detail, `the secret of token "S1" also stands with b@contoso.example, and does not move from there`; got != want {
		t.Errorf("detail\n %s\nwant\n %s", got, want)
	}
	// One who has it in the target is.
	holder := person("B", b.UPN, "")
	holder.OATH = []cloud.OATHEntry{entry("e", "S2", key)}
	b.Enabled, b.Tokens = true, nil
	if out, _ = plan(t, []legacy.User{a, b}, holder); !slices.Contains(out.codes(a.Username), migrate.TokenConflict) {
		t.Errorf("a token that another has in the target moves: %v", out.codes(a.Username))
	}
	if got, want := out.of(a.Username).Findings[0].Detail, `the secret of token "S1" also stands with b@contoso.example in the target, and in no row but this`; got != want {
		t.Errorf("detail\n %s\nwant\n %s", got, want)
	}
	// A row that does not move has it all the same.
	b.Tokens, holder.Privileged = []legacy.Token{token("S2", key)}, true
	out, _ = plan(t, []legacy.User{a, b}, holder)
	if got, want := out.of(a.Username).Findings[0].Detail, `the secret of token "S1" also stands with b@contoso.example`; got != want {
		t.Errorf("detail\n %s\nwant\n %s", got, want)
	}
	b.Tokens, holder.Privileged = nil, false
	// Where the row of one of them has it, too, that is where to look.
	c.Tokens = a.Tokens
	out, _ = plan(t, []legacy.User{a, b, c}, holder)
	if got, want := out.of(a.Username).Findings[0].Detail, `the secret of token "S1" also stands with b@contoso.example, c@contoso.example`; got != want {
		t.Errorf("detail\n %s\nwant\n %s", got, want)
	}
}

// A device above the limit moves when one before it cannot; two users' spare
// devices must not meet in this way.
func TestSpareDevicesDoNotMeet(t *testing.T) {
	key := func(c string) string { return strings.Repeat(c, 20) }
	caps := engine()
	caps.OATH.Limit = 2 // one, and the place that is kept
	users := []legacy.User{row("a@contoso.example", 1), row("b@contoso.example", 2)}
	for i, own := range []string{"a", "b"} {
		users[i].Devices = []legacy.Device{device("1", key("x"), -1), device("2", key("s"), -2), device("3", key(own), -3)}
	}
	var out sheet
	if _, err := migrate.Plan(t.Context(), &export{users: users}, &directory{caps: caps}, migrate.Options{CreateUsers: true, Now: now}, &out); err != nil {
		t.Fatal(err)
	}
	for i, own := range []string{"a", "b"} {
		var got []string
		for _, c := range out.decisions[i].Changes {
			if c.Method == cloud.SoftwareOATH {
				got = append(got, c.After.OATH.Serial)
			}
		}
		if diff := cmp.Diff([]string{fingerprintSerial(key(own))}, got); diff != "" {
			t.Errorf("%s gets (-want +got):\n%s", own, diff)
		}
	}
}

func TestSharedNames(t *testing.T) {
	a, b, c := row(`ONE\ada`, 1), row(`TWO\ada`, 2), row("ben@contoso.example", 3)
	a.UPN, b.UPN = "ada1@contoso.example", "ada2@contoso.example"
	taken := row(`ONE\ben`, 4)
	taken.UPN = "ben1@contoso.example"
	holder := person("H", "h@contoso.example", "", "ben")
	out, _ := plan(t, []legacy.User{a, b, c, taken}, holder)
	for name, aliases := range map[string][]string{a.Username: {`ONE\ada`}, b.Username: {`TWO\ada`}, c.Username: nil, taken.Username: {`ONE\ben`}} {
		if diff := cmp.Diff(aliases, out.of(name).Changes[0].After.Profile.Aliases); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, name := range []string{a.Username, b.Username, taken.Username} {
		if !slices.Contains(out.codes(name), migrate.AliasConflict) {
			t.Errorf("%s: no finding", name)
		}
	}
}

// Two rows of one generator that say its codes are of two kinds: which counts,
// and that the other said something else, stands in the finding.
func TestTwinsThatContradict(t *testing.T) {
	for other, want := range map[int]string{30: "", 60: ", with 6 digits by SHA1 every 60 seconds here and 6 digits by SHA1 every 30 seconds there, which moves"} {
		u := row("ada@contoso.example", 1)
		one := strings.Repeat("a", 20)
		u.Devices = []legacy.Device{device("A", one, 0), device("B", one, -1)}
		u.Devices[1].Interval = other
		out, _ := plan(t, []legacy.User{u}, person("A", u.UPN, ""))
		found := out.of(u.Username).Findings
		i := slices.IndexFunc(found, func(f migrate.Finding) bool { return f.Code == migrate.DeviceDuplicate })
		if i < 0 || !strings.Contains(found[i].Detail, "another of this user"+want) || want == "" && !strings.HasSuffix(found[i].Detail, "another of this user") {
			t.Errorf("%d seconds: %v", other, found)
		}
	}
}

// Who is told that José is also wanted by José hears where the two differ.
func TestSharedNamesThatLookAlike(t *testing.T) {
	for _, c := range []struct{ one, two, want string }{
		{"Jos\u00e9", "Jose\u0301", `(U+00E9 here, U+0065 U+0301 there)`},
		{"Jose\u0301", "JOS\u00c9", ""}, // which looks different
		{"ada", "ADA", ""},
	} {
		a, b := row(`ONE\`+c.one, 1), row(`TWO\`+c.two, 2)
		a.UPN, b.UPN = "ada1@contoso.example", "ada2@contoso.example"
		out, _ := plan(t, []legacy.User{a, b})
		found := out.of(a.Username).Findings
		i := slices.IndexFunc(found, func(f migrate.Finding) bool { return f.Code == migrate.AliasConflict })
		if i < 0 || !strings.HasSuffix(found[i].Detail, strings.TrimSpace(`is also wanted by TWO\`+c.two+" "+c.want)) {
			t.Errorf("%+q and %+q: %v", c.one, c.two, found)
		}
	}
}

// A key of one row that would lead to the user of another makes it open whose
// login it is, even where nobody is found by it yet.
func TestRowsThatWouldMeet(t *testing.T) {
	a, b := row("a@contoso.example", 1), row("b@contoso.example", 2)
	for name, change := range map[string]func(){
		"one Sid":                      func() { a.SID, b.SID = "S-1-5-1", "s-1-5-1" },
		"one Sid, one cannot be made":  func() { a.SID, b.SID, b.UPN, b.Username = "S-1-5-1", "s-1-5-1", "", "bare" },
		"Username is the other's name": func() { b.UPN, b.Username = "other@contoso.example", "A@contoso.example" },
	} {
		t.Run(name, func(t *testing.T) {
			a, b = row("a@contoso.example", 1), row("b@contoso.example", 2)
			change()
			out, _ := plan(t, []legacy.User{a, b})
			for _, d := range out.decisions {
				if d.Action != migrate.Skip || d.Findings[0].Code != migrate.UserMatchShared {
					t.Errorf("%s: %s, %v", d.Username, d.Action, d.Findings)
				}
			}
		})
	}
}

// Rows that lead to one user by names that look alike say where these differ.
func TestRowsOnOneUserThatLookAlike(t *testing.T) {
	one, two := row("CORP\\Jos\u00e9", 1), row("corp\\Jose\u0301", 2)
	one.UPN, two.UPN = "jose@contoso.example", "jose@contoso.example"
	out, _ := plan(t, []legacy.User{one, two})
	if got := out.of(one.Username).Findings[0].Detail; strings.Contains(got, "U+") {
		t.Errorf("names that look different: %s", got)
	}
	two.Username = "CORP\\Jose\u0301"
	out, _ = plan(t, []legacy.User{one, two})
	if got := out.of(one.Username).Findings[0].Detail; !strings.HasSuffix(got, "lead to the same user (U+00E9 here, U+0065 U+0301 there)") {
		t.Error(got)
	}
}

func TestProblemsOfTheExport(t *testing.T) {
	src := &export{users: []legacy.User{ada()}, problems: []legacy.Problem{
		{Code: legacy.RowInvalid, Place: legacy.Place{File: "users.csv", Line: 3, Column: 7}, Field: "Enabled", Detail: "is no boolean"},
		{Code: legacy.ColumnUnknown, Place: legacy.Place{File: "users.csv", Line: 1, Column: 9}, Field: "Pin", Detail: "nothing is read from it"},
		{Code: legacy.UserDuplicate, Place: legacy.Place{File: "users.csv", Line: 4}, Username: "Ben", Detail: "lines 4 and 9"},
		{Code: "SOMETHING_NEW", Place: legacy.Place{File: "x"}, Detail: "odd"},
	}}
	var out sheet
	sum, err := migrate.Plan(t.Context(), src, &directory{caps: engine()}, migrate.Options{CreateUsers: true, Now: now}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range out.problems {
		got = append(got, fmt.Sprint(f.Code, "|", f.Severity, "|", f.Place, "|", f.Field, "|", f.Detail, "|", f.Action != ""))
	}
	want := []string{
		"ROW_INVALID|error|users.csv:3:7|Enabled|Enabled: is no boolean|true",
		"COLUMN_UNKNOWN|info|users.csv:1:9|Pin|Pin: nothing is read from it|true",
		"USER_DUPLICATE|error|users.csv:4||Ben: lines 4 and 9|true",
		"EXPORT_PROBLEM|error|x||SOMETHING_NEW: odd|true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if sum.Severity[migrate.SeverityError] != 3 || sum.Findings[migrate.RowInvalid] != 1 {
		t.Errorf("summary %+v", sum)
	}
}

func TestPlanEndsWithAnError(t *testing.T) {
	broken := errors.New("broken")
	other := ada()
	users := []legacy.User{ada()}
	for name, c := range map[string]struct {
		src  *export
		dir  *directory
		sink migrate.Sink
		want error
	}{
		"of the target":     {&export{users: users}, &directory{caps: engine(), err: broken}, &sheet{}, broken},
		"of the sink":       {&export{users: users}, &directory{caps: engine()}, refusing{broken}, broken},
		"fewer users later": {&export{users: []legacy.User{ada(), other}, later: users}, &directory{caps: engine()}, &sheet{}, nil},
		"more users later":  {&export{users: users, later: []legacy.User{ada(), other}}, &directory{caps: engine()}, &sheet{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := migrate.Plan(t.Context(), c.src, c.dir, migrate.Options{CreateUsers: true, Now: now}, c.sink)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

type refusing struct{ err error }

func (r refusing) Add(migrate.Decision) error    { return r.err }
func (r refusing) Problem(migrate.Finding) error { return r.err }

func TestInspect(t *testing.T) {
	bare := row("bare", 3)
	bare.UPN, bare.Mode = "", legacy.ModePhoneApp
	bare.Devices = []legacy.Device{device("P", "12345678901234567890", 0), {Name: "Q"}}
	off := row("off@contoso.example", 4)
	off.Enabled = false
	var out sheet
	sum, err := migrate.Inspect(t.Context(), &export{users: []legacy.User{ada(), bare, off}}, migrate.Options{Now: now}, &out)
	if err != nil {
		t.Fatal(err)
	}
	want := migrate.NewSummary()
	want.Users = map[migrate.Action]int{migrate.Create: 2, migrate.Skip: 1}
	want.Outlook = map[migrate.Outlook]int{migrate.Works: 1, migrate.MustAct: 1, migrate.OutOfScope: 1}
	want.Changes = map[cloud.Op]int{cloud.Add: 6, cloud.Set: 2}
	want.Findings = map[migrate.Code]int{migrate.DeviceNoSecret: 1, migrate.PushNeedsActivation: 1, migrate.UserDisabled: 1}
	want.Severity = map[migrate.Severity]int{migrate.SeverityWarning: 2, migrate.SeverityInfo: 1}
	want.Modes = map[legacy.Mode]int{legacy.ModeSMSText: 2, legacy.ModePhoneApp: 1}
	want.Countries = map[string]int{"44": 2}
	want.Methods = map[cloud.Method]int{cloud.Mobile: 2, cloud.SoftwareOATH: 1, cloud.Authenticator: 1}
	want.ChangesOf = map[cloud.Method]int{cloud.Account: 2, cloud.Mobile: 2, cloud.SoftwareOATH: 1, cloud.Authenticator: 1, cloud.DefaultMethod: 2}
	want.Devices, want.DevicesWithSecret, want.Activations = 2, 1, 1
	want.Activated = map[migrate.Platform]map[migrate.Age]int{
		migrate.PlatformIOS:     {migrate.AgeOneYear: 1},
		migrate.PlatformUnknown: {migrate.AgeUnknown: 1},
	}
	if diff := cmp.Diff(want, sum); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if sum.Total() != 3 {
		t.Errorf("total %d", sum.Total())
	}
}
