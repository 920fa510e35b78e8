package migrate_test

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/legacy"
	"mfabridge/migrate"
)

func TestReadAccepted(t *testing.T) {
	text := "\ufeffApprover, reason ,USER,code\r\n" +
		"Dana,\"old, and \"\"known\"\"\",ada@contoso.example,token_conflict\r\n\r\n" +
		" Eve ,\" x \",users.csv:30,ROW_INVALID"
	a, err := migrate.ReadAccepted(strings.NewReader(text), "accept.csv")
	if err != nil {
		t.Fatal(err)
	}
	want := []migrate.Acceptance{
		{Code: "TOKEN_CONFLICT", User: "ada@contoso.example", Reason: `old, and "known"`, Approver: "Dana", Line: 2},
		{Code: "ROW_INVALID", User: "users.csv:30", Reason: "x", Approver: "Eve", Line: 4},
	}
	if diff := cmp.Diff(want, a.Entries()); diff != "" {
		t.Error(diff)
	}
}

func TestReadAcceptedSaysNo(t *testing.T) {
	const head = "code,user,reason,approver\n"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "accept.csv is empty"},
		{"blank lines", "\n\r\n", "accept.csv is empty"},
		{"a column less", "code,user,reason\n", "accept.csv:1: the header has no column approver"},
		{"a column more", "code,user,reason,approver,until\n", "accept.csv:1: the header has 5 columns, not 4"},
		{"a column twice", "code,user,reason,reason\n", "accept.csv:1: the header has no column approver"},
		{"no header", "TOKEN_CONFLICT,ada,known,Dana\n", "accept.csv:1: the header has no column code"},
		{"unknown code", head + "TOKEN_CONFLICTS,ada,known,Dana\n", `accept.csv:2: there is no finding "TOKEN_CONFLICTS"`},
		{"all codes", head + "*,ada,known,Dana\n", `accept.csv:2: there is no finding "*"`},
		{"no user", head + "TOKEN_CONFLICT,,known,Dana\n", "accept.csv:2: user is empty"},
		{"no reason", head + "TOKEN_CONFLICT,ada, ,Dana\n", "accept.csv:2: reason is empty"},
		{"no approver", head + "TOKEN_CONFLICT,ada,known,\n", "accept.csv:2: approver is empty"},
		{"too few fields", head + "\nTOKEN_CONFLICT,ada,known\n", "accept.csv:3: the line has 3 fields, the header has 4"},
		{"an empty field in quotes", head + "\n\"\"\n", "accept.csv:3: the line has 1 fields, the header has 4"},
		{"too many fields", head + "TOKEN_CONFLICT,ada,known, twice,Dana\n", "accept.csv:2: the line has 5 fields, the header has 4"},
		{"one finding twice", head + "TOKEN_CONFLICT,ada,known,Dana\ntoken_conflict,ADA,else,Eve\n",
			"accept.csv:3: TOKEN_CONFLICT of ADA is accepted on line 2 already"},
		{"two lines in a field", head + "TOKEN_CONFLICT,ada,\"known\nwell\",Dana\n", "accept.csv:2: reason holds something else than text in UTF-8 on one line"},
		{"NUL", head + "TOKEN_CONFLICT,ada,known\x00,Dana\n", "accept.csv:2: reason holds something else than text in UTF-8 on one line"},
		{"Windows-1252", head + "TOKEN_CONFLICT,ada,Z\xfcrich,Dana\n", "accept.csv:2: reason holds something else than text in UTF-8 on one line"},
		{"long", head + "TOKEN_CONFLICT,ada,known," + strings.Repeat("D", 1025) + "\n", "accept.csv:2: approver is longer than 1024 bytes"},
		{"open quote", head + "TOKEN_CONFLICT,ada,\"known,Dana\n", "accept.csv:2: a quoted field has no end"},
		{"quote within", head + "TOKEN_CONFLICT,ada,kno\"wn,Dana\n", "accept.csv:2: a quote stands within a field that does not begin with one"},
		{"text after a quote", head + "TOKEN_CONFLICT,ada,\"known\" well,Dana\n", "accept.csv:2: something stands between the end of a field and the comma or line end"},
		{"bare CR", head + "TOKEN_CONFLICT,ada,known\r,Dana\n", "accept.csv:2: something stands between the end of a field and the comma or line end"},
		{"large", head + strings.Repeat("\n", migrate.MaxAcceptFile), "accept.csv is larger than 2097152 bytes"},
		{"many", head + manyAccepted(migrate.MaxAcceptances+1), "accept.csv:20002: there are more than 20000 acceptances"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := migrate.ReadAccepted(strings.NewReader(c.text), "accept.csv")
			if err == nil || err.Error() != c.want || a != nil {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func manyAccepted(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("ROW_INVALID,users.csv:" + strings.Repeat("1", i%50+1) + string(rune('a'+i/50%26)) + string(rune('a'+i/1300)) + ",r,a\n")
	}
	return b.String()
}

// accepting inspects three faulty users and a faulty row with a file of
// acceptances.
func accepting(t *testing.T, lines string) (*migrate.Accepted, migrate.Summary, *sheet) {
	t.Helper()
	a, err := migrate.ReadAccepted(strings.NewReader("code,user,reason,approver\n"+lines), "accept.csv")
	if err != nil {
		t.Fatal(err)
	}
	one, two := row("one", 1), row("two", 2)
	one.Phone, two.Phone = legacy.PhoneFields{}, legacy.PhoneFields{}
	src := &export{users: []legacy.User{one, two, row("three", 3)}, problems: []legacy.Problem{
		{Code: legacy.RowInvalid, Place: legacy.Place{File: "users.csv", Line: 30}, Detail: "d"},
		{Code: legacy.RowInvalid, Place: legacy.Place{File: "users.csv", Line: 31}, Username: "Four", Detail: "d"},
	}}
	var out sheet
	sum, err := migrate.Inspect(t.Context(), src, migrate.Options{Now: now, Accepted: a}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if got := sum.Severity[migrate.SeverityError]; got != 4 {
		t.Fatalf("%d errors, want 4: %v", got, sum.Findings)
	}
	return a, sum, &out
}

func TestAcceptedFindings(t *testing.T) {
	for _, c := range []struct {
		name, lines string
		left        int
		unmet       []string
	}{
		{"none", "", 4, nil},
		{"one user's", "NO_FACTOR_AFTER_APPLY,ONE,r,a\n", 3, nil},
		{"a place and a name", "ROW_INVALID,users.csv:30,r,a\nROW_INVALID,four,r,a\n", 2, nil},
		{"all", "NO_FACTOR_AFTER_APPLY,one,r,a\nNO_FACTOR_AFTER_APPLY,two,r,a\nROW_INVALID,users.csv:30,r,a\nROW_INVALID,four,r,a\n", 0, nil},
		{"another code", "USER_UNMATCHED,one,r,a\n", 4, []string{"accept.csv:2: the export gives no finding USER_UNMATCHED of one"}},
		{"another user", "NO_FACTOR_AFTER_APPLY,three,r,a\n", 4, []string{"accept.csv:2: the export gives no finding NO_FACTOR_AFTER_APPLY of three"}},
		{"everybody", "NO_FACTOR_AFTER_APPLY,*,r,a\n", 4, []string{"accept.csv:2: the export gives no finding NO_FACTOR_AFTER_APPLY of *"}},
		{"the place of a finding with a name", "ROW_INVALID,users.csv:31,r,a\n", 4, []string{"accept.csv:2: the export gives no finding ROW_INVALID of users.csv:31"}},
		{"only a warning", "USER_NOTHING_TO_MOVE,one,r,a\n", 4, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, sum, _ := accepting(t, c.lines)
			if got := sum.Unaccepted(migrate.SeverityError); got != c.left {
				t.Errorf("%d errors are left, want %d", got, c.left)
			}
			if diff := cmp.Diff(c.unmet, a.Unmet()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAcceptedFindingsSayWhy(t *testing.T) {
	_, _, out := accepting(t, "NO_FACTOR_AFTER_APPLY,one,leaves on Friday,Dana\n")
	for _, d := range out.decisions {
		for _, f := range d.Findings {
			mine := d.Username == "one" && f.Code == migrate.NoFactorAfterApply
			if mine != (f.Accepted != nil) {
				t.Errorf("%s %s: accepted %v", d.Username, f.Code, f.Accepted)
			}
			if mine && (f.Accepted.Reason != "leaves on Friday" || f.Accepted.Approver != "Dana") {
				t.Errorf("accepted %+v", f.Accepted)
			}
		}
	}
}

// A plan for people names the first acceptances only; none of them steers a
// terminal. Programs get them all.
func TestShowNamesAcceptances(t *testing.T) {
	p := showPlan()
	for range 53 {
		p.accepted = append(p.accepted, migrate.Acceptance{Code: "TOKEN_CONFLICT", User: "ada\x1b[31m", Reason: "known", Approver: "Dana"})
	}
	var b bytes.Buffer
	if err := migrate.ShowText(t.Context(), &b, p, migrate.ShowOptions{}); err != nil {
		t.Fatal(err)
	}
	line := "  accept  TOKEN_CONFLICT of ada\\u001b[31m, by Dana: known\n"
	if n := strings.Count(b.String(), line); n != 50 || !strings.Contains(b.String(), "  accept  and 3 more; --format json lists them\n") {
		t.Errorf("%d acceptances are named:\n%s", n, b.String())
	}
	b.Reset()
	if err := migrate.ShowJSON(t.Context(), &b, p, false); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), `"approver":"Dana"`); n != 53 {
		t.Errorf("JSON has %d of 53", n)
	}
}

// Whatever is read is what another reader of CSV reads.
func FuzzReadAccepted(f *testing.F) {
	const head = "code,user,reason,approver\n"
	for _, seed := range []string{"", head, head + "ROW_INVALID,a,b,c", head + "ROW_INVALID,\"a\"\"\",\"b,\",c\r\n\r\n",
		head + "ROW_INVALID,a,b,\"c\r\n", "\ufeff" + head, head + "ROW_INVALID,\"a\"x,b,c", head + `""`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := migrate.ReadAccepted(strings.NewReader(text), "f")
		if err != nil {
			if a != nil {
				t.Fatal("acceptances and an error")
			}
			return
		}
		all, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatalf("another reader refuses it: %v", err)
		}
		entries := a.Entries()
		if len(entries) != len(all)-1 {
			t.Fatalf("%d acceptances of %d rows", len(entries), len(all))
		}
		for i, e := range entries {
			row := all[i+1]
			if line := strings.Join(row, "\x00"); !strings.Contains(line, e.User) || !strings.Contains(line, e.Reason) || !strings.Contains(line, e.Approver) {
				t.Fatalf("%+v of %q", e, row)
			}
		}
	})
}
