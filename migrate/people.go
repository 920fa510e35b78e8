package migrate

import (
	"context"
	"time"
)

// PersonKind says by which attribute a person is looked up in the customer's
// directory.
type PersonKind string

const (
	PersonByAccount PersonKind = "account" // sAMAccountName: the name before Windows 2000
	PersonByUPN     PersonKind = "upn"     // userPrincipalName
	PersonBySID     PersonKind = "sid"     // objectSid, written S-1-…
	PersonByMail    PersonKind = "mail"    // mail: anybody may have entered it, so it is weak
)

// PersonKey is one way to look a person up. Domain is what stands before the
// backslash of DOMAIN\name, else empty.
type PersonKey struct {
	Kind   PersonKind
	Value  string
	Domain string
}

// Person is what a plan uses of an entry of the customer's directory. Empty
// fields are not known.
type Person struct {
	ID      string    // tells two entries apart: the distinguished name
	Domain  string    // short name of the configured domain in which the entry stands; empty: outside all of them
	Account string    // sAMAccountName; empty where an entry has several
	Name    string    // the user principal name that the cloud knows the person by
	SID     string    // S-1-…
	Phones  []string  // as they are typed there, the one that counts most first
	Changed time.Time // when the entry was changed last, by anybody
}

// PersonHits are the people that one key leads to.
type PersonHits struct {
	Attribute string // that was asked, e.g. "sAMAccountName"; empty: the directory is not asked by this kind of key
	People    []Person
}

// People is the customer's own directory, Active Directory or another, which
// knows the people whom the old server knew. Package ldapdir asks it by LDAP.
type People interface {
	// Lookup returns for each key, in order, everybody whom it leads to. A
	// name leads to those who have that very name, but for its case; where
	// Domain is a configured domain, to those in that domain only. An answer
	// that is not complete is an error: *[cloud.Error], Unavailable where
	// another try may help.
	Lookup(ctx context.Context, keys []PersonKey) ([]PersonHits, error)
}
