package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/peer"
)

const directoryYAML = `engine:
  store: sqlite:cloud.db
data: .
primaries:
  corp:
    type: ldap
    urls: ["%s", "%s"]
    ca: %s
    bind_dn: "%s"
    bind_password: file:bind.secret
    base_dn: dc=corp,dc=example
usernames:
  domains: {CORP: corp.example}
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - {name: vpn, networks: ["127.0.0.0/8"], secret: "file:vpn.secret", primary: corp}
`

// TestPasswordOfADirectoryThenCode: the password is checked by OpenLDAP, the
// code by the engine. The directory's ada is found in the engine by what her
// entry says; mallory's entry has her account name's look and another Sid.
func TestPasswordOfADirectoryThenCode(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	slapd := ldaptest.Start(t, ldaptest.Options{LDIF: directoryEntry("ada", fixtures.Ada, "") + directoryEntry("mallory", fixtures.Grace, "S-1-5-21-66-66-66-1")})
	s.write(t, "bind.secret", ldaptest.RootPassword)
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	yaml := s.write(t, "shim.yaml", fmt.Sprintf(directoryYAML, ldaptest.Dead(t), slapd.LDAPS, slapd.CAFile, ldaptest.Root))
	if out, err := child(t.Context(), "shim", "check", "--config", yaml).CombinedOutput(); err != nil || !strings.Contains(string(out), "the directory answers") {
		t.Fatalf("shim check: %v\n%s", err, out)
	}
	shim := startShim(t, yaml)
	password := `User-Password = "correct horse"`
	first := radclient(t, shim.address, secretFile, `User-Name = "CORP\\ada"`, password)
	state := stateOf.FindStringSubmatch(first)
	if !strings.Contains(first, "Received Access-Challenge") || state == nil {
		t.Fatalf("no challenge:\n%s", first)
	}
	code := fmt.Sprintf("User-Password = %q", oathtool(t, fixtures.CanaryTokenBase32))
	last := radclient(t, shim.address, secretFile, `User-Name = "CORP\\ada"`, code, "State = "+state[1])
	if !strings.Contains(last, "Received Access-Accept") {
		t.Errorf("not accepted:\n%s", last)
	}
	for name, attributes := range map[string][]string{
		"wrong password":  {`User-Name = "CORP\\ada"`, `User-Password = "wrong"`},
		"unknown domain":  {`User-Name = "OTHER\\ada"`, password},
		"nobody":          {`User-Name = "CORP\\nobody"`, password},
		"somebody's name": {`User-Name = "CORP\\mallory"`, password}, // grace's name, and another person by Sid
	} {
		if out := radclient(t, shim.address, secretFile, attributes...); !strings.Contains(out, "Received Access-Reject") {
			t.Errorf("%s: not refused:\n%s", name, out)
		}
	}
	log := shim.stop()
	for _, reason := range []string{"wrong_password", "user_unknown", "user_ambiguous"} {
		if !strings.Contains(log, `"reason":"`+reason+`"`) {
			t.Errorf("the log gives no reason %s:\n%s", reason, log)
		}
	}
	if strings.Contains(log, "correct horse") {
		t.Errorf("the log holds a password:\n%s", log)
	}
}

// directoryEntry is a person with a password, known by a user principal name
// and perhaps by a Sid.
func directoryEntry(account, upn, sid string) string {
	entry := fmt.Sprintf("dn: cn=%[1]s,dc=corp,dc=example\nobjectClass: user\nsn: x\nsAMAccountName: %[1]s\nuserPrincipalName: %[2]s\nuserPassword: correct horse\n", account, upn)
	if sid != "" {
		raw, err := ldapconn.EncodeSID(sid)
		if err != nil {
			panic(err)
		}
		entry += "objectSid:: " + base64.StdEncoding.EncodeToString(raw) + "\n"
	}
	return entry + "\n"
}
