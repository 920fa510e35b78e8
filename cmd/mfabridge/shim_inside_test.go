package main

import (
	"strings"
	"testing"

	"mfabridge/fixtures"
)

func TestSelftestAndTestFromTheInside(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	path := m.write(t, "shim.yaml", radclientYAML)
	r := must(t, exitDone, "shim", "selftest", "--config", path)
	if strings.Count(r.out, "ok    vpn: ") < 20 || strings.Contains(r.out, "FAIL") {
		t.Errorf("selftest says\n%s", r.out)
	}
	r = mfabridgeIn(t, "000000\n", "shim", "test", "--config", path, "--user", fixtures.Ada, "--client", "VPN")
	for _, want := range []string{"< Access-Challenge", "> Access-Request 2", "wrong_code: the code is wrong", "< Access-Reject"} {
		if r.code != exitFailed || !strings.Contains(r.out, want) {
			t.Errorf("exit code %d, no %q in\n%s%s", r.code, want, r.out, r.err)
		}
	}
	if r = mfabridgeIn(t, "", "shim", "test", "--config", path, "--user", "nobody", "--client", "vpn"); r.code != exitFailed || !strings.Contains(r.out, "user_unknown: ") {
		t.Errorf("nobody: %d\n%s%s", r.code, r.out, r.err)
	}
	must(t, exitFailed, "shim", "test", "--config", path, "--user", "a", "--client", "no-such")
	must(t, exitUsage, "shim", "test", "--config", path, "--user", "a")
}
