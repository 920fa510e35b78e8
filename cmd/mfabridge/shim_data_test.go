package main

import (
	"strings"
	"testing"
)

// A folder under data that cannot be written is found before the shim runs into
// it. Where it runs, it tells, and goes on.
func TestDataThatCannotBeWritten(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	path := m.write(t, "shim.yaml", radclientYAML)
	m.write(t, "audit", "a file where a folder has to be")
	want := "data: " + m.path("audit") + " cannot be written: not a directory"
	r := must(t, exitFailed, "shim", "check", "--config", path)
	if !strings.Contains(r.err, "error: "+want) || !strings.Contains(r.err, "hint: run this as the user whom the shim runs as") || strings.Contains(r.out, "is good") {
		t.Errorf("check says:\n%s%s", r.out, r.err)
	}
	shim := startShim(t, path)
	if log := shim.stop(); !strings.Contains(log, `"msg":"not all can be kept under data"`) || !strings.Contains(log, want) {
		t.Errorf("the log is\n%s", log)
	}

	later := m.write(t, "later.yaml", strings.Replace(radclientYAML, "data: .", "data: not/there/yet", 1))
	must(t, exitDone, "shim", "check", "--config", later)
}
