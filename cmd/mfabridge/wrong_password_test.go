package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/fixtures"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/peer"
	"mfabridge/internal/secret"
)

// lockout has OpenLDAP write down each wrong password at its entry.
const lockout = "overlay ppolicy\nppolicy_default cn=policy,dc=corp,dc=example\n"

const lockoutPolicy = "dn: cn=policy,dc=corp,dc=example\nobjectClass: person\nobjectClass: pwdPolicy\nsn: x\ncn: policy\n" +
	"pwdAttribute: userPassword\npwdLockout: TRUE\npwdMaxFailure: 10\n\n"

// TestOneMistypedPasswordIsOneToTheDirectory: a client that tries a mistyped
// password again and again, at one shim and then at the other, in new packets
// from new ports, and
// at both in the same moment, raises the directory's count of bad passwords by one.
func TestOneMistypedPasswordIsOneToTheDirectory(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	slapd := ldaptest.Start(t, ldaptest.Options{LDIF: lockoutPolicy + directoryEntry("ada", fixtures.Ada, ""), Overlay: lockout})
	s.write(t, "bind.secret", ldaptest.RootPassword)
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	yaml := s.write(t, "shim.yaml", strings.Replace(
		fmt.Sprintf(directoryYAML, ldaptest.Dead(t), slapd.LDAPS, slapd.CAFile, ldaptest.Root), "base_dn:", "max_bind_failures: 9/15m\n    base_dn:", 1))
	ca, err := os.ReadFile(slapd.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := ldapconn.ReadCA(ca)
	if err != nil {
		t.Fatal(err)
	}
	root, err := ldapconn.New(ldapconn.Config{Servers: []string{slapd.LDAPS}, CA: pool, BindDN: ldaptest.Root,
		Password: secret.FromString(ldaptest.RootPassword), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	counted := func() int {
		t.Helper()
		entries, err := root.Search(t.Context(), ldapconn.Query{Base: "cn=ada,dc=corp,dc=example", BaseOnly: true, Filter: "(objectClass=*)", Attributes: []string{"pwdFailureTime"}})
		if err != nil || len(entries) != 1 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		return len(entries[0].Values("pwdFailureTime"))
	}
	one, two := startShim(t, yaml), startShim(t, yaml)
	for i, shim := range []shimProcess{one, one, two, two, one} {
		out := radclient(t, shim.address, secretFile, `User-Name = "CORP\\ada"`, `User-Password = "mistyped"`, fmt.Sprintf("NAS-Port = %d", i))
		if !strings.Contains(out, "Received Access-Reject") {
			t.Errorf("a wrong password:\n%s", out)
		}
		if n := counted(); n != 1 {
			t.Fatalf("after %d tries the directory counts %d", i+1, n)
		}
	}
	if out := radclient(t, two.address, secretFile, `User-Name = "CORP\\ada"`, `User-Password = "another"`); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("another wrong password:\n%s", out)
	}
	if n := counted(); n != 2 {
		t.Errorf("two wrong passwords are %d to the directory", n)
	}
	for round := range 6 {
		var both sync.WaitGroup
		for _, shim := range []shimProcess{one, two, one, two} {
			both.Go(func() {
				out := radclient(t, shim.address, secretFile, `User-Name = "CORP\\ada"`, fmt.Sprintf("User-Password = \"mistyped %d\"", round))
				if !strings.Contains(out, "Received Access-Reject") {
					t.Errorf("a wrong password at both shims at once:\n%s", out)
				}
			})
		}
		both.Wait()
		if n := counted(); n != 3+round {
			t.Fatalf("%d wrong passwords, each at both shims at once, are %d to the directory", round+1, n-2)
		}
	}
	if out := radclient(t, one.address, secretFile, `User-Name = "CORP\\ada"`, `User-Password = "correct horse"`); !strings.Contains(out, "Received Access-Challenge") {
		t.Errorf("the right password:\n%s", out)
	}
}
