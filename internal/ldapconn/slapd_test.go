package ldapconn_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"mfabridge/internal/ldapconn"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/secret"
)

const base = "dc=corp,dc=example"

func user(name, more string) string {
	return fmt.Sprintf("dn: cn=%[1]s,%[2]s\nobjectClass: user\ncn: %[1]s\nsn: %[1]s\nsAMAccountName: %[1]s\n%[3]s\n", name, base, more)
}

func crowd(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(user(fmt.Sprintf("user%03d", i), "mail: all@contoso.example\n"))
	}
	return b.String()
}

// config is one that a server started by Start takes.
func config(t *testing.T, s *ldaptest.Slapd, servers ...string) ldapconn.Config {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := ldapconn.ReadCA(pem)
	if err != nil {
		t.Fatal(err)
	}
	return ldapconn.Config{Servers: servers, CA: pool, BindDN: ldaptest.Root, Password: secret.FromString(ldaptest.RootPassword)}
}

func client(t *testing.T, cfg ldapconn.Config) *ldapconn.Client {
	t.Helper()
	c, err := ldapconn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func everybody() ldapconn.Query {
	return ldapconn.Query{Base: base, Filter: ldapconn.Equal("objectClass", "user"), Attributes: []string{"sAMAccountName"}}
}

func TestSlapdByTLSAndStartTLS(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: crowd(25)})
	for _, server := range []string{s.LDAPS, s.LDAP} {
		cfg := config(t, s, server)
		cfg.Page = 10
		found, err := client(t, cfg).Search(t.Context(), everybody())
		if err != nil || len(found) != 25 || found[0].Value("SAMACCOUNTNAME") == "" {
			t.Errorf("%s: %d entries, %v", server, len(found), err)
		}
		cfg.Entries = 24
		if _, err := client(t, cfg).Search(t.Context(), everybody()); ldapconn.KindOf(err) != ldapconn.TooMuch {
			t.Errorf("%s: more entries than the limit: %v", server, err)
		}
	}
}

func TestSlapdIsNotTrustedByAnotherAuthority(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{})
	for _, server := range []string{s.LDAPS, s.LDAP} {
		cfg := config(t, s, server)
		cfg.CA = ldaptest.NewAuthority(t).Pool()
		if _, err := client(t, cfg).Search(t.Context(), everybody()); ldapconn.KindOf(err) != ldapconn.Untrusted {
			t.Errorf("%s, foreign authority: %v", server, err)
		}
		cfg = config(t, s, strings.Replace(server, "127.0.0.1", "localhost", 1))
		if _, err := client(t, cfg).Search(t.Context(), everybody()); ldapconn.KindOf(err) != ldapconn.Untrusted {
			t.Errorf("%s, another name than the certificate's: %v", server, err)
		}
	}
}

func TestSlapdRefuses(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: crowd(25), SizeLimit: 20})
	cfg := config(t, s, s.LDAPS)
	cfg.Password = secret.FromString("wrong")
	if _, err := client(t, cfg).Search(t.Context(), everybody()); ldapconn.KindOf(err) != ldapconn.Denied || strings.Contains(err.Error(), "wrong") {
		t.Errorf("wrong password of the bind: %v", err)
	}
	cfg = config(t, s, s.LDAPS)
	q := everybody()
	q.Base = "dc=none," + base
	if _, err := client(t, cfg).Search(t.Context(), q); ldapconn.KindOf(err) != ldapconn.Missing {
		t.Errorf("a base that does not exist: %v", err)
	}
	cfg.BindDN, cfg.Password = "", secret.Bytes{}
	if found, err := client(t, cfg).Search(t.Context(), everybody()); err == nil && len(found) > 0 {
		t.Errorf("anonymous: %d entries, %v", len(found), err)
	}
}

func TestSlapdSizeLimitIsAnError(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: crowd(25), SizeLimit: 20, Anonymous: true})
	cfg := config(t, s, s.LDAPS)
	cfg.BindDN, cfg.Password = "", secret.Bytes{}
	for _, page := range []int{7, 500} {
		cfg.Page = page
		if found, err := client(t, cfg).Search(t.Context(), everybody()); ldapconn.KindOf(err) != ldapconn.TooMuch || found != nil {
			t.Errorf("page %d: %d of 25 entries, %v", page, len(found), err)
		}
	}
}

func TestServersAreTriedInOrder(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: crowd(3)})
	c := client(t, config(t, s, ldaptest.Dead(t), s.LDAPS))
	for range 2 {
		if found, err := c.Search(t.Context(), everybody()); err != nil || len(found) != 3 {
			t.Errorf("%d entries, %v", len(found), err)
		}
	}
	s.Stop()
	if _, err := c.Search(t.Context(), everybody()); ldapconn.KindOf(err) != ldapconn.Unavailable {
		t.Errorf("with all servers gone: %v", err)
	}
}

// A server that was restarted has closed the connections that a client keeps.
func TestIdleConnectionThatHasEnded(t *testing.T) {
	first := ldaptest.Start(t, ldaptest.Options{LDIF: crowd(3), Anonymous: true})
	second := ldaptest.Start(t, ldaptest.Options{LDIF: crowd(4), Anonymous: true})
	cfg := config(t, first, first.LDAPS)
	a, _ := os.ReadFile(first.CAFile)
	b, _ := os.ReadFile(second.CAFile)
	cfg.CA, _ = ldapconn.ReadCA(append(a, b...))
	cfg.Servers = append(cfg.Servers, second.LDAP)
	c := client(t, cfg)
	if found, err := c.Search(t.Context(), everybody()); err != nil || len(found) != 3 {
		t.Fatalf("%d entries, %v", len(found), err)
	}
	first.Stop()
	if found, err := c.Search(t.Context(), everybody()); err != nil || len(found) != 4 {
		t.Errorf("%d entries, %v", len(found), err)
	}
}

func TestSearchEndsWithItsContext(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, config(t, s, s.LDAPS)).Search(ctx, everybody()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestFilterIsEscaped(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.Options{LDIF: crowd(3)})
	c := client(t, config(t, s, s.LDAPS))
	for _, value := range []string{"*", "user*", "x)(objectClass=*", `\2a`, "user000\x00", "(", `user000\`} {
		q := everybody()
		q.Filter = ldapconn.Equal("sAMAccountName", value)
		if found, err := c.Search(t.Context(), q); err != nil || len(found) != 0 {
			t.Errorf("%q finds %d entries, %v", value, len(found), err)
		}
	}
}

func TestAuthenticateAtSlapd(t *testing.T) {
	const policy = `overlay ppolicy
ppolicy_default cn=policy,dc=corp,dc=example
ppolicy_use_lockout
`
	s := ldaptest.Start(t, ldaptest.Options{Overlay: policy, LDIF: "dn: cn=policy," + base + `
objectClass: person
objectClass: pwdPolicy
cn: policy
sn: policy
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 2
pwdMustChange: TRUE

` + user("ada", "userPassword: correct horse\n") + user("new", "userPassword: correct horse\npwdReset: TRUE\n") + user("none", "")})
	c := client(t, config(t, s, s.LDAPS))
	bind := func(name, password string) ldapconn.Kind {
		err := c.Authenticate(t.Context(), "cn="+name+","+base, secret.FromString(password))
		if err == nil {
			return 255
		}
		return ldapconn.KindOf(err)
	}
	for _, step := range []struct {
		name, password string
		want           ldapconn.Kind
	}{
		{"ada", "correct horse", 255},
		{"ada", "", ldapconn.WrongPassword},
		{"ada", "correct horse\x00", ldapconn.WrongPassword},
		{"nobody", "correct horse", ldapconn.WrongPassword},
		{"none", "correct horse", ldapconn.WrongPassword},
		{"new", "correct horse", ldapconn.MustChange},
		{"ada", "wrong", ldapconn.WrongPassword},
		{"ada", "wrong", ldapconn.WrongPassword},
		{"ada", "correct horse", ldapconn.Locked},
	} {
		if got := bind(step.name, step.password); got != step.want {
			t.Errorf("%s with %q: %v, want %v", step.name, step.password, got, step.want)
		}
	}
	if err := c.Authenticate(t.Context(), "", secret.FromString("correct horse")); err == nil {
		t.Error("a bind without a name is taken")
	}
	if found, err := c.Search(t.Context(), everybody()); err != nil || len(found) != 3 {
		t.Errorf("searches after users' binds: %d entries, %v", len(found), err)
	}
}

func TestNestedGroups(t *testing.T) {
	group := func(name string, members ...string) string {
		text := fmt.Sprintf("dn: cn=%s,%s\nobjectClass: group\ncn: %[1]s\n", name, base)
		for _, m := range members {
			text += "member: cn=" + m + "," + base + "\n"
		}
		return text + "\n"
	}
	ldif := user("ada", "") + user("eve", "") + group("direct", "ada") + group("outer", "direct", "eve") +
		group("round", "outer", "again") + group("again", "round") + group("other", "eve")
	deep := "ada"
	for i := range 70 {
		name := fmt.Sprintf("deep%d", i)
		ldif += group(name, map[bool]string{true: "bob", false: deep}[i == 0])
		deep = name
	}
	s := ldaptest.Start(t, ldaptest.Options{LDIF: ldif + user("bob", "")})
	c := client(t, config(t, s, s.LDAPS))
	found, err := ldapconn.Groups{Base: base}.Of(t.Context(), c, "cn=ada,"+base)
	if err != nil || len(found) != 4 {
		t.Errorf("%v, %v", found, err)
	}
	if found, err := (ldapconn.Groups{Base: base}).Of(t.Context(), c, "cn=nobody,"+base); err != nil || len(found) != 0 {
		t.Errorf("of nobody: %v, %v", found, err)
	}
	if found, err := (ldapconn.Groups{Base: base}).Of(t.Context(), c, "cn=bob,"+base); ldapconn.KindOf(err) != ldapconn.TooMuch || found != nil {
		t.Errorf("nested too deep: %d groups, %v", len(found), err)
	}
}

func TestConfigRefuses(t *testing.T) {
	password := secret.FromString("x")
	for name, cfg := range map[string]ldapconn.Config{
		"no server":               {},
		"no scheme":               {Servers: []string{"dc1.corp.example"}},
		"another scheme":          {Servers: []string{"https://dc1.corp.example"}},
		"a path":                  {Servers: []string{"ldaps://dc1.corp.example/dc=corp"}},
		"a user":                  {Servers: []string{"ldaps://u:p@dc1.corp.example"}},
		"plain, not on loopback":  {Servers: []string{"ldap://192.0.2.1"}, Plain: true},
		"plain, a name":           {Servers: []string{"ldap://localhost"}, Plain: true},
		"a name without password": {Servers: []string{"ldaps://h"}, BindDN: "cn=x"},
		"a password without name": {Servers: []string{"ldaps://h"}, Password: password},
	} {
		if _, err := ldapconn.New(cfg); err == nil {
			t.Errorf("%s: is taken", name)
		}
	}
	if _, err := ldapconn.ReadCA([]byte("none")); err == nil {
		t.Error("a file without a certificate is taken")
	}
	if ldapconn.CheckFilter("(objectClass=user") == nil || ldapconn.CheckFilter("(objectClass=user)") != nil {
		t.Error("filters are not checked")
	}
}
