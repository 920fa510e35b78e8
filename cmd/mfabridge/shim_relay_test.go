package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mfabridge/internal/peer"
)

// takerConf is FreeRADIUS 3 as a server of accounting that writes what comes
// into a file.
const takerConf = peer.RadiusdHead + `client loopback {
  ipaddr = 127.0.0.0/8
  secret = "a secret of the home server"
}
modules {
  detail {
    filename = ${raddbdir}/detail
    permissions = 0600
  }
}
server taker {
  listen {
    type = acct
    ipaddr = 127.0.0.1
    port = PORT
  }
  accounting {
    detail
  }
}
`

const relayYAML = `engine:
  store: sqlite:cloud.db
data: .
primaries:
  old: {type: radius, servers: [{address: "127.0.0.1:9", accounting: "%s", secret: "file:old.secret"}]}
radius:
  listen: ["127.0.0.1:0"]
  accounting: ["127.0.0.1:0"]
  clients:
    - {name: vpn, networks: ["127.0.0.0/8"], secret: "file:vpn.secret", primary: old, accounting: old}
`

// taker starts FreeRADIUS for accounting in its folder and returns its address
// and what ends it.
func taker(t *testing.T, s story, port string) (stop func()) {
	t.Helper()
	s.write(t, "radiusd.conf", strings.NewReplacer("FOLDER", s.folder, "PORT", port).Replace(takerConf))
	if err := os.Chmod(s.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	out := new(record)
	cmd := exec.Command(peer.Path(t, "freeradius", "freeradius"), "-f", "-l", "stdout", "-d", s.folder, "-n", "radiusd")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return stop
}

// TestAccountingIsRelayedToFreeRADIUS: what radclient sends stands in the file
// of a genuine server with all its attributes, and is answered by the shim once
// it does, and not otherwise.
func TestAccountingIsRelayedToFreeRADIUS(t *testing.T) {
	program := peer.Path(t, "radclient", "freeradius-utils")
	m := moved(t)
	secretFile := m.write(t, "vpn.secret", sharedSecret)
	old := m.write(t, "old.secret", "a secret of the home server")
	port := peer.FreePort(t)
	address := "127.0.0.1:" + port
	home := story{folder: t.TempDir()}
	stop := taker(t, home, port)
	awaitStatus(t, address, old)
	shim := startShim(t, m.write(t, "shim.yaml", fmt.Sprintf(relayYAML, address)))
	_, account, _ := strings.Cut(shim.address, ", ")
	account = strings.TrimSuffix(account, " (accounting)")
	send := func(session, kind string, seconds int) string {
		t.Helper()
		cmd := exec.Command(program, "-x", "-t", fmt.Sprint(seconds), "-r", "1", "-S", secretFile, account, "acct")
		cmd.Stdin = strings.NewReader(fmt.Sprintf("User-Name = \"ada@contoso.example\", Acct-Status-Type = %s, Acct-Session-Id = %q, Acct-Session-Time = 77, NAS-IP-Address = 192.0.2.7, "+
			"Proxy-State = 0x31, Class = 0x7374616666\n", kind, session))
		out, _ := cmd.CombinedOutput() // the text tells more
		return string(out)
	}
	for _, kind := range []string{"Start", "Interim-Update", "Stop"} {
		if out := send("session-1", kind, longEnough); !strings.Contains(out, "Received Accounting-Response") || !strings.Contains(out, "Proxy-State = 0x31") {
			t.Errorf("%s is not answered, or without Proxy-State:\n%s", kind, out)
		}
	}
	detail := func() string {
		text, err := os.ReadFile(home.path("detail"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	text := detail()
	for want, n := range map[string]int{`Acct-Session-Id = "session-1"`: 3, "Acct-Status-Type = Start": 1, "Acct-Status-Type = Interim-Update": 1, "Acct-Status-Type = Stop": 1,
		`User-Name = "ada@contoso.example"`: 3, "Acct-Session-Time = 77": 3, "NAS-IP-Address = 192.0.2.7": 3, "Class = 0x7374616666": 3, "Proxy-State": 0} {
		if got := strings.Count(text, want); got != n {
			t.Errorf("%s stands there %d times, want %d:\n%s", want, got, n, text)
		}
	}
	stop() // and nobody takes it
	if out := send("session-2", "Start", 3); strings.Contains(out, "Received") {
		t.Errorf("answered though nobody took it:\n%s", out)
	}
	taker(t, home, port)
	awaitStatus(t, address, old)
	if out := send("session-2", "Start", longEnough); !strings.Contains(out, "Received Accounting-Response") {
		t.Errorf("not answered once the server is back:\n%s", out)
	}
	if !strings.Contains(detail(), `Acct-Session-Id = "session-2"`) {
		t.Error("session-2 is lost")
	}
}
