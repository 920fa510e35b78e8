package upstream_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/internal/peer"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// homeConf is FreeRADIUS 3 as a home server with a file of users.
const homeConf = `prefix = /usr
libdir = /usr/lib/freeradius
run_dir = FOLDER
logdir = FOLDER
raddbdir = FOLDER
name = radiusd
max_request_time = 30
cleanup_delay = 5
log {
  destination = stdout
  auth = no
}
security {
  allow_core_dumps = no
  reject_delay = 0
  status_server = yes
}
client loopback {
  ipaddr = 127.0.0.0/8
  secret = "SECRET"
  require_message_authenticator = yes
}
modules {
  files {
    filename = ${raddbdir}/users
  }
  pap {
  }
}
server home {
  listen {
    type = auth
    ipaddr = 127.0.0.1
    port = PORT
  }
  authorize {
    files
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
  }
}
`

// startFreeRADIUS runs it on a free port until the test ends.
func startFreeRADIUS(t *testing.T, key, users string) (address string) {
	t.Helper()
	path := peer.Path(t, "freeradius", "freeradius")
	folder := t.TempDir()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = pc.LocalAddr().String()
	_, port, _ := net.SplitHostPort(address)
	if err := pc.Close(); err != nil {
		t.Fatal(err)
	}
	conf := strings.NewReplacer("FOLDER", folder, "SECRET", key, "PORT", port).Replace(homeConf)
	for name, text := range map[string]string{"radiusd.conf": conf, "users": users} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.Command(path, "-f", "-l", "stdout", "-d", folder, "-n", "radiusd")
	cmd.Stdout, cmd.Stderr = &out, &out
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
	return address
}

// TestFreeRADIUSAsHomeServer: in Debian 12 it puts no Message-Authenticator
// into plain answers, so that it is observed.
func TestFreeRADIUSAsHomeServer(t *testing.T) {
	const key = "a secret of the home server"
	long := strings.Repeat("ü", 64) // 128 octets, as much as there can be
	address := startFreeRADIUS(t, key, fmt.Sprintf(`ada Cleartext-Password := "pa55"
	Class := "staff", Filter-Id := "vpn", Reply-Message := "hello ada"
long Cleartext-Password := %q
`, long))
	dead := freeAddress(t)
	c, err := upstream.New(upstream.Options{Patience: 2 * time.Second, First: 200 * time.Millisecond, Homes: []upstream.Home{
		{Address: dead, Secret: secret.FromString(key)},
		{Address: address, Secret: secret.FromString(key), Observe: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ready(t, c, address)

	for _, try := range []struct {
		user, password string
		want           radius.Code
	}{
		{"ada", "pa55", radius.AccessAccept}, {"ada", "pa56", radius.AccessReject}, {"nobody", "pa55", radius.AccessReject},
		{"long", long, radius.AccessAccept}, {"long", long[2:], radius.AccessReject},
	} {
		r, err := c.Exchange(t.Context(), upstream.Request{Password: secret.FromString(try.password),
			Attributes: []upstream.Attribute{{Type: radius.UserName, Value: []byte(try.user)}}})
		if err != nil || r.Packet.Code() != try.want || r.Server != address {
			t.Errorf("%s: got %v of %s, %v; want %v", try.user, r.Packet.Code(), r.Server, err, try.want)
			continue
		}
		if text, _ := r.Packet.Lookup(radius.ReplyMessage); try.user == "ada" && try.want == radius.AccessAccept && string(text) != "hello ada" {
			t.Errorf("Reply-Message is %q", text)
		}
	}
	if got := c.Counters(); !got[0].Down || got[1].Answered < 5 {
		t.Errorf("counted %+v", got)
	}
}

// ready waits for the server by asking it: it answers once it listens.
func ready(t *testing.T, c *upstream.Client, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		err := c.Check(ctx)[address]
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// freeAddress is one where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	return pc.LocalAddr().String()
}
