package main

import (
	"encoding/base32"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"mfabridge/cloud/cloudtest"
	"mfabridge/internal/peer"
)

// freeradiusConf is FreeRADIUS 3.2 as an anchor of what a login costs: on one
// port password and code in one field, on the other password, challenge, code.
// rlm_totp checks the code; it remembers nothing, and nothing is logged.
const freeradiusConf = `prefix = /usr
libdir = /usr/lib/freeradius
run_dir = FOLDER
logdir = FOLDER
raddbdir = FOLDER
name = radiusd
pidfile = ${run_dir}/radiusd.pid
max_request_time = 30
cleanup_delay = 5
max_requests = 65536
log {
  destination = files
  file = ${logdir}/radius.log
  auth = no
}
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
  secret = "SECRET"
  require_message_authenticator = yes
}
instantiate {
  expr
}
modules {
  expr {
  }
  files {
    filename = ${raddbdir}/users
  }
  pap {
  }
  totp {
  }
}
server both {
  listen {
    type = auth
    ipaddr = 127.0.0.1
    port = PORT_BOTH
  }
  authorize {
    files
    if (&User-Password =~ /^(.+)([0-9]{6})$/) {
      update request {
        TOTP-Password := "%{2}"
        User-Password := "%{1}"
      }
      update control {
        Auth-Type := both
      }
    }
  }
  authenticate {
    Auth-Type both {
      totp
      pap
    }
  }
}
server steps {
  listen {
    type = auth
    ipaddr = 127.0.0.1
    port = PORT_STEPS
  }
  authorize {
    files
    if (&State) {
      update request {
        TOTP-Password := "%{User-Password}"
      }
      update control {
        Auth-Type := second
      }
    }
    else {
      update control {
        Auth-Type := first
      }
    }
  }
  authenticate {
    Auth-Type first {
      pap
      if (ok) {
        update reply {
          State := "%{randstr:aaaaaaaaaaaaaaaa}"
          Reply-Message := "Enter the code"
        }
        update control {
          Response-Packet-Type := Access-Challenge
        }
      }
    }
    Auth-Type second {
      totp
    }
  }
}
`

// launchFreeRADIUS starts it with the users of [populated], whose password is
// "pw". It is not ok where FreeRADIUS is not installed.
func launchFreeRADIUS(t testing.TB, users int) (both, steps loaded, ok bool) {
	t.Helper()
	path, err := exec.LookPath("freeradius")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/freeradius"); err != nil {
			return both, steps, false
		}
	}
	s := story{folder: t.TempDir()}
	portBoth, portSteps := peer.FreePort(t), peer.FreePort(t)
	s.write(t, "radiusd.conf", strings.NewReplacer("FOLDER", s.folder, "SECRET", sharedSecret,
		"PORT_BOTH", portBoth, "PORT_STEPS", portSteps).Replace(freeradiusConf))
	var lines strings.Builder
	for n := range users {
		fmt.Fprintf(&lines, "%s Cleartext-Password := \"pw\", TOTP-Secret := %q\n", userName(n),
			base32.StdEncoding.EncodeToString(cloudtest.Seed(n)))
	}
	s.write(t, "users", lines.String())
	if err := os.Chmod(s.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	both = launch(t, exec.Command(path, "-f", "-l", "stdout", "-d", s.folder, "-n", "radiusd"), portBoth, s.path("out.log"))
	steps = both
	steps.address = address(portSteps)
	return both, steps, true
}
