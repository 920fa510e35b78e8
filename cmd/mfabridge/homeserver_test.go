package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

const homeYAML = `engine:
  store: sqlite:cloud.db
data: .
primaries:
  old: {type: radius, servers: [{address: "%s", secret: "file:old.secret", message_authenticator: observe}]}
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - {name: vpn, networks: ["127.0.0.0/8"], secret: "file:vpn.secret", primary: old}
`

// TestPasswordOfAHomeServerThenCode: a migrated user's password is checked by
// FreeRADIUS, the code by the engine, and what FreeRADIUS says of the user
// arrives at the client with the last answer.
func TestPasswordOfAHomeServerThenCode(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	s.write(t, "old.secret", "a secret of the home server")
	home := peer.HomeServer(t, "a secret of the home server", fmt.Sprintf("%s Cleartext-Password := \"pa55\"\n\tClass := \"staff\", Filter-Id := \"vpn-users\"\n", fixtures.Ada))
	awaitStatus(t, home, s.write(t, "home.secret", "a secret of the home server"))
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	shim := startShim(t, s.write(t, "shim.yaml", fmt.Sprintf(homeYAML, home)))

	name := fmt.Sprintf("User-Name = %q", fixtures.Ada)
	if out := radclient(t, shim.address, secretFile, name, `User-Password = "pa56"`); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a wrong password is not refused:\n%s", out)
	}
	first := radclient(t, shim.address, secretFile, name, `User-Password = "pa55"`)
	state := stateOf.FindStringSubmatch(first)
	if !strings.Contains(first, "Received Access-Challenge") || state == nil || strings.Contains(first, "vpn-users") {
		t.Fatalf("no challenge, or one that says too much:\n%s", first)
	}
	code := fmt.Sprintf("User-Password = %q", oathtool(t, fixtures.CanaryTokenBase32))
	last := radclient(t, shim.address, secretFile, name, code, "State = "+state[1])
	for _, want := range []string{"Received Access-Accept", `Filter-Id = "vpn-users"`, "Class = 0x7374616666"} {
		if !strings.Contains(last, want) {
			t.Errorf("%s is missing:\n%s", want, last)
		}
	}
}

// Status-Server is not answered where nobody would check the first factor, also
// before a first login has been lost by that.
func TestStatusServerWithoutAHomeServer(t *testing.T) {
	client := peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	s.write(t, "old.secret", "a secret of the home server")
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	nobody := "127.0.0.1:" + peer.FreePort(t)
	for check, answers := range map[string]bool{"status_server": false, "none": true} {
		text := strings.Replace(fmt.Sprintf(homeYAML, nobody), "message_authenticator", "status_check: "+check+", message_authenticator", 1)
		shim := startShim(t, s.write(t, "shim.yaml", text))
		cmd := exec.CommandContext(t.Context(), client, "-t", map[bool]string{true: "60", false: "6"}[answers], "-r", "1", "-S", secretFile, shim.address, "status")
		cmd.Stdin = strings.NewReader("Message-Authenticator = 0x00\n")
		if out, err := cmd.CombinedOutput(); strings.Contains(string(out), "Received Access-Accept") != answers {
			t.Errorf("status_check: %s: %v\n%s", check, err, out)
		}
		shim.stop()
	}
}

// awaitStatus waits until a RADIUS server answers Status-Server.
func awaitStatus(t *testing.T, address, secretFile string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), peer.Path(t, "radclient", "freeradius-utils"), "-t", "1", "-r", "120", "-S", secretFile, address, "status")
	cmd.Stdin = strings.NewReader("Message-Authenticator = 0x00\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
