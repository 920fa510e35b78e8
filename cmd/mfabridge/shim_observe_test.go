package main

import (
	"os"
	"strings"
	"testing"
)

// Counts of Message-Authenticator that cannot be read are lost, logins are not.
func TestDamagedCountsKeepNoShimFromStarting(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	path := m.write(t, "shim.yaml", strings.Replace(radclientYAML, "primary: none", "primary: none, message_authenticator: observe", 1))
	damaged := `[{"client":"vpn","since":"2020-01-01T00:00:00Z","counts":{"signed":90}}`
	m.write(t, "observe.json", damaged)
	r := must(t, exitDone, "shim", "check", "--config", path)
	if strings.Contains(r.out, "observed: require is safe") || !strings.Contains(r.out, "client vpn is observed: its counts cannot be read") || !strings.Contains(r.err, "warning: "+m.path("observe.json")+" is no file of counts") {
		t.Errorf("check says:\n%s%s", r.out, r.err)
	}
	if text, err := os.ReadFile(m.path("observe.json")); err != nil || string(text) != damaged {
		t.Errorf("check has changed the file: %q, %v", text, err)
	}

	shim := startShim(t, path)
	if log := shim.stop(); !strings.Contains(log, `"msg":"counts of Message-Authenticator begin anew"`) || !strings.Contains(log, `"hint":"leave message_authenticator: observe as it is`) {
		t.Errorf("the log is\n%s", log)
	}
	if text, err := os.ReadFile(m.path("observe.json.damaged")); err != nil || string(text) != damaged {
		t.Errorf("aside lies %q, %v", text, err)
	}
	if r := must(t, exitDone, "shim", "check", "--config", path); !strings.Contains(r.out, "client vpn is observed: no request has been written down yet") || strings.Contains(r.err, "counts") {
		t.Errorf("check says:\n%s%s", r.out, r.err)
	}
}
