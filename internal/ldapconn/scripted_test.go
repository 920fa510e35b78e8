package ldapconn_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mfabridge/internal/ldapconn"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/secret"
)

func scripted(t *testing.T, answer func(ldaptest.Request) ldaptest.Reply) (*ldapconn.Client, *ldaptest.Scripted) {
	t.Helper()
	s := ldaptest.Script(t, answer)
	return client(t, ldapconn.Config{Servers: []string{s.URL}, Plain: true, Timeout: time.Minute}), s
}

// patience is how long a client waits for a peer that gives one answer: only one
// that hangs is given up soon.
func patience(reply ldaptest.Reply) time.Duration {
	if reply.Hang {
		return time.Second
	}
	return time.Minute
}

// What Active Directory answers to a bind that it refuses.
func TestActiveDirectorysReasons(t *testing.T) {
	for data, want := range map[string]ldapconn.Kind{
		"525": ldapconn.WrongPassword, "52e": ldapconn.WrongPassword, "52f": ldapconn.Disabled, "530": ldapconn.NotNow,
		"531": ldapconn.NotNow, "532": ldapconn.PasswordExpired, "533": ldapconn.Disabled, "701": ldapconn.AccountExpired,
		"773": ldapconn.MustChange, "775": ldapconn.Locked, "999": ldapconn.WrongPassword, "": ldapconn.WrongPassword,
	} {
		c, peer := scripted(t, func(ldaptest.Request) ldaptest.Reply {
			return ldaptest.Reply{Code: 49, Message: fmt.Sprintf("80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data %s, v3839", data)}
		})
		err := c.Authenticate(t.Context(), "cn=ada", secret.FromString("correct horse"))
		if err == nil || ldapconn.KindOf(err) != want || strings.Contains(err.Error(), "correct horse") {
			t.Errorf("data %q: %v, want %v", data, err, want)
		}
		if n := passwords(peer); n != 1 {
			t.Errorf("data %q: the password was sent %d times", data, n)
		}
	}
}

func TestBindAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		reply ldaptest.Reply
		want  ldapconn.Kind
	}{
		"too many tries, 389 Directory Server": {ldaptest.Reply{Code: 19}, ldapconn.Locked},
		"expired, by policy":                   {ldaptest.Reply{Code: 49, HasPolicy: true, Policy: 0}, ldapconn.PasswordExpired},
		"locked, by policy":                    {ldaptest.Reply{Code: 49, HasPolicy: true, Policy: 1}, ldapconn.Locked},
		"success, and must change":             {ldaptest.Reply{HasPolicy: true, Policy: 2}, ldapconn.MustChange},
		"success, and something unknown":       {ldaptest.Reply{HasPolicy: true, Policy: 5}, ldapconn.Failed},
		"busy":                                 {ldaptest.Reply{Code: 51}, ldapconn.Unavailable},
		"unwilling":                            {ldaptest.Reply{Code: 53}, ldapconn.Denied},
		"unwilling, it is too busy":            {ldaptest.Reply{Code: 53, Message: "too busy"}, ldapconn.Denied},
		"disabled, 389 Directory Server":       {ldaptest.Reply{Code: 53, Message: "Account inactivated. Contact system administrator."}, ldapconn.Disabled},
		"locked for good, FreeIPA":             {ldaptest.Reply{Code: 53, Message: "Entry permanently locked.\n"}, ldapconn.Locked},
		"locked for a while, FreeIPA":          {ldaptest.Reply{Code: 53, Message: "Too many failed logins.\n"}, ldapconn.Locked},
		"expired, FreeIPA":                     {ldaptest.Reply{Code: 53, Message: "Account (Kerberos principal) is expired"}, ldapconn.AccountExpired},
		"referral":                             {ldaptest.Reply{Code: 10}, ldapconn.Elsewhere},
		"no such object":                       {ldaptest.Reply{Code: 32}, ldapconn.WrongPassword},
		"no answer":                            {ldaptest.Reply{Hang: true}, ldapconn.Unavailable},
		"the connection ends":                  {ldaptest.Reply{Drop: true}, ldapconn.Unavailable},
	} {
		s := ldaptest.Script(t, func(ldaptest.Request) ldaptest.Reply { return c.reply })
		cl := client(t, ldapconn.Config{Servers: []string{s.URL}, Plain: true, Timeout: patience(c.reply)})
		err := cl.Authenticate(t.Context(), "cn=ada", secret.FromString("correct horse"))
		if err == nil || ldapconn.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestSearchAnswers(t *testing.T) {
	one := []ldaptest.Entry{{DN: "cn=ada", Attributes: map[string][]string{"cn": {"ada"}}}}
	for name, c := range map[string]struct {
		reply ldaptest.Reply
		want  ldapconn.Kind
	}{
		"size limit":           {ldaptest.Reply{Entries: one, Code: 4}, ldapconn.TooMuch},
		"time limit":           {ldaptest.Reply{Entries: one, Code: 3}, ldapconn.TooMuch},
		"administrative limit": {ldaptest.Reply{Entries: one, Code: 11}, ldapconn.TooMuch},
		"referral":             {ldaptest.Reply{Code: 10}, ldapconn.Elsewhere},
		"not bound, as Active Directory says it": {ldaptest.Reply{Code: 1,
			Message: "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed on the connection."}, ldapconn.Denied},
		"no access":                {ldaptest.Reply{Code: 50}, ldapconn.Denied},
		"half of the answer":       {ldaptest.Reply{Entries: one, Drop: true}, ldapconn.Unavailable},
		"no answer":                {ldaptest.Reply{Entries: one, Hang: true}, ldapconn.Unavailable},
		"pages without an end":     {ldaptest.Reply{Cookie: "more"}, ldapconn.TooMuch},
		"something else, protocol": {ldaptest.Reply{Code: 2}, ldapconn.Failed},
	} {
		s := ldaptest.Script(t, func(ldaptest.Request) ldaptest.Reply { return c.reply })
		cl := client(t, ldapconn.Config{Servers: []string{s.URL}, Plain: true, Timeout: patience(c.reply), Entries: 50})
		if found, err := cl.Search(t.Context(), everybody()); err == nil || ldapconn.KindOf(err) != c.want || found != nil {
			t.Errorf("%s: %d entries, %v, want %v", name, len(found), err, c.want)
		}
	}
}

// The connection breaks between two pages: the second server is asked from the
// beginning, and nothing stands twice.
func TestConnectionBreaksBetweenPages(t *testing.T) {
	entry := func(name string) []ldaptest.Entry { return []ldaptest.Entry{{DN: "cn=" + name}} }
	broken := ldaptest.Script(t, func(r ldaptest.Request) ldaptest.Reply {
		if r.Cookie == "" {
			return ldaptest.Reply{Entries: entry("a"), Cookie: "1"}
		}
		return ldaptest.Reply{Drop: true}
	})
	whole := ldaptest.Script(t, func(r ldaptest.Request) ldaptest.Reply {
		if r.Cookie == "" {
			return ldaptest.Reply{Entries: entry("a"), Cookie: "2"}
		}
		return ldaptest.Reply{Entries: entry("b")}
	})
	cfg := ldapconn.Config{Servers: []string{broken.URL}, Plain: true, Timeout: time.Minute}
	if found, err := client(t, cfg).Search(t.Context(), everybody()); ldapconn.KindOf(err) != ldapconn.Unavailable || found != nil {
		t.Errorf("one server: %d entries, %v", len(found), err)
	}
	cfg.Servers = append(cfg.Servers, whole.URL)
	found, err := client(t, cfg).Search(t.Context(), everybody())
	if err != nil || len(found) != 2 || found[1].DN != "cn=b" {
		t.Errorf("two servers: %v, %v", found, err)
	}
	for _, r := range whole.Requests() {
		if r.Cookie == "1" {
			t.Error("the cookie of one server was sent to another")
		}
	}
}

// A refused bind of the searching account is not repeated at the next server.
func TestWrongPasswordIsSentOnce(t *testing.T) {
	refuse := func(ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{Code: 49} }
	first, second := ldaptest.Script(t, refuse), ldaptest.Script(t, refuse)
	cl := client(t, ldapconn.Config{Servers: []string{first.URL, second.URL}, Plain: true, BindDN: "cn=reader", Password: secret.FromString("wrong")})
	if _, err := cl.Search(t.Context(), everybody()); ldapconn.KindOf(err) != ldapconn.Denied {
		t.Errorf("%v", err)
	}
	if a, b := len(first.Requests()), len(second.Requests()); a != 1 || b != 0 {
		t.Errorf("sent %d and %d times", a, b)
	}
}

// What is no proof of anybody is not asked for: a server that takes binds
// without a name or a password, as RFC 4513 allows, would call it right.
func TestBindThatProvesNobodyIsNotSent(t *testing.T) {
	c, s := scripted(t, func(ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{} })
	for name, bind := range map[string]struct {
		dn       string
		password secret.Bytes
	}{
		"no name":     {"", secret.FromString("correct horse")},
		"no password": {"cn=ada", secret.Bytes{}},
		"empty":       {"cn=ada", secret.FromString("")},
		"NUL":         {"cn=ada", secret.FromString("correct horse\x00x")},
		"NUL first":   {"cn=ada", secret.FromString("\x00")},
	} {
		if err := c.Authenticate(t.Context(), bind.dn, bind.password); ldapconn.KindOf(err) != ldapconn.WrongPassword || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if asked := s.Requests(); len(asked) > 0 {
		t.Errorf("the server heard of %d", len(asked))
	}
}
