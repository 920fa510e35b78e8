package ldapconn_test

import (
	"bytes"
	"testing"

	"mfabridge/internal/ldapconn"
)

func TestSID(t *testing.T) {
	// BUILTIN\Administrators, a well-known identifier ([MS-DTYP] 2.4.2.4).
	raw := []byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0}
	got, err := ldapconn.DecodeSID(raw)
	if err != nil || got != "S-1-5-32-544" {
		t.Errorf("%q, %v", got, err)
	}
	back, err := ldapconn.EncodeSID("s-1-5-32-544")
	if err != nil || !bytes.Equal(back, raw) {
		t.Errorf("%x, %v", back, err)
	}
	for _, bad := range [][]byte{nil, raw[:7], raw[:15], append(raw[:16:16], 0), {2, 0, 0, 0, 0, 0, 0, 5}, append([]byte{1, 16, 0, 0, 0, 0, 0, 5}, make([]byte, 64)...)} {
		if s, err := ldapconn.DecodeSID(bad); err == nil {
			t.Errorf("%x is %s", bad, s)
		}
	}
	for _, bad := range []string{"", "S-1", "S-2-5-1", "X-1-5-1", "S-1-5-4294967296", "S-1-5--1", "S-1-281474976710656-1", "S-1-5-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1"} {
		if b, err := ldapconn.EncodeSID(bad); err == nil {
			t.Errorf("%q is %x", bad, b)
		}
	}
}

func FuzzSID(f *testing.F) {
	f.Add([]byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ldapconn.DecodeSID(raw)
		if err != nil {
			return
		}
		if back, err := ldapconn.EncodeSID(s); err != nil || !bytes.Equal(back, raw) {
			t.Errorf("%x is %s is %x, %v", raw, s, back, err)
		}
	})
}

func TestDomains(t *testing.T) {
	for _, c := range []struct {
		domain, dn string
		want       bool
	}{
		{"corp.example", "CN=Ada,OU=Staff,DC=Corp,DC=Example", true},
		{"corp.example", "cn=ada,dc=corp,dc=example", true},
		{"corp.example", "cn=ada,ou=staff,dc=emea,dc=corp,dc=example", false},
		{"emea.corp.example", "cn=ada,ou=staff,dc=emea,dc=corp,dc=example", true},
		{"corp.example", "dc=corp,dc=example", false},
		{"corp.example", "cn=ada,dc=xcorp,dc=example", false},
		{"corp.example", `cn=ada\,dc=corp,dc=example`, false},
		{"corp.example", "no name", false},
		{"ou=people,o=corp", "uid=ada,OU=People,o=Corp", true},
		{"ou=people,o=corp", "uid=ada,ou=robots,o=corp", false},
	} {
		d, err := ldapconn.ParseDomain(c.domain)
		if err != nil || d.Holds(c.dn) != c.want {
			t.Errorf("%s holds %s: %v, %v", c.domain, c.dn, d.Holds(c.dn), err)
		}
	}
	for _, bad := range []string{"", "corp..example", "corp,example", "a b", "=x"} {
		if _, err := ldapconn.ParseDomain(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
