package main

import (
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"mfabridge/internal/peer"
	"mfabridge/shim/journal"
)

func TestAccountingFromRadclientIsKept(t *testing.T) {
	program := peer.Path(t, "radclient", "freeradius-utils")
	m := moved(t)
	secretFile := m.write(t, "vpn.secret", sharedSecret)
	path := m.write(t, "shim.yaml", strings.Replace(radclientYAML, `listen: ["127.0.0.1:0"]`, `listen: ["127.0.0.1:0"]`+"\n  accounting: [\"127.0.0.1:0\"]", 1)+"ops: \"127.0.0.1:0\"\n")
	must(t, exitDone, "shim", "check", "--config", path)
	shim := startShim(t, path)
	login, account, _ := strings.Cut(shim.address, ", ")
	account, ops, _ := strings.Cut(account, " (accounting), ")
	ops = strings.TrimSuffix(ops, " (ops)")
	send := func(address, kind, attributes string, seconds int) string {
		cmd := exec.Command(program, "-x", "-t", strconv.Itoa(seconds), "-r", "1", "-S", secretFile, address, kind)
		cmd.Stdin = strings.NewReader(attributes + "\n")
		out, _ := cmd.CombinedOutput() // the text tells more
		return string(out)
	}
	start := `User-Name = "ada@contoso.example", Acct-Status-Type = Start, Acct-Session-Id = "s1"`
	if out := send(account, "acct", start, longEnough); !strings.Contains(out, "Received Accounting-Response") {
		t.Errorf("not answered:\n%s", out)
	}
	if out := send(account, "status", "Message-Authenticator = 0x00", longEnough); !strings.Contains(out, "Received Accounting-Response") {
		t.Errorf("Status-Server at the accounting port:\n%s", out)
	}
	if out := send(login, "acct", start, 1); strings.Contains(out, "Received") {
		t.Errorf("taken at the login's port:\n%s", out)
	}
	for path, want := range map[string]string{"metrics": "mfabridge_shim_accounting_taken_total 1", "readyz": "ok", "healthz": "ok"} {
		answer, err := http.Get("http://" + ops + "/" + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d, %v\n%s", path, answer.StatusCode, err, text)
		}
	}
	shim.stop()
	var lines []string
	for line, err := range journal.Lines(m.path("accounting")) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	if len(lines) != 1 || !strings.Contains(lines[0], `"status":"start","user":"ada@contoso.example","session":"s1"`) {
		t.Errorf("records %q", lines)
	}
}
