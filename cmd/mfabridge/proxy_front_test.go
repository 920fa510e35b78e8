package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

// proxyConf is FreeRADIUS 3.2 as a proxy: whatever comes goes to the shim.
const proxyConf = `prefix = /usr
libdir = /usr/lib/freeradius
run_dir = FOLDER
logdir = FOLDER
raddbdir = FOLDER
name = radiusd
max_request_time = 30
proxy_requests = yes
security {
  allow_core_dumps = no
  reject_delay = 0
  status_server = yes
}
thread pool {
  start_servers = 2
  max_servers = 4
  min_spare_servers = 1
  max_spare_servers = 4
  max_requests_per_server = 0
}
client loopback {
  ipaddr = 127.0.0.0/8
  secret = "FRONT"
}
proxy server {
  default_fallback = no
}
home_server shim {
  type = auth
  ipaddr = 127.0.0.1
  port = SHIM
  secret = "SECRET"
  response_window = 20
  status_check = status-server
}
home_server_pool shims {
  type = fail-over
  home_server = shim
}
realm shim {
  auth_pool = shims
  nostrip
}
modules {
}
server front {
  listen {
    type = auth
    ipaddr = 127.0.0.1
    port = PORT
  }
  authorize {
    update control {
      Proxy-To-Realm := shim
    }
  }
  authenticate {
  }
}
`

// launchProxy starts FreeRADIUS in front of a shim.
func launchProxy(t *testing.T, m story, shim, front string) (address string) {
	t.Helper()
	path, port := peer.Path(t, "freeradius", "freeradius"), peer.FreePort(t)
	_, shimPort, _ := strings.Cut(shim, ":")
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	conf := strings.NewReplacer("FOLDER", folder, "FRONT", front, "SECRET", sharedSecret, "SHIM", shimPort, "PORT", port).Replace(proxyConf)
	if err := os.WriteFile(folder+"/radiusd.conf", []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	out := new(record)
	cmd := exec.Command(path, "-f", "-l", "stdout", "-d", folder, "-n", "radiusd")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	address = "127.0.0.1:" + port
	awaitStatus(t, address, m.write(t, "front.secret", front))
	return address
}

// A login through FreeRADIUS as a proxy: its Proxy-State comes back, State and
// prompt pass it, and the shim's Message-Authenticator holds. It makes its own
// for a client behind it that sends none, so the shim can require it.
func TestLoginThroughAProxy(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	shim := startShim(t, m.write(t, "shim.yaml", radclientYAML))
	front := launchProxy(t, m, shim.address, "a secret in front of the proxy")
	secretFile := m.path("front.secret")
	if out := answer(t, front, secretFile, fixtures.Ada, "code", func() string { return "000000" }); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("a wrong code:\n%s", out)
	}
	code := oathtool(t, fixtures.CanaryTokenBase32) // another one would be good once more
	right := func() string { return code }
	if out := answer(t, front, secretFile, fixtures.Ada, "code", right); !strings.Contains(out, "Received Access-Accept") {
		t.Errorf("the right code:\n%s\n%s", out, shim.log())
	}
	if out := answer(t, front, secretFile, fixtures.Ada, "code", right); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("the same code once more:\n%s", out)
	}
	cmd := exec.Command(peer.Path(t, "radclient", "freeradius-utils"), "-x", "-t", strconv.Itoa(longEnough), "-r", "1", "-S", secretFile, front, "auth")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("User-Name = %q, User-Password = \"x\"\n", fixtures.Ada))
	if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), "Received Access-Challenge") { // a challenge is exit code 1
		t.Errorf("a client that sends no Message-Authenticator:\n%s", out)
	}
}
