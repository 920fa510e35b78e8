package ldapconn

import (
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Domain is a part of a directory: a distinguished name.
type Domain struct{ dn *ldap.DN }

// ParseDomain understands corp.example (which is dc=corp,dc=example) and
// ou=people,o=corp.
func ParseDomain(s string) (Domain, error) {
	if !strings.Contains(s, "=") {
		labels := strings.Split(s, ".")
		for i, label := range labels {
			if label == "" || strings.ContainsAny(label, `,+"\<>;# `) {
				return Domain{}, fmt.Errorf("%q is no name of a domain", s)
			}
			labels[i] = "dc=" + label
		}
		s = strings.Join(labels, ",")
	}
	dn, err := ldap.ParseDN(s)
	if err != nil || len(dn.RDNs) == 0 {
		return Domain{}, fmt.Errorf("%q is no name of a domain", s)
	}
	return Domain{dn}, nil
}

// Holds tells whether the entry dn stands in the domain: below it, and not in
// a domain of its own below it (dc=emea,dc=corp,dc=example is not in
// dc=corp,dc=example).
func (d Domain) Holds(dn string) bool {
	entry, err := ldap.ParseDN(dn)
	if err != nil || d.dn == nil || !d.dn.AncestorOfFold(entry) {
		return false
	}
	next := entry.RDNs[len(entry.RDNs)-len(d.dn.RDNs)-1]
	return !strings.EqualFold(next.Attributes[0].Type, "dc")
}

// FoldName returns a distinguished name in the one form that stands for all
// its spellings: escapes, spaces around separators and case do not count.
func FoldName(s string) (string, error) {
	dn, err := ldap.ParseDN(s)
	if err != nil || len(dn.RDNs) == 0 {
		return "", fmt.Errorf("%q is no distinguished name", s)
	}
	return strings.ToLower(dn.String()), nil
}
