// Package ldapdir is a customer's directory as [migrate.People]: who somebody
// of the old server is, asked by LDAP of Active Directory or OpenLDAP.
//
//	people, err := ldapdir.New(client, ldapdir.Config{Base: "dc=corp,dc=example", …})
//	hits, err := people.Lookup(ctx, keys)
//
// Keys are asked many at a time, in one filter. Directories find more than what
// was asked for: both Active Directory and slapd fold accents, widths, spaces
// and Unicode forms in some attributes. What comes back is compared with each
// key here, and only what is the same but for its case is a hit.
package ldapdir
