package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
	"mfabridge/shim/config"
)

const overTLSYAML = `engine:
  store: sqlite:cloud.db
data: .
primaries:
  old: {type: radius, servers: [{address: "%[1]s", accounting: "%[1]s", tls: {ca: ca.pem, cert: server.pem, key: server.key, name: "%[2]s"}}]}
radius:
  listen: ["127.0.0.1:0"]
  accounting: ["127.0.0.1:0"]
  clients:
    - {name: vpn, networks: ["127.0.0.0/8"], secret: "file:vpn.secret", primary: old, accounting: old}
`

// TestHomeServerOverTLS: FreeRADIUS over TLS checks the password of a migrated
// user and takes accounting, from the configuration on.
func TestHomeServerOverTLS(t *testing.T) {
	radclientProgram := peer.Path(t, "radclient", "freeradius-utils")
	s := moved(t)
	cert, key := certify(t, s.folder, 7)
	for name, from := range map[string]string{"ca.pem": cert, "server.pem": cert, "server.key": key} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		s.write(t, name, string(text))
	}
	home := peer.HomeServerOverTLS(t, s.folder, fmt.Sprintf("%s Cleartext-Password := \"pa55\"\n", fixtures.Ada))
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	path := s.write(t, "shim.yaml", fmt.Sprintf(overTLSYAML, home, "127.0.0.1"))
	var r result
	await(t, func() bool { // until it listens
		r = mfabridge(t, "shim", "check", "--config", path)
		return r.code == exitDone
	}, func() string { return "check says\n" + r.out + r.err })
	if !strings.Contains(r.out, home+" answers Status-Server") || !strings.Contains(r.out, home+" (accounting) answers Status-Server") || !strings.Contains(r.out, "primaries.old.servers[0].tls.cert: the certificate ends ") {
		t.Errorf("check says\n%s", r.out)
	}
	shim := startShim(t, path)
	login, account, _ := strings.Cut(shim.address, ", ")
	name := fmt.Sprintf("User-Name = %q", fixtures.Ada)
	if out := radclient(t, login, secretFile, name, `User-Password = "pa56"`); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a wrong password is not refused:\n%s", out)
	}
	first := radclient(t, login, secretFile, name, `User-Password = "pa55"`)
	state := stateOf.FindStringSubmatch(first)
	if state == nil {
		t.Fatalf("no challenge:\n%s", first)
	}
	last := radclient(t, login, secretFile, name, fmt.Sprintf("User-Password = %q", oathtool(t, fixtures.CanaryTokenBase32)), "State = "+state[1])
	if !strings.Contains(last, "Received Access-Accept") {
		t.Errorf("not accepted:\n%s", last)
	}
	cmd := exec.Command(radclientProgram, "-x", "-t", strconv.Itoa(longEnough), "-r", "1", "-S", secretFile, strings.TrimSuffix(account, " (accounting)"), "acct")
	cmd.Stdin = strings.NewReader(`User-Name = "ada", Acct-Status-Type = Start, Acct-Session-Id = "over-tls"` + "\n")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Received Accounting-Response") {
		t.Errorf("accounting: %v\n%s", err, out)
	}
	if text, err := os.ReadFile(s.path("detail")); err != nil || !strings.Contains(string(text), `Acct-Session-Id = "over-tls"`) {
		t.Errorf("detail: %v\n%s", err, text)
	}
	// Another name than the certificate's is nobody to talk to.
	other := s.write(t, "other.yaml", fmt.Sprintf(overTLSYAML, home, "home.example"))
	if r := must(t, exitFailed, "shim", "check", "--config", other); !strings.Contains(r.err, "no server of primary old answers") || !strings.Contains(r.out, "wanted to match home.example") {
		t.Errorf("check says %s%s", r.out, r.err)
	}
}

// A certificate that has ended, or not begun, is found before clients find it.
func TestCheckLooksAtTheDatesOfCertificates(t *testing.T) {
	folder := t.TempDir()
	cert, key := certify(t, folder, 8)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	conf := &config.Config{RADIUS: config.RADIUS{RadSec: &config.RadSec{Certificate: pair}}}
	for after, want := range map[time.Duration]string{
		-20 * 24 * time.Hour: "", -time.Hour: "the certificate ends ", 0: "the certificate ended ", -9 * 365 * 24 * time.Hour: "the certificate begins only ",
	} {
		var out bytes.Buffer
		p := &program{streams: streams{out: &out}, now: func() time.Time { return pair.Leaf.NotAfter.Add(after) }}
		pair.Leaf.NotBefore = pair.Leaf.NotAfter.Add(-30 * 24 * time.Hour)
		err := p.checkCertificates(conf, nil)
		said := out.String()
		if err != nil {
			said += err.Error()
		}
		if refused := after == 0 || after < -30*24*time.Hour; !strings.Contains(said, want) || want == "" && said != "" || (err != nil) != refused {
			t.Errorf("%s: %q, %v", after, said, err)
		}
	}
}
