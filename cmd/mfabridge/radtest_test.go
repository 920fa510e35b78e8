package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

// radtest asks as an administrator does who tries a server for the first time.
func radtest(t *testing.T, protocol, address, user, password, secret string) *exec.Cmd {
	t.Helper()
	return exec.Command(peer.Path(t, "radtest", "freeradius-utils"), "-t", protocol, user, password, address, "0", secret, "0", "127.0.0.1")
}

// TestRadtest: the code of a migrated token as the password, by radtest.
func TestRadtest(t *testing.T) {
	peer.Path(t, "oathtool", "oathtool")
	s := moved(t)
	s.write(t, "vpn.secret", sharedSecret)
	shim := startShim(t, s.write(t, "shim.yaml", strings.Replace(radclientYAML, "primary_done_by_client: true", "primary_done_by_client: true, code_entry: only", 1)))
	code := oathtool(t, fixtures.CanaryTokenBase32)
	for _, c := range []struct{ name, protocol, user, password, want string }{
		{"wrong code", "pap", fixtures.Ada, wrong(code), "Received Access-Reject"},
		{"code of a migrated token", "pap", fixtures.Ada, code, "Received Access-Accept"},
		{"the same code again", "pap", fixtures.Ada, code, "Received Access-Reject"},
		{"somebody unknown", "pap", "nobody@contoso.example", code, "Received Access-Reject"},
		{"CHAP where nobody can judge it", "chap", fixtures.Ada, code, "Received Access-Reject"},
		{"MS-CHAP of the first version", "mschap", fixtures.Ada, code, "Received Access-Reject"},
	} {
		out, _ := radtest(t, c.protocol, shim.address, c.user, c.password, sharedSecret).CombinedOutput() // its exit code tells Accept from the rest
		if !strings.Contains(string(out), c.want) || c.want != "Received Access-Accept" && strings.Contains(string(out), "Received Access-Accept") {
			t.Errorf("%s: no %s:\n%s", c.name, c.want, out)
		}
	}
	log := shim.stop()
	for _, reason := range []string{"wrong_code", "used_code", "user_unknown", "protocol_not_supported"} {
		if !strings.Contains(log, fmt.Sprintf(`"reason":%q`, reason)) {
			t.Errorf("the log gives no reason %s:\n%s", reason, log)
		}
	}
}

// TestRadtestByCHAP: the challenge is the authenticator or an attribute, as the
// client likes; radtest sends none.
func TestRadtestByCHAP(t *testing.T) {
	r := newRelaying(t)
	approved := r.run(radtest(t, "chap", r.shim.address, fixtures.Ada, relayPassword, sharedSecret), "")
	r.ada.anywhere = true
	r.ada.press(t, engine.PushApprove, "")
	if out := <-approved; !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("CHAP and an approved push:\n%s", out)
	}
}
