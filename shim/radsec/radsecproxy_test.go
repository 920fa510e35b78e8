package radsec_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/internal/peer"
)

const proxyConf = `ListenUDP 127.0.0.1:PORT
LogLevel 3
LogDestination file://LOG
client 127.0.0.1 {
  type udp
  secret "a synthetic secret"
}
`

// recipe is what docs/clients has people write, with this test's places.
func recipe(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "clients", "radsecproxy.md"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if config, indented := strings.CutPrefix(line, "    "); indented {
			lines = append(lines, config)
		}
	}
	return strings.NewReplacer("/etc/radsecproxy/ca.pem", "AUTHORITY", "/etc/radsecproxy/gw.pem", "CERT", "/etc/radsecproxy/gw.key", "CERT.key",
		"host shim.example", "host 127.0.0.1\nport SHIM\ncertificatenamecheck off").Replace(strings.Join(lines, ""))
}

// proxy starts radsecproxy between UDP and a shim and returns its UDP address.
// Without a certificate it has none.
func proxy(t *testing.T, r *rig, cert string) string {
	t.Helper()
	program := peer.Path(t, "radsecproxy", "radsecproxy")
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.LocalAddr().String())
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	_, shim, _ := net.SplitHostPort(r.address)
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	conf := filepath.Join(dir, "radsecproxy.conf")
	template := proxyConf + recipe(t)
	if cert == "" {
		template = strings.Replace(template, "  CertificateFile CERT\n  CertificateKeyFile CERT.key\n", "", 1)
	}
	text := strings.NewReplacer("PORT", port, "LOG", log, "AUTHORITY", r.ours.file, "CERT", cert, "SHIM", shim).Replace(template)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-f", "-c", conf)
	cmd.Stderr = new(strings.Builder)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it dies of the signal
		if said, err := os.ReadFile(log); t.Failed() {
			t.Logf("radsecproxy says: %v\n%s\n%s", err, said, cmd.Stderr)
		}
	})
	return "127.0.0.1:" + port
}

// radclient asks through the proxy until it gets an answer, since the proxy
// opens its connection when it starts; it returns what radclient printed.
func radclient(t *testing.T, address, code string, tries int) (out string) {
	t.Helper()
	program := peer.Path(t, "radclient", "freeradius-utils")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a synthetic secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range tries {
		cmd := exec.Command(program, "-x", "-t", "1", "-r", "1", "-S", secret, address, "auth")
		cmd.Stdin = strings.NewReader(fmt.Sprintf("User-Name = ada, User-Password = %q, Message-Authenticator = 0x00\n", code))
		b, _ := cmd.CombinedOutput() // the text tells more than the exit code
		if out = string(b); strings.Contains(out, "Received") {
			return out
		}
	}
	return out
}

func TestRadsecproxyWithRightForeignExpiredAndNoCertificate(t *testing.T) {
	r := start(t)
	right := proxy(t, r, r.ours.issue("gate.example", time.Hour))
	if out := radclient(t, right, "123456", 10); !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("right code through the right certificate:\n%s", out)
	}
	if out := radclient(t, right, "000000", 1); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("wrong code:\n%s", out)
	}
	before := r.server.Counters().Received
	for name, cert := range map[string]string{"foreign": r.theirs.issue("gate.example", time.Hour), "expired": r.ours.issue("gate.example", -time.Minute),
		"of nobody": r.ours.issue("other.example", time.Hour), "no": ""} {
		if out := radclient(t, proxy(t, r, cert), "123456", 2); strings.Contains(out, "Received Access-Accept") {
			t.Errorf("%s certificate:\n%s", name, out)
		}
	}
	if got := r.server.Counters().Logins["accept"]; got != 1 || before != 2 {
		t.Errorf("%d accepted, %d received before", got, before)
	}
}
