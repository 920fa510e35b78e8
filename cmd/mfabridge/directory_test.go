package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mfabridge/internal/ldapconn/ldaptest"
)

// corp is the directory of testdata/directory. All people are made up; the
// first objectSid is S-1-5-21-1-2-3-1001.
const corp = `dn: dc=emea,dc=corp,dc=example
objectClass: domain
dc: emea

dn: cn=Ada,dc=corp,dc=example
objectClass: user
cn: Ada
sn: Lovelace
sAMAccountName: ada
userPrincipalName: ada@contoso.example
mobile: +44 20 7946 0009
objectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAA6QMAAA==

dn: cn=Ben,dc=corp,dc=example
objectClass: user
cn: Ben
sn: Franklin
sAMAccountName: ben
userPrincipalName: ben@contoso.example
mail: ben@mail.example

dn: cn=Cyd,dc=corp,dc=example
objectClass: user
cn: Cyd
sn: Charisse
sAMAccountName: cyd.charisse
userPrincipalName: cyd@contoso.example
mail: cyd@mail.example

dn: cn=Dee,dc=corp,dc=example
objectClass: user
cn: Dee
sn: One
sAMAccountName: dee
userPrincipalName: dee@contoso.example

dn: cn=Dee,dc=emea,dc=corp,dc=example
objectClass: user
cn: Dee
sn: Two
sAMAccountName: dee
userPrincipalName: dee@emea.example

`

// The scripts of testdata/directory find a slapd, a server that is not there,
// and one whose connections end in the middle of an answer.
func TestDirectoryScripts(t *testing.T) {
	server := ldaptest.Start(t, ldaptest.Options{LDIF: corp})
	broken := ldaptest.Script(t, func(r ldaptest.Request) ldaptest.Reply {
		switch {
		case r.Bind:
			return ldaptest.Reply{}
		case r.Cookie == "":
			return ldaptest.Reply{Entries: []ldaptest.Entry{{DN: "cn=Ada,dc=corp,dc=example", Attributes: map[string][]string{"sAMAccountName": {"ada"}}}}, Cookie: "more"}
		}
		return ldaptest.Reply{Drop: true}
	})
	dead, foreign := ldaptest.Dead(t), ldaptest.NewAuthority(t).File(t, t.TempDir())
	testscript.Run(t, testscript.Params{
		Dir: "testdata/directory", Cmds: scriptCommands, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			for name, value := range map[string]string{"LDAP": server.LDAP, "LDAPS": server.LDAPS, "CA": server.CAFile, "ROOT": ldaptest.Root,
				"DEAD": dead, "FOREIGN": foreign, "BROKEN": broken.URL} {
				e.Setenv(name, value)
			}
			return nil
		},
	})
}
