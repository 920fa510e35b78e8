package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

// A login by PAM: pam_radius shows the challenge as a prompt and sends the code.
// It sends no Message-Authenticator, so its client is observed.
func TestLoginByPAM(t *testing.T) {
	pamtester := peer.Path(t, "pamtester", "pamtester")
	peer.Path(t, "oathtool", "oathtool")
	modules, _ := filepath.Glob("/lib/*/security/pam_radius_auth.so")
	if len(modules) == 0 {
		t.Fatal("pam_radius_auth.so is missing: install libpam-radius-auth")
	}
	wrappers, _ := filepath.Glob("/usr/lib/*/libpam_wrapper.so")
	if len(wrappers) == 0 {
		t.Fatal("libpam_wrapper.so is missing: install libpam-wrapper")
	}
	m := moved(t)
	const shared = "synthetic-secret-without-spaces" // its file of servers knows no quotes
	m.write(t, "vpn.secret", shared)
	path := m.write(t, "shim.yaml", strings.Replace(radclientYAML, "primary: none", "message_authenticator: observe, calling_station: unreliable, primary: none", 1))
	shim := startShim(t, path)
	conf := m.write(t, "pam_radius.conf", fmt.Sprintf("%s %s 60\n", shim.address, shared))
	services := m.path("pam.d")
	if err := os.Mkdir(services, 0o700); err != nil {
		t.Fatal(err)
	}
	m.write(t, "pam.d/vpn", fmt.Sprintf("auth required %s conf=%s\n", modules[0], conf))
	login := func(code string) string {
		cmd := exec.Command(pamtester, "vpn", fixtures.Ada, "authenticate")
		cmd.Env = append(os.Environ(), "LD_PRELOAD="+wrappers[0], "PAM_WRAPPER=1", "PAM_WRAPPER_SERVICE_DIR="+services) // and not /etc/pam.d
		cmd.Stdin = strings.NewReader("any\n" + code + "\n")
		out, _ := cmd.CombinedOutput() // the text tells more than the exit code
		return string(out)
	}
	if out := login("000000"); strings.Contains(out, "successfully authenticated") || !strings.Contains(out, "token or app: ") {
		t.Errorf("a wrong code:\n%s", out)
	}
	if out := login(oathtool(t, fixtures.CanaryTokenBase32)); !strings.Contains(out, "successfully authenticated") {
		t.Errorf("the right code:\n%s\n%s", out, shim.log())
	}
	shim.stop()
	if r := must(t, exitDone, "shim", "check", "--config", path); !strings.Contains(r.out, "client vpn is observed: require is not safe yet: 4 requests without") {
		t.Errorf("check says\n%s", r.out)
	}
}
