// Package ldaptest starts LDAP servers for tests: slapd with a schema like
// that of Active Directory ([Start]), and a scripted peer ([Scripted]) that
// says what Active Directory says and slapd never does. Both listen on loopback
// and end with the test. All people in them are made up.
package ldaptest
