package migrate_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

func matchFile(t *testing.T, text string) *migrate.MatchFile {
	t.Helper()
	m, err := migrate.ReadMatchFile(strings.NewReader(text), "match.csv")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func planWith(t *testing.T, opt migrate.Options, users []legacy.User, inCloud ...*cloud.User) *sheet {
	t.Helper()
	opt.Now, opt.ExportTime, opt.TempDir = now, exported, t.TempDir()
	var out sheet
	if _, err := migrate.Plan(t.Context(), &export{users: users}, &directory{caps: engine(), users: inCloud}, opt, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestMatchFileOverridesAllKeys(t *testing.T) {
	a, b := person("A", "a@contoso.example", "S-1-5-1"), person("B", "b@contoso.example", "S-1-5-2")
	r := func(username, upn, sid string) legacy.User {
		u := row(username, 1)
		u.UPN, u.SID = upn, sid
		return u
	}
	for _, c := range []struct {
		name, file string
		row        legacy.User
		create     bool
		id         cloud.UserID
		by         string
		code       migrate.Code
	}{
		{"by UPN", "ada,b@contoso.example,", r("ADA", "a@contoso.example", "S-1-5-1"), false, "B", "match-file", ""},
		{"by id", "ada,,B", r("ada", "a@contoso.example", "S-1-5-1"), false, "B", "match-file", ""},
		{"its case counts", "ada,,b", r("ada", "a@contoso.example", ""), false, "", "", migrate.UserUnmatched},
		{"nobody", "ada,none@contoso.example,", r("ada", "a@contoso.example", ""), false, "", "", migrate.UserUnmatched},
		{"nobody, created", "ada,new@contoso.example,", r("ada", "a@contoso.example", ""), true, "", "created", ""},
		{"an id is not created", "ada,,X", r("ada", "a@contoso.example", ""), true, "", "", migrate.UserUnmatched},
		{"another row", "eve,b@contoso.example,", r("ada", "a@contoso.example", ""), false, "A", "upn", ""},
		{"an accent is another name", "adá,b@contoso.example,", r("ada", "a@contoso.example", ""), false, "A", "upn", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := planWith(t, migrate.Options{CreateUsers: c.create, MatchFile: matchFile(t, "Username,UserPrincipalName,TargetId\n"+c.file+"\n")}, []legacy.User{c.row}, a, b)
			d := out.decisions[0]
			if d.Target != c.id || d.MatchedBy != c.by {
				t.Errorf("matched %q by %q, want %q by %q: %v", d.Target, d.MatchedBy, c.id, c.by, d.Findings)
			}
			if c.code != "" && (d.Action != migrate.Skip || out.codes(c.row.Username)[0] != c.code) {
				t.Errorf("action %s with %v, want %s", d.Action, out.codes(c.row.Username), c.code)
			}
		})
	}
}

// Whom the match file gives to a row out of scope, no row of the plan may have:
// the next plan would give him two people's methods.
func TestMatchFileCountsOutOfScope(t *testing.T) {
	users, people := cohort(3)
	opt := migrate.Options{Scope: selection(t, "users:pilot.txt", "user1@contoso.example\n"),
		MatchFile: matchFile(t, "Username,UserPrincipalName\nuser2@contoso.example,user1@contoso.example\n")}
	out, _, err := planFor(t, &grouped{directory: directory{caps: engine(), users: people}}, users, opt)
	if err != nil {
		t.Fatal(err)
	}
	if codes := out.codes("user1@contoso.example"); len(codes) == 0 || codes[0] != migrate.UserMatchShared {
		t.Errorf("decided %+v", out.decisions)
	}
}

func TestMatchFileCannotShareAUser(t *testing.T) {
	a := person("A", "a@contoso.example", "")
	other := row("other", 2)
	other.UPN = "a@contoso.example"
	out := planWith(t, migrate.Options{MatchFile: matchFile(t, "Username,TargetId\nada,A\n")}, []legacy.User{row("ada", 1), other}, a)
	for _, name := range []string{"ada", "other"} {
		if out.codes(name)[0] != migrate.UserMatchShared {
			t.Errorf("%s: %v", name, out.codes(name))
		}
	}
}

func TestMatchFileRowsOfNoUse(t *testing.T) {
	a := person("A", "a@contoso.example", "")
	off := row("off", 2)
	off.Enabled = false // is known, though nothing is matched
	out := planWith(t, migrate.Options{MatchFile: matchFile(t, "Username,TargetId\nzoe,A\nada,A\noff,A\neve,A\n")}, []legacy.User{row("ada", 1), off}, a)
	var got []string
	for _, f := range out.problems {
		got = append(got, string(f.Code)+" "+f.Place+" "+f.Detail)
	}
	want := "MATCH_FILE_UNUSED match.csv:2 zoe is not in the export,MATCH_FILE_UNUSED match.csv:5 eve is not in the export"
	if strings.Join(got, ",") != want {
		t.Errorf("got %v", got)
	}
}

func TestMatchFileIsRead(t *testing.T) {
	for name, text := range map[string]string{
		"byte order mark and CR LF":    "\ufeffUsername,UserPrincipalName\r\nada,a@contoso.example\r\n\r\n",
		"header as people write it":    "target_id,USER PRINCIPAL-NAME,user name\n,a@contoso.example,ada\n",
		"columns of no use, no end":    "Note,Username,UserPrincipalName\n\"x, \"\"y\"\"\",ada,a@contoso.example",
		"fields at the end left out":   "Username,UserPrincipalName,TargetId\nada,a@contoso.example\n",
		"space around a field, quoted": "Username,UserPrincipalName\n\"ada \", a@contoso.example \n",
	} {
		out := planWith(t, migrate.Options{MatchFile: matchFile(t, text)}, []legacy.User{row("ada", 1)}, person("A", "a@contoso.example", ""))
		if d := out.decisions[0]; d.MatchedBy != "match-file" || len(out.problems) != 0 {
			t.Errorf("%s: matched by %q, %v", name, d.MatchedBy, out.problems)
		}
	}
}

func TestMatchFileRefuses(t *testing.T) {
	const header = "Username,UserPrincipalName,TargetId\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty":                {"", "has no header"},
		"no Username":          {"User,TargetId\n", "match.csv:1: the header lacks"},
		"nothing to lead to":   {"Username,Mail\n", "match.csv:1: the header lacks"},
		"column twice":         {"Username,TargetId,target id\n", "match.csv:1:19: the column stands twice"},
		"Username twice":       {header + "ada,,A\nben,,B\nADA,,C\n", "match.csv:4:1: this Username stands in line 2 already"},
		"no Username in a row": {header + ",,A\n", "match.csv:2:1: Username is empty"},
		"leads nowhere":        {header + "ada,,\n", "match.csv:2:1: the row names no user"},
		"leads twice":          {header + "ada,a@contoso.example,A\n", "match.csv:2:1: UserPrincipalName and TargetId"},
		"no UPN":               {header + "ada,ada,\n", "match.csv:2:5: UserPrincipalName is none"},
		"control character":    {header + "ada,,A\x00\n", "match.csv:2:6: the field holds a control character"},
		"no UTF-8":             {header + "ad\xe1,,A\n", "match.csv:2:1: the field holds"},
		"too many fields":      {header + "ada,,A,more\n", "match.csv:2:8: the row has 4 fields"},
		"open quote":           {header + "ada,,\"A\nben,,B\n", "match.csv:2:6: a quoted field has no end"},
		"stray quote":          {header + "a\"da,,A\n", "match.csv:2:1: a quote stands within"},
		"a long line":          {header + strings.Repeat("x", 5000) + ",,A\n", "a line is longer"},
		"semicolons":           {"Username;TargetId\nada;A\n", "the header lacks"},
	} {
		_, err := migrate.ReadMatchFile(strings.NewReader(c.text), "match.csv")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	_, err := migrate.ReadMatchFile(strings.NewReader(header+strings.Repeat(",,A\n", 30)), "match.csv")
	if err == nil || strings.Count(err.Error(), "Username is empty") != 20 || !strings.HasSuffix(err.Error(), "and 10 more") || hint.Of(err) == "" {
		t.Errorf("thirty bad rows: %v", err)
	}
}

// A large match file stays small in memory: well under what maps of strings
// would take.
func TestMatchFileIsCompact(t *testing.T) {
	const rows = 200_000
	var text strings.Builder
	text.WriteString("Username,UserPrincipalName\n")
	for i := range rows {
		fmt.Fprintf(&text, "CONTOSO\\user%06d,user%06d@contoso.example\n", i, i)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := matchFile(t, text.String())
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used/rows > 120 {
		t.Errorf("%d bytes a row", used/rows)
	}
	runtime.KeepAlive(m)
}

func FuzzMatchFile(f *testing.F) {
	f.Add("Username,UserPrincipalName\nada,a@contoso.example\n")
	f.Add("\ufeffTargetId,Username\r\n\"A\",\"x\"\"y\"\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := migrate.ReadMatchFile(strings.NewReader(text), "m")
		if (m == nil) == (err == nil) {
			t.Fatalf("%v and %v", m, err)
		}
	})
}
