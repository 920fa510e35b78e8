package peer

import (
	"testing"
)

// radsecConf is FreeRADIUS 3 as a home server over TLS, for logins and
// accounting.
const radsecConf = RadiusdHead + `thread pool {
  start_servers = 1
  max_servers = 4
  min_spare_servers = 1
  max_spare_servers = 2
  max_requests_per_server = 0
}
modules {
  files {
    filename = ${raddbdir}/users
  }
  pap {
  }
  detail {
    filename = ${raddbdir}/detail
    permissions = 0600
  }
}
clients radsec {
  client loopback {
    ipaddr = 127.0.0.1
    proto = tls
    secret = radsec
  }
}
server home {
  listen {
    type = auth+acct
    ipaddr = 127.0.0.1
    port = PORT
    proto = tcp
    clients = radsec
    tls {
      private_key_file = ${raddbdir}/server.key
      certificate_file = ${raddbdir}/server.pem
      ca_file = ${raddbdir}/ca.pem
      fragment_size = 8192
      cipher_list = "DEFAULT"
      tls_min_version = "1.2"
      tls_max_version = "1.3"
      require_client_cert = yes
    }
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
  accounting {
    detail
  }
}
`

// HomeServerOverTLS is [HomeServer] over TLS (RFC 6614), on a free port of TCP,
// for logins and accounting. The folder has its certificate as server.pem, the
// key of that as server.key, and as ca.pem who signs those of clients;
// accounting goes to the file detail there.
func HomeServerOverTLS(t testing.TB, folder, users string) (address string) {
	t.Helper()
	return runHome(t, folder, "", radsecConf, map[string][]byte{"users": []byte(users)})
}
