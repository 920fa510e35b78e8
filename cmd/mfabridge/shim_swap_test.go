package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

// awaitEvent looks into a shim's events until a line has a text.
func awaitEvent(t *testing.T, config, name, text string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var r result
	for range 500 {
		if r = mfabridge(t, "shim", "why", "--config", config, "--format", "json", name); strings.Contains(r.out, text) {
			return r.out
		}
		<-tick.C
	}
	t.Fatalf("no event of %s with %q:\n%s%s", name, text, r.out, r.err)
	return ""
}

func TestConfigurationIsSwappedWholeOrNotAtAll(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	m := moved(t)
	secretFile := m.write(t, "vpn.secret", sharedSecret)
	path := m.write(t, "shim.yaml", radclientYAML)
	shim := startShim(t, path)
	ask := func(want string) {
		t.Helper()
		if out := radclient(t, shim.address, secretFile, fmt.Sprintf("User-Name = %q", fixtures.Ada), `User-Password = "x"`); !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	hup := func(yaml string) {
		t.Helper()
		m.write(t, "shim.yaml", yaml)
		if err := syscall.Kill(shim.pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	ask("Received Access-Challenge")

	other := strings.Replace(radclientYAML, "name: vpn", "name: gate", 1)
	other = strings.Replace(other, "primary_done_by_client: true", "primary_done_by_client: true, code_entry: only", 1)
	hup(other)
	awaitLog(t, shim, "configuration swapped")
	ask("Received Access-Reject") // the field is the code now
	awaitEvent(t, path, "gate", `"client":"gate"`)

	m.write(t, "new.secret", "quite another secret")
	for yaml, why := range map[string]string{
		strings.Replace(other, "primary: none", "primary: nobody", 1):               "contradicts primary: nobody",
		strings.Replace(other, `["127.0.0.1:0"]`, `["127.0.0.1:1"]`, 1):             "radius.listen cannot be changed while the shim runs",
		strings.Replace(other, "vpn.secret", "none.secret", 1) + "  colour: blue\n": "colour",
	} {
		hup(yaml)
		awaitLog(t, shim, why)
		ask("Received Access-Reject")
	}
	log := shim.stop()
	if !strings.Contains(log, "radius.clients.gate.code_entry: only (new)") || strings.Contains(log, sharedSecret) {
		t.Errorf("the log does not say what changed, or says too much:\n%s", log)
	}
	r := must(t, exitDone, "shim", "why", "--config", m.write(t, "shim.yaml", other), strings.ToUpper(fixtures.Ada))
	if !strings.Contains(r.out, "wrong_code: the code is wrong") || !strings.Contains(r.out, "challenge  user="+fixtures.Ada) {
		t.Errorf("why says\n%s", r.out)
	}
	must(t, exitFailed, "shim", "why", "--config", path, "nobody.at.all")
	must(t, exitUsage, "shim", "why", "--config", path, "--format", "xml", "x")
	if _, err := os.Stat(m.path("observe.json")); err != nil {
		t.Errorf("counts are not kept: %v", err)
	}
}

// awaitLog waits until the shim has logged a text.
func awaitLog(t *testing.T, s shimProcess, text string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if strings.Contains(s.log(), text) {
			return
		}
		<-tick.C
	}
	t.Fatalf("the log never says %q:\n%s", text, s.log())
}
