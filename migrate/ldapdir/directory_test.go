package ldapdir_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
	"mfabridge/migrate/ldapdir"
)

const base = "dc=corp,dc=example"

// entry is an LDIF entry of somebody made up; values that LDIF cannot hold as
// they are come in Base64.
func entry(dn, class string, attributes ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "dn:: %s\nobjectClass: %s\nsn: x\n", base64.StdEncoding.EncodeToString([]byte(dn)), class)
	for _, a := range attributes {
		name, value, _ := strings.Cut(a, "=")
		fmt.Fprintf(&b, "%s:: %s\n", name, base64.StdEncoding.EncodeToString([]byte(value)))
	}
	return b.String() + "\n"
}

func sid(t *testing.T, s string) string {
	t.Helper()
	b, err := ldapconn.EncodeSID(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func unit(dn, kind, name string) string {
	class := map[string]string{"ou": "organizationalUnit", "dc": "domain"}[kind]
	return fmt.Sprintf("dn: %s\nobjectClass: %s\n%s: %s\n\n", dn, class, kind, name)
}

func company(t *testing.T) string {
	staff, emea := "ou=staff,"+base, "dc=emea,"+base
	return unit(staff, "ou", "staff") + unit(emea, "dc", "emea") +
		entry("cn=Ada,"+staff, "user", "cn=Ada", "sAMAccountName=ada", "userPrincipalName=ada@contoso.example", "mail=ada.l@contoso.example",
			"objectSid="+sid(t, "S-1-5-21-1-2-3-1001"), "mobile=+44 20 7946 0001", "telephoneNumber=+44 20 7946 0002", "whenChanged=20240901101500.0Z") +
		entry("cn=Adá,"+staff, "user", "cn=Adá", "sAMAccountName=adá", "userPrincipalName=adá@contoso.example") +
		entry("cn=Ben,"+staff, "user", "cn=Ben", "sAMAccountName=ben", "mail=team@contoso.example") +
		entry("cn=Ben,"+emea, "user", "cn=Ben", "sAMAccountName=ben", "mail=team@contoso.example", "userPrincipalName=ben@emea.example") +
		entry("cn=Odd,"+staff, "user", "cn=Odd", `sAMAccountName=o*d)(\`, "userPrincipalName=o(d@contoso.example") +
		entry("cn=Two  Spaces,"+staff, "user", "cn=Two  Spaces", "sAMAccountName=two  spaces") +
		entry("cn=host,"+staff, "computer", "cn=host", "sAMAccountName=host$")
}

func connect(t *testing.T, s *ldaptest.Slapd) *ldapconn.Client {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := ldapconn.ReadCA(pem)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ldapconn.New(ldapconn.Config{Servers: []string{s.LDAPS}, CA: pool, BindDN: ldaptest.Root, Password: secret.FromString(ldaptest.RootPassword), Page: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func config(t *testing.T) ldapdir.Config {
	t.Helper()
	corp, err := ldapconn.ParseDomain("corp.example")
	if err != nil {
		t.Fatal(err)
	}
	return ldapdir.Config{Base: base, Phones: ldapdir.DefaultPhones(), Domains: map[string]ldapconn.Domain{"CORP": corp, "corp.example": corp}}
}

func directory(t *testing.T, s ldapdir.Searcher, cfg ldapdir.Config) *ldapdir.Directory {
	t.Helper()
	d, err := ldapdir.New(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLookupAtSlapd(t *testing.T) {
	d := directory(t, connect(t, ldaptest.Start(t, ldaptest.Options{LDIF: company(t)})), config(t))
	ada, accented := "cn=ada,ou=staff,"+base, "cn=adá,ou=staff,"+base
	ben, otherBen := "cn=ben,ou=staff,"+base, "cn=ben,dc=emea,"+base
	account := func(domain, name string) migrate.PersonKey {
		return migrate.PersonKey{Kind: migrate.PersonByAccount, Domain: domain, Value: name}
	}
	by := func(kind migrate.PersonKind, value string) migrate.PersonKey {
		return migrate.PersonKey{Kind: kind, Value: value}
	}
	cases := []struct {
		key  migrate.PersonKey
		want []string
	}{
		{account("", "ADA"), []string{ada}},
		{account("", "adá"), []string{accented}},
		{account("", "ADÁ"), []string{accented}},
		{account("", "ada\u0301"), []string{accented}}, // composed in another way
		{account("", "ａｄａ"), nil},
		{account("", "ada "), nil},
		{account("", " ada"), nil},
		{account("", "a*"), nil},
		{account("", `o*d)(\`), []string{"cn=odd,ou=staff," + base}},
		{account("", "two  spaces"), []string{"cn=two  spaces,ou=staff," + base}},
		{account("", "two spaces"), nil},
		{account("", "host$"), nil},
		{account("", "ben"), []string{ben, otherBen}},
		{account("corp", "ben"), []string{ben}},
		{account("corp.example", "ben"), []string{ben}},
		{account("EMEA", "ben"), []string{ben, otherBen}},
		{by(migrate.PersonByUPN, "Ada@Contoso.example"), []string{ada}},
		{by(migrate.PersonByUPN, "ben@emea.example"), []string{otherBen}},
		{by(migrate.PersonByMail, "ada.l@contoso.example"), []string{ada}},
		{by(migrate.PersonByMail, "team@contoso.example"), []string{ben, otherBen}},
		{by(migrate.PersonBySID, "s-1-5-21-1-2-3-1001"), []string{ada}},
		{by(migrate.PersonBySID, "S-1-5-21-1-2-3-1002"), nil},
		{by(migrate.PersonBySID, "none"), nil},
	}
	// All at once, and more than one filter takes.
	var keys []migrate.PersonKey
	for range 3 {
		for _, c := range cases {
			keys = append(keys, c.key)
		}
	}
	hits, err := d.Lookup(t.Context(), keys)
	if err != nil || len(hits) != len(keys) {
		t.Fatalf("%d of %d answers, %v", len(hits), len(keys), err)
	}
	for i, h := range hits {
		c := cases[i%len(cases)]
		got := map[string]bool{}
		for _, p := range h.People {
			got[p.ID] = true
		}
		want := map[string]bool{}
		for _, id := range c.want {
			want[id] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.key, diff)
		}
	}
	want := migrate.PersonHits{Attribute: "sAMAccountName", People: []migrate.Person{{ID: ada, Domain: "CORP", Account: "ada", Name: "ada@contoso.example", SID: "S-1-5-21-1-2-3-1001",
		Phones: []string{"+44 20 7946 0001", "+44 20 7946 0002"}, Changed: time.Date(2024, 9, 1, 10, 15, 0, 0, time.UTC)}}}
	if diff := cmp.Diff(want, hits[0]); diff != "" {
		t.Errorf("Ada (-want +got):\n%s", diff)
	}
	if p := hits[15].People; len(p) == 2 && p[0].Domain+p[1].Domain != "CORP" {
		t.Errorf("domains %q and %q: only one of them is ours", p[0].Domain, p[1].Domain)
	}
}

func TestAttributesOfAnotherDirectory(t *testing.T) {
	cfg := config(t)
	cfg.Filter, cfg.Attributes = "(objectClass=inetOrgPerson)", ldapdir.Attributes{Account: "uid", Mail: "mail", Cloud: "mail", Changed: "modifyTimestamp"}
	ldif := entry("uid=ada,"+base, "inetOrgPerson", "cn=Ada", "uid=ada", "mail=ada@contoso.example") +
		entry("uid=ben,"+base, "inetOrgPerson", "cn=Ben", "uid=ben", "mail=ben@contoso.example", "mail=ben2@contoso.example")
	d := directory(t, connect(t, ldaptest.Start(t, ldaptest.Options{LDIF: ldif})), cfg)
	hits, err := d.Lookup(t.Context(), []migrate.PersonKey{{Kind: migrate.PersonByAccount, Value: "ada"}, {Kind: migrate.PersonByUPN, Value: "ada@contoso.example"},
		{Kind: migrate.PersonBySID, Value: "S-1-5-21-1"}, {Kind: migrate.PersonByAccount, Value: "ben"}})
	if err != nil {
		t.Fatal(err)
	}
	if p := hits[0].People; len(p) != 1 || p[0].Name != "ada@contoso.example" || p[0].Changed.IsZero() {
		t.Errorf("ada: %+v", p)
	}
	for _, i := range []int{1, 2} {
		if hits[i].Attribute != "" || len(hits[i].People) != 0 {
			t.Errorf("an attribute that is not there was asked: %+v", hits[i])
		}
	}
	if p := hits[3].People; len(p) != 1 || p[0].Name != "" {
		t.Errorf("somebody with two names in the cloud: %+v", p)
	}
}

// searcher fails.
type searcher struct{ err error }

func (s searcher) Search(context.Context, ldapconn.Query) ([]ldapconn.Entry, error) {
	return nil, s.err
}

func TestFailuresInTheContractsWords(t *testing.T) {
	for kind, want := range map[ldapconn.Kind]cloud.Kind{
		ldapconn.Unavailable: cloud.Unavailable, ldapconn.Untrusted: cloud.Denied, ldapconn.Denied: cloud.Denied,
		ldapconn.Missing: cloud.NotFound, ldapconn.TooMuch: cloud.Invalid, ldapconn.Elsewhere: cloud.Invalid, ldapconn.Failed: cloud.Invalid,
	} {
		_, err := directory(t, searcher{&ldapconn.Error{Kind: kind}}, config(t)).Lookup(t.Context(), []migrate.PersonKey{{Kind: migrate.PersonByMail, Value: "a@contoso.example"}})
		if err == nil || cloud.KindOf(err) != want || hint.Of(err) == "" && kind != ldapconn.Failed {
			t.Errorf("%v: %v with advice %q, want kind %v", kind, err, hint.Of(err), want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := directory(t, searcher{&ldapconn.Error{}}, config(t)).Lookup(ctx, []migrate.PersonKey{{Kind: migrate.PersonByMail, Value: "a@contoso.example"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, change := range map[string]func(*ldapdir.Config){
		"no base":              func(c *ldapdir.Config) { c.Base = "" },
		"no filter":            func(c *ldapdir.Config) { c.Filter = "(objectClass=user" },
		"a number's attribute": func(c *ldapdir.Config) { c.Phones = []string{"mobile)(cn=*"} },
		"no cloud name":        func(c *ldapdir.Config) { c.Attributes = ldapdir.Attributes{Account: "uid"} },
	} {
		cfg := config(t)
		change(&cfg)
		if _, err := ldapdir.New(searcher{}, cfg); err == nil {
			t.Errorf("%s: is taken", name)
		}
	}
	a := ldapdir.ActiveDirectory()
	for word, attribute := range map[string]string{"account": "uid)(cn=*", "mail": "a b", "none": "uid"} {
		if err := a.Set(word, attribute); err == nil {
			t.Errorf("%s=%s: is taken", word, attribute)
		}
	}
	if err := a.Set("mail", ""); err != nil || a.Mail != "" {
		t.Errorf("leaving mail out: %q, %v", a.Mail, err)
	}
}
