package migrate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// dirEntry is somebody in the customer's directory.
type dirEntry struct {
	migrate.Person
	account, upn, mail string
}

// people is a customer's directory in memory with the one domain CORP.
type people struct {
	entries []dirEntry
	err     error
}

func (p *people) Lookup(_ context.Context, keys []migrate.PersonKey) ([]migrate.PersonHits, error) {
	attributes := map[migrate.PersonKind]string{migrate.PersonByAccount: "sAMAccountName", migrate.PersonByUPN: "userPrincipalName",
		migrate.PersonBySID: "objectSid", migrate.PersonByMail: "mail"}
	hits := make([]migrate.PersonHits, len(keys))
	for i, k := range keys {
		hits[i].Attribute = attributes[k.Kind]
		for _, e := range p.entries {
			has := map[migrate.PersonKind]string{migrate.PersonByAccount: e.account, migrate.PersonByUPN: e.upn, migrate.PersonBySID: e.SID, migrate.PersonByMail: e.mail}
			if strings.EqualFold(has[k.Kind], k.Value) && (k.Domain != "CORP" || e.Domain == "CORP") {
				hits[i].People = append(hits[i].People, e.Person)
			}
		}
	}
	return hits, p.err
}

func TestDirectoryMatching(t *testing.T) {
	a, b := person("A", "a@contoso.example", "S-1-5-1"), person("B", "b@contoso.example", "S-1-5-2")
	dir := &people{entries: []dirEntry{
		{migrate.Person{ID: "cn=ada", Domain: "CORP", Name: "a@contoso.example", SID: "S-1-5-1"}, "ada", "ada@corp.example", "ada.mail@contoso.example"},
		{migrate.Person{ID: "cn=ben", Domain: "CORP", Name: "b@contoso.example"}, "ben", "ben@corp.example", "ben.mail@contoso.example"},
		{migrate.Person{ID: "cn=out", Name: "b@contoso.example"}, "out", "", ""},
		{migrate.Person{ID: "cn=one", Domain: "CORP", Name: "a@contoso.example"}, "twin", "", ""},
		{migrate.Person{ID: "cn=two", Domain: "CORP", Name: "b@contoso.example"}, "twin", "", "ada.mail2@contoso.example"},
		{migrate.Person{ID: "cn=new", Domain: "CORP", Name: "new@contoso.example", SID: "S-1-5-7"}, "new", "new@corp.example", "new.mail@contoso.example"},
		{migrate.Person{ID: "cn=bare", Domain: "CORP"}, "bare", "", ""},
		{migrate.Person{ID: "cn=odd", Domain: "CORP", Name: `CORP\odd`}, "odd", "", ""},
		{migrate.Person{ID: "cn=liar", Domain: "CORP", Name: "a@contoso.example", SID: "S-1-5-8"}, "liar", "", ""},
	}}
	r := func(username, upn, sid, mail string) legacy.User {
		u := row(username, 1)
		u.UPN, u.SID, u.Email = upn, sid, mail
		return u
	}
	for _, c := range []struct {
		name string
		row  legacy.User
		weak bool
		id   cloud.UserID
		by   string
		code migrate.Code
	}{
		{"by account", r("ADA", "", "", ""), false, "A", "directory:sAMAccountName", ""},
		{"by account of the domain", r(`CORP\ada`, "", "", ""), false, "A", "directory:sAMAccountName", ""},
		{"by account of another domain", r(`OTHER\ada`, "", "", ""), false, "", "", migrate.MatchWeak},
		{"the same, allowed", r(`OTHER\ada`, "", "", ""), true, "A", "directory:sAMAccountName", migrate.MatchWeakAllowed},
		{"outside all domains", r("out", "", "", ""), false, "", "", migrate.MatchWeak},
		{"not in the domain", r(`CORP\out`, "", "", ""), false, "", "", migrate.UserUnmatched},
		{"by the directory's UPN", r("x", "ada@corp.example", "", ""), false, "A", "directory:userPrincipalName", ""},
		{"by Username as the directory's UPN", r("ben@corp.example", "", "", ""), false, "B", "directory:userPrincipalName", ""},
		{"by Sid", r("x", "", "S-1-5-1", ""), false, "A", "sid", ""},
		{"only by mail", r("x", "", "", "ada.mail@contoso.example"), false, "", "", migrate.MatchWeak},
		{"only by mail, allowed", r("x", "", "", "ada.mail@contoso.example"), true, "A", "directory:mail", migrate.MatchWeakAllowed},
		{"only by Username as mail", r("ada.mail@contoso.example", "", "", ""), false, "", "", migrate.MatchWeak},
		{"by mail and account", r("ada", "", "", "ada.mail@contoso.example"), false, "A", "directory:sAMAccountName", ""},
		{"weak and own key", r(`OTHER\ada`, "a@contoso.example", "", ""), false, "A", "upn", ""},
		{"two people of one name", r("twin", "", "", ""), false, "", "", migrate.UserAmbiguous},
		{"mail of somebody else", r("ada", "", "", "ben.mail@contoso.example"), false, "", "", migrate.UserMatchConflict},
		{"own key and directory disagree", r("ben", "a@contoso.example", "", ""), false, "", "", migrate.UserMatchConflict},
		{"own key and mail disagree", r("x", "a@contoso.example", "", "ben.mail@contoso.example"), false, "", "", migrate.UserMatchConflict},
		{"the person has another Sid", r("ada", "", "S-1-5-9", ""), false, "", "", migrate.UserMatchConflict},
		{"the person has another Sid than the target's user", r("liar", "", "", ""), false, "", "", migrate.UserMatchConflict},
		{"the person who would be created has another Sid", r("new", "", "S-1-5-9", ""), false, "", "", migrate.UserMatchConflict},
		{"an account of no domain", r(`\ada`, "", "", ""), false, "", "", migrate.UserUnmatched},
		{"an accent is another name", r("adá", "", "", ""), false, "", "", migrate.UserUnmatched},
		{"created under the directory's name", r("new", "", "", ""), false, "", "created", ""},
		{"created under the directory's name, not under its own", r("x", "new@corp.example", "", ""), false, "", "created", ""},
		{"not created by mail", r("x", "", "", "new.mail@contoso.example"), false, "", "", migrate.MatchWeak},
		{"created by mail, allowed", r("x", "", "", "new.mail@contoso.example"), true, "", "created", migrate.MatchWeakAllowed},
		{"not created under a name that contradicts", r("new", "else@contoso.example", "", ""), false, "", "", migrate.UserMatchConflict},
		{"not though Username is that person's", r("new@corp.example", "else@contoso.example", "", ""), false, "", "", migrate.UserMatchConflict},
		{"not though its mail is that name", r("x", "new.mail@contoso.example", "", "new.mail@contoso.example"), true, "", "", migrate.UserMatchConflict},
		{"a person whose name in the cloud is none", r("odd", "", "", ""), false, "", "", migrate.UserUnmatched},
		{"a person without a name in the cloud", r("bare", "", "", ""), false, "", "", migrate.UserUnmatched},
		{"nobody knows", r("nobody", "", "", ""), false, "", "", migrate.UserUnmatched},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := planWith(t, migrate.Options{CreateUsers: true, People: dir, AllowWeakMatch: c.weak, Email: migrate.EmailAll}, []legacy.User{c.row}, a, b, person("C", "c@contoso.example", ""))
			d := out.decisions[0]
			if d.Target != c.id || d.MatchedBy != c.by {
				t.Errorf("matched %q by %q, want %q by %q: %v", d.Target, d.MatchedBy, c.id, c.by, d.Findings)
			}
			switch codes := out.codes(c.row.Username); {
			case c.code == "" && d.Action == migrate.Skip:
				t.Errorf("skipped: %+v", d.Findings)
			case c.code != "" && (len(codes) == 0 || codes[0] != c.code):
				t.Errorf("findings %v, want %s", codes, c.code)
			case c.id == "" && c.by == "" && (d.Action != migrate.Skip || len(d.Changes) != 0):
				t.Errorf("action %s with %d changes", d.Action, len(d.Changes))
			}
		})
	}
}

func TestCreatedUserGetsTheDirectorysNames(t *testing.T) {
	dir := &people{entries: []dirEntry{{migrate.Person{ID: "cn=new", Domain: "CORP", Name: "new@contoso.example", SID: "S-1-5-7"}, "new", "", ""}}}
	u := row(`CORP\new`, 1)
	u.UPN = ""
	out := planWith(t, migrate.Options{CreateUsers: true, People: dir}, []legacy.User{u})
	p := out.decisions[0].Changes[0].After.Profile
	if p == nil || p.UPN != "new@contoso.example" || p.SID != "S-1-5-7" || strings.Join(p.Aliases, " ") != `CORP\new new` {
		t.Errorf("created as %+v", p)
	}
}

// Whoever is known by a name with an @ goes on typing the account's name, if
// the directory means this very user in a domain that is ours.
func TestLoginNamesOfTheDirectory(t *testing.T) {
	ada := migrate.Person{ID: "cn=ada", Domain: "CORP", Account: "ada", Name: "a@contoso.example"}
	outside, other := ada, ada
	outside.Domain, other.Name = "", "b@contoso.example"
	for name, c := range map[string]struct {
		entry dirEntry
		want  string
	}{
		"of ours":            {dirEntry{ada, "ada", "a@contoso.example", ""}, `CORP\ada ada`},
		"outside":            {dirEntry{outside, "ada", "a@contoso.example", ""}, ""},
		"only by mail":       {dirEntry{ada, "ada", "", "a@contoso.example"}, ""},
		"another user's UPN": {dirEntry{other, "ada", "a@contoso.example", ""}, ""},
	} {
		u := row("a@contoso.example", 1)
		out := planWith(t, migrate.Options{People: &people{entries: []dirEntry{c.entry}}}, []legacy.User{u}, person("A", "a@contoso.example", ""))
		got := ""
		for _, change := range out.decisions[0].Changes {
			if p := change.After.Profile; p != nil {
				got = strings.Join(p.Aliases, " ")
			}
		}
		if got != c.want {
			t.Errorf("%s: aliases %q, want %q", name, got, c.want)
		}
	}
}

// The Sid of a person in the directory goes to the user whom the directory
// means, and to nobody else.
func TestSidOfTheDirectory(t *testing.T) {
	dir := &people{entries: []dirEntry{
		{migrate.Person{ID: "cn=ada", Domain: "CORP", Name: "a@contoso.example", SID: "S-1-5-7"}, "ada", "", ""},
		{migrate.Person{ID: "cn=ben", Domain: "CORP", Name: "ben@corp.example", SID: "S-1-5-8"}, "ben", "", ""},
	}}
	ada, ben := row("ada", 1), row("ben", 2)
	ada.UPN, ben.UPN = "", "b@contoso.example"
	out := planWith(t, migrate.Options{People: dir}, []legacy.User{ada, ben}, person("A", "a@contoso.example", ""), person("B", "b@contoso.example", ""))
	for name, want := range map[string]string{"ada": "S-1-5-7", "ben": ""} {
		d := out.of(name)
		if len(d.Changes) == 0 || d.Changes[0].After.Profile == nil || d.Changes[0].After.Profile.SID != want {
			t.Errorf("%s: %+v, want Sid %q", name, d.Changes, want)
		}
	}
}

// Two rows that the directory knows as one person are one user, though their
// own columns have nothing in common.
func TestRowsOfOnePerson(t *testing.T) {
	dir := &people{entries: []dirEntry{{migrate.Person{ID: "cn=new", Domain: "CORP", Name: "new@contoso.example", SID: "S-1-5-7"}, "new", "old@contoso.example", ""}}}
	first, second := row("new", 1), row("old@contoso.example", 2)
	first.UPN, second.UPN = "", ""
	out := planWith(t, migrate.Options{CreateUsers: true, People: dir}, []legacy.User{first, second})
	for _, name := range []string{"new", "old@contoso.example"} {
		if codes := out.codes(name); codes[0] != migrate.UserMatchShared {
			t.Errorf("%s: %v", name, codes)
		}
	}
}

func TestDirectoryThatFailsEndsThePlan(t *testing.T) {
	gone := &cloud.Error{Kind: cloud.Unavailable, Message: "gone"}
	var out sheet
	_, err := migrate.Plan(t.Context(), &export{users: []legacy.User{row("ada", 1)}}, &directory{caps: engine()},
		migrate.Options{CreateUsers: true, People: &people{err: gone}, Now: now, TempDir: t.TempDir()}, &out)
	if !errors.Is(err, gone) || len(out.decisions) != 0 {
		t.Errorf("%v after %d decisions", err, len(out.decisions))
	}
}
