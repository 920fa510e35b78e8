package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

const sharedSecret = "a shared secret of this test"

const radclientYAML = `engine:
  store: sqlite:cloud.db
data: .
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - {name: vpn, networks: ["127.0.0.0/8"], secret: "file:vpn.secret", primary: none, primary_done_by_client: true}
`

// shimProcess is "mfabridge shim serve" as a process of its own.
type shimProcess struct {
	address string
	pid     int
	log     func() string // what it has logged so far
	stop    func() string // ends it by SIGTERM and returns what it logged
}

// record is a text that is read while it is written.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func startShim(t *testing.T, config string) shimProcess {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*giveUp)
	t.Cleanup(cancel)
	cmd := child(ctx, "shim", "serve", "--config", config)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	log := new(record)
	for {
		line, err := lines.ReadString('\n')
		fmt.Fprint(log, line)
		if err != nil {
			t.Fatalf("the shim ended: %v\n%s", err, log.String())
		}
		if _, address, ok := strings.Cut(strings.TrimSpace(line), "shim is listening on "); ok {
			done := make(chan struct{})
			go func() { _, _ = io.Copy(log, lines); close(done) }()
			stopped := false
			stop := func() string {
				if !stopped {
					stopped = true
					_ = cmd.Process.Signal(syscall.SIGTERM)
					<-done
					if err := cmd.Wait(); err != nil {
						t.Errorf("the shim did not end well: %v\n%s", err, log.String())
					}
				}
				return log.String()
			}
			t.Cleanup(func() { stop() })
			return shimProcess{address: address, pid: cmd.Process.Pid, log: log.String, stop: stop}
		}
	}
}

// longEnough are the seconds in which whoever is asked answers, on a machine that
// is busy, too: much longer than a shim waits for anybody.
const longEnough = 60

// radclient asks and returns what it printed of the exchange.
func radclient(t *testing.T, address, secretFile string, attributes ...string) string {
	t.Helper()
	cmd := exec.Command(peer.Path(t, "radclient", "freeradius-utils"), "-x", "-t", strconv.Itoa(longEnough), "-r", "1", "-S", secretFile, address, "auth")
	cmd.Stdin = strings.NewReader(strings.Join(append(attributes, "Message-Authenticator = 0x00"), ", ") + "\n")
	out, _ := cmd.CombinedOutput() // its exit code tells Accept from the rest; the text tells more
	return string(out)
}

var stateOf = regexp.MustCompile(`(?m)^\s+State = (0x[0-9a-f]+)`)

// answer sends a name, expects a challenge, and sends a code.
func answer(t *testing.T, address, secretFile, user, prompt string, code func() string) string {
	t.Helper()
	name := fmt.Sprintf("User-Name = %q", user)
	first := radclient(t, address, secretFile, name, `User-Password = "checked by the client"`)
	state := stateOf.FindStringSubmatch(first)
	if !strings.Contains(first, "Received Access-Challenge") || state == nil || !strings.Contains(first, prompt) {
		t.Fatalf("%s was not asked with %q:\n%s", user, prompt, first)
	}
	return radclient(t, address, secretFile, name, fmt.Sprintf("User-Password = %q", code()), "State = "+state[1])
}

// oathtool computes the code of now, by another hand than ours.
func oathtool(t *testing.T, base32 string) string {
	t.Helper()
	cmd := exec.Command(peer.Path(t, "oathtool", "oathtool"), "--totp", "--base32", "-")
	cmd.Stdin = strings.NewReader(base32 + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("oathtool: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func texted(t *testing.T, outbox string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(outbox, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no message in %s (%v)", outbox, err)
	}
	b, err := os.ReadFile(slices.Max(names))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`is (\d{6})\.`).FindStringSubmatch(string(b))[1]
}

// Each login of the story, driven by FreeRADIUS's client with oathtool's codes.
func TestRadclientDrivesEachLogin(t *testing.T) {
	peer.Path(t, "radclient", "freeradius-utils")
	peer.Path(t, "oathtool", "oathtool")
	s := moved(t)
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	shim := startShim(t, s.write(t, "shim.yaml", radclientYAML))
	const codePrompt, textPrompt = "Enter the code from your token or app: ", "Enter the code sent to +44 ********03: "

	ada := oathtool(t, fixtures.CanaryTokenBase32)
	grace := oathtool(t, fixtures.CanaryDeviceBase32)
	for _, c := range []struct {
		name, user, prompt string
		code               func() string
		want               string
	}{
		{"code of a migrated token", fixtures.Ada, codePrompt, func() string { return ada }, "Access-Accept"},
		{"used code", fixtures.Ada, codePrompt, func() string { return ada }, "Access-Reject"},
		{"wrong code", fixtures.Grace, codePrompt, func() string { return wrong(grace) }, "Access-Reject"},
		{"carried code of the app", fixtures.Grace, codePrompt, func() string { return grace }, "Access-Accept"},
		{"code by text", fixtures.Tim, textPrompt, func() string { return texted(t, s.path("cloud.db.outbox")) }, "Access-Accept"},
		{"wrong code by text", fixtures.Tim, textPrompt, func() string { return wrong(texted(t, s.path("cloud.db.outbox"))) }, "Access-Reject"},
		{"name in another case", strings.ToUpper(fixtures.Tim), textPrompt, func() string { return texted(t, s.path("cloud.db.outbox")) }, "Access-Accept"},
	} {
		if out := answer(t, shim.address, secretFile, c.user, c.prompt, c.code); !strings.Contains(out, "Received "+c.want) {
			t.Errorf("%s: not %s:\n%s", c.name, c.want, out)
		}
	}
	if out := radclient(t, shim.address, secretFile, `User-Name = "nobody@contoso.example"`, `User-Password = "x"`); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("an unknown user was not refused:\n%s", out)
	}
	status := exec.Command(peer.Path(t, "radclient", "freeradius-utils"), "-x", "-t", strconv.Itoa(longEnough), "-r", "1", "-S", secretFile, shim.address, "status")
	status.Stdin = strings.NewReader("Message-Authenticator = 0x00\n")
	if out, err := status.CombinedOutput(); err != nil || !strings.Contains(string(out), "Received Access-Accept") {
		t.Errorf("Status-Server: %v\n%s", err, out)
	}
	log := shim.stop()
	for _, reason := range []string{"used_code", "wrong_code"} {
		if !strings.Contains(log, `"reason":"`+reason+`"`) {
			t.Errorf("the log gives no reason %s:\n%s", reason, log)
		}
	}
	for _, code := range []string{ada, grace} {
		if strings.Contains(log, code) {
			t.Errorf("the log holds a code:\n%s", log)
		}
	}
}

// A block by command holds for the next packet of a shim that is running.
func TestBlockHoldsForTheNextLogin(t *testing.T) {
	s := moved(t)
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	shim := startShim(t, s.write(t, "shim.yaml", radclientYAML))
	ask := func(password string) string {
		return radclient(t, shim.address, secretFile, fmt.Sprintf("User-Name = %q", fixtures.Ada), fmt.Sprintf("User-Password = %q", password))
	}
	if out := ask("x"); !strings.Contains(out, "Access-Challenge") {
		t.Fatalf("not asked before the block:\n%s", out)
	}
	must(t, exitDone, "engine", "user", "block", fixtures.Ada, "--store", s.store, "--for", "1h", "--reason", "lost her token")
	if out := ask("x"); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("asked although blocked:\n%s", out)
	}
	must(t, exitDone, "engine", "user", "unblock", fixtures.Ada, "--store", s.store, "--reason", "found it")
	// An equal login within 30 seconds has its verdict; this is another one.
	if out := ask("y"); !strings.Contains(out, "Access-Challenge") {
		t.Errorf("not asked after the block:\n%s", out)
	}
}

// A port that is taken stops serve with one sentence; check says so and goes
// on, because it is often the running shim that has it.
func TestBusyPort(t *testing.T) {
	s := moved(t)
	s.write(t, "vpn.secret", sharedSecret)
	holder, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	config := s.write(t, "shim.yaml", strings.Replace(radclientYAML, "127.0.0.1:0", holder.LocalAddr().String(), 1))
	r := must(t, exitFailed, "shim", "serve", "--config", config)
	if !strings.Contains(r.err, "cannot listen on "+holder.LocalAddr().String()) || !strings.Contains(r.err, "hint: another program holds UDP port") {
		t.Errorf("serve says:\n%s", r.err)
	}
	if r := must(t, exitDone, "shim", "check", "--config", config); !strings.Contains(r.out, "is in use, perhaps by the shim") {
		t.Errorf("check says:\n%s", r.out)
	}
}
