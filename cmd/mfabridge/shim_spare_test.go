package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
	"mfabridge/shim/journal"
)

// TestBypassOfAClient: radclient logs a migrated user in at a running shim,
// with the first factor at FreeRADIUS, before, while and after the client is
// spared the second.
func TestBypassOfAClient(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	s.write(t, "old.secret", "a secret of the home server")
	home := peer.HomeServer(t, "a secret of the home server", fmt.Sprintf("%s Cleartext-Password := \"pa55\"\n", fixtures.Ada))
	awaitStatus(t, home, s.write(t, "home.secret", "a secret of the home server"))
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	path := s.write(t, "shim.yaml", fmt.Sprintf(homeYAML, home)+"ops: \"127.0.0.1:0\"\n")
	shim := startShim(t, path)
	address, ops := shim.split(t)
	station := 0
	login := func(password, want string) {
		t.Helper()
		station++ // a login of its own
		out := radclient(t, address, secretFile, fmt.Sprintf("User-Name = %q", fixtures.Ada), fmt.Sprintf("User-Password = %q", password), fmt.Sprintf("Calling-Station-Id = \"desk %d\"", station))
		if !strings.Contains(out, "Received "+want) {
			t.Errorf("not %s:\n%s", want, out)
		}
	}
	bypass := func(code int, more ...string) result {
		t.Helper()
		return must(t, code, append([]string{"shim", "bypass", "--config", path, "--reason", "ticket 4712"}, more...)...)
	}
	bypass(exitUsage, "--client", "vpn")
	bypass(exitUsage, "--client", "vpn", "--end", "--for", "1h")
	bypass(exitUsage, "--user", fixtures.Ada, "--end")
	bypass(exitFailed, "--client", "vpn", "--for", "4h1s")
	bypass(exitFailed, "--client", "no-such", "--for", "1h")
	bypass(exitFailed, "--client", "vpn", "--end")
	login("pa55", "Access-Challenge")

	bypass(exitDone, "--client", "VPN", "--for", "1h")
	login("pa55", "Access-Accept")
	login("pa56", "Access-Reject")
	if r := must(t, exitDone, "shim", "check", "--config", path); !strings.Contains(r.out, "client vpn asks for no second factor until ") || !strings.Contains(r.out, "(ticket 4712)") {
		t.Errorf("check says\n%s", r.out)
	}
	if text := scrape(t, ops); !strings.Contains(text, `mfabridge_shim_client_bypass_until_seconds{client="vpn"} `) || !strings.Contains(text, `mfabridge_shim_second_factor_spared_total{by="client_bypass"} 1`) {
		t.Errorf("metrics\n%s", text)
	}
	shim.stop()
	again := startShim(t, path)
	address, ops = again.split(t)
	login("pa55", "Access-Accept")
	bypass(exitDone, "--client", "vpn", "--end")
	login("pa55", "Access-Challenge")
	if text := scrape(t, ops); strings.Contains(text, "client_bypass_until") {
		t.Errorf("metrics after the end\n%s", text)
	}
	again.stop()
	if r := must(t, exitDone, "shim", "why", "--config", path, fixtures.Ada); strings.Count(r.out, "client_bypass") < 2 {
		t.Errorf("why says\n%s", r.out)
	}
	var audit []string
	for line, err := range journal.Lines(filepath.Join(s.folder, "audit")) {
		if err != nil {
			t.Fatal(err)
		}
		audit = append(audit, string(line))
	}
	if len(audit) != 2 || !strings.Contains(audit[0], `"msg":"bypass allowed","client":"vpn"`) || !strings.Contains(audit[1], `"msg":"bypass ended"`) {
		t.Errorf("the audit says %q", audit)
	}
	// One that was made by hand beyond the rules opens nothing, and check says so.
	s.write(t, "bypass/76706e.json", `{"client":"vpn"}`)
	if r := must(t, exitFailed, "shim", "check", "--config", path); !strings.Contains(r.err, "is no bypass") {
		t.Errorf("check says %s", r.err)
	}
}

// split are the addresses for logins and for ops, of a shim that has both.
func (s shimProcess) split(t *testing.T) (login, ops string) {
	t.Helper()
	login, ops, ok := strings.Cut(s.address, ", ")
	if !ok {
		t.Fatalf("listens on %s", s.address)
	}
	return login, strings.TrimSuffix(ops, " (ops)")
}

func scrape(t *testing.T, ops string) string {
	t.Helper()
	answer, err := http.Get("http://" + ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text)
}
