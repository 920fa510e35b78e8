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
	out, err := child(t.Context(), "shim", "check", "--config", yaml).CombinedOutput()
	for _, want := range []string{slapd.LDAPS + " answers, and its base is there", "cannot be asked", "nobody delivers codes by text"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("shim check: %v, want %q\n%s", err, want, out)
		}
	}
	text := fmt.Sprintf(directoryYAML, slapd.LDAPS, slapd.LDAP, slapd.CAFile, ldaptest.Root)
	for change, want := range map[[2]string]string{
		{"example\nusernames", "example\n    filter: (objectClass=account)\nusernames"}: "nobody below dc=corp,dc=example can be seen whom the filter meets",
		{"dc=corp,dc=example\nusernames", "dc=crop,dc=example\nusernames"}:              "check base_dn: letter by letter",
		{"bind_dn: \"", "bind_dn: \"cn=somebody,"}:                                      "check bind_dn and bind_password",
		{"file:bind.secret", "file:vpn.secret"}:                                         "check bind_dn and bind_password",
		{slapd.CAFile, ldaptest.NewAuthority(t).File(t, t.TempDir())}:                   "check ca",
	} {
		if r := mfabridge(t, "shim", "check", "--config", s.write(t, "wrong.yaml", strings.Replace(text, change[0], change[1], 1))); r.code == exitDone || !strings.Contains(r.err, want) {
			t.Errorf("%q: exit code %d, want %q in\n%s", change[1], r.code, want, r.err)
		} else if asked := strings.Count(r.out, "the bind to the directory is refused"); strings.Contains(want, "bind_dn") && (asked != 1 || !strings.Contains(r.out, "each server would count that")) {
			t.Errorf("%q: %d servers were asked with what is wrong:\n%s", change[1], asked, r.out)
		}
	}
	grouped := strings.Replace(text, "primary: corp}", `primary: corp, reply: {groups: {"cn=vpn,dc=corp,dc=example": {Class: vpn}}}}`, 1)
	must(t, exitDone, "shim", "check", "--config", s.write(t, "grouped.yaml", grouped))
	grouped = strings.Replace(grouped, "example\nusernames", "example\n    group_base: ou=none,dc=corp,dc=example\nusernames", 1)
	if r := must(t, exitFailed, "shim", "check", "--config", s.write(t, "grouped.yaml", grouped)); !strings.Contains(r.err, "groups cannot be looked up") || !strings.Contains(r.err, "check group_base") {
		t.Errorf("groups that are nowhere:\n%s", r.err)
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
	// Whoever asks for the person finds what was typed in another way, and all legs.
	for _, name := range []string{fixtures.Ada, "ada", `corp\ADA`} {
		if r := must(t, exitDone, "shim", "why", "--config", yaml, name); !strings.Contains(r.out, `challenge  user=CORP\ada  person=`+fixtures.Ada) ||
			!strings.Contains(r.out, `accept  user=CORP\ada`) || !strings.Contains(r.out, "wrong_password") || strings.Contains(r.out, "mallory") || r.err != "" {
			t.Errorf("why %s says\n%s%s", name, r.out, r.err)
		}
	}
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
