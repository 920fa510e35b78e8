package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// RadiusdHead begins a configuration of FreeRADIUS 3 that lives in the folder
// FOLDER, and says on its standard output what it does.
const RadiusdHead = `prefix = /usr
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
`

// homeConf is FreeRADIUS 3 as a home server with a file of users.
const homeConf = RadiusdHead + `client loopback {
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

// HomeServer runs FreeRADIUS on a free port of the loopback until the test
// ends: a RADIUS server that checks passwords by a file of users. It knows all
// of 127.0.0.0/8 under one shared secret. The caller waits until it answers.
func HomeServer(t testing.TB, key, users string) (address string) {
	t.Helper()
	return runHome(t, t.TempDir(), key, homeConf, map[string][]byte{"users": []byte(users)})
}

// runHome runs FreeRADIUS in a folder until the test ends, with a configuration
// and the files that it names.
func runHome(t testing.TB, folder, key, text string, files map[string][]byte) (address string) {
	t.Helper()
	path, port := Path(t, "freeradius", "freeradius"), FreePort(t)
	files["radiusd.conf"] = []byte(strings.NewReplacer("FOLDER", folder, "SECRET", key, "PORT", port).Replace(text))
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
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
	return "127.0.0.1:" + port
}
