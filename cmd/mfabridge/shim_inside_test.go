package main

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"mfabridge/fixtures"
	"mfabridge/shim/radius"
)

func TestSelftestAndTestFromTheInside(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	path := m.write(t, "shim.yaml", radclientYAML)
	r := must(t, exitDone, "shim", "selftest", "--config", path)
	if strings.Count(r.out, "ok    vpn: ") < 20 || strings.Contains(r.out, "FAIL") {
		t.Errorf("selftest says\n%s", r.out)
	}
	r = mfabridgeIn(t, "000000\n", "shim", "test", "--config", path, "--user", fixtures.Ada, "--client", "VPN")
	for _, want := range []string{"< Access-Challenge", "> Access-Request 2", "wrong_code: the code is wrong", "< Access-Reject"} {
		if r.code != exitFailed || !strings.Contains(r.out, want) {
			t.Errorf("exit code %d, no %q in\n%s%s", r.code, want, r.out, r.err)
		}
	}
	if r = mfabridgeIn(t, "", "shim", "test", "--config", path, "--user", "nobody", "--client", "vpn"); r.code != exitFailed || !strings.Contains(r.out, "user_unknown: ") {
		t.Errorf("nobody: %d\n%s%s", r.code, r.out, r.err)
	}
	bare := m.write(t, "bare.yaml", strings.Replace(radclientYAML, "primary_done_by_client: true", "primary_done_by_client: true, without_password: true", 1))
	if r = mfabridgeIn(t, "", "shim", "test", "--config", bare, "--user", fixtures.Ada, "--client", "vpn"); r.code != exitFailed || !strings.Contains(r.out, "method_needs_typing: ") {
		t.Errorf("a client without a password, and who has no push: %d\n%s%s", r.code, r.out, r.err)
	}
	must(t, exitFailed, "shim", "test", "--config", path, "--user", "a", "--client", "no-such")
	must(t, exitUsage, "shim", "test", "--config", path, "--user", "a")
}

// A login that nobody can judge ends with the event that says so, and not after
// all the time for which a push is waited for.
func TestSilenceFromTheInsideIsNotWaitedFor(t *testing.T) {
	const wait = 3 * time.Minute
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	m.write(t, "bind.secret", "synthetic")
	path := m.write(t, "shim.yaml", `engine: {store: "sqlite:cloud.db"}
data: .
primaries:
  corp: {type: ldap, urls: ["ldaps://127.0.0.1:1"], bind_dn: "cn=shim,dc=corp", bind_password: file:bind.secret, base_dn: dc=corp}
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - {name: vpn, networks: ["127.0.0.1/32"], secret: "file:vpn.secret", primary: corp, push_wait: `+wait.String()+`}
`)
	begun := time.Now()
	r := mfabridgeIn(t, "", "shim", "test", "--config", path, "--user", fixtures.Ada, "--client", "vpn", "--password", "file:"+m.write(t, "password", "p"))
	if r.code != exitFailed || !strings.Contains(r.out, "outage: ") || !strings.Contains(r.err, "no answer: ") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if took := time.Since(begun); took > wait { // else it waited for longer than that
		t.Errorf("it took %s", took)
	}
}

// A bypass is one login of one user, at one client if that is asked for.
func TestShimBypassIsOneLogin(t *testing.T) {
	m := moved(t)
	m.write(t, "vpn.secret", sharedSecret)
	path := m.write(t, "shim.yaml", radclientYAML)
	bypass := func(code int, more ...string) result {
		t.Helper()
		return must(t, code, append([]string{"shim", "bypass", "--config", path}, more...)...)
	}
	bypass(exitFailed, "--client", "vpn", "--for", "1h", "--reason", "test") // primary: none
	bypass(exitUsage, "--for", "1h", "--reason", "test")
	bypass(exitUsage, "--user", fixtures.Ada, "--reason", "test")
	bypass(exitUsage, "--user", fixtures.Ada, "--for", "1h")
	bypass(exitFailed, "--user", fixtures.Ada, "--for", "5h", "--reason", "test")
	bypass(exitFailed, "--user", fixtures.Ada, "--for", "1h", "--reason", "test", "--client", "no-such")
	bypass(exitFailed, "--user", "nobody", "--for", "1h", "--reason", "test")
	logins := 0
	login := func(want string) {
		t.Helper()
		logins++ // another password is another login; an equal one would have the verdict of the first
		password := "file:" + m.write(t, fmt.Sprint("password", logins), fmt.Sprint("p", logins))
		r := mfabridgeIn(t, "000000\n", "shim", "test", "--config", path, "--user", fixtures.Ada, "--client", "vpn", "--password", password)
		if !strings.Contains(r.out, want) || strings.Contains(r.out, "< Access-Accept") != (want != "< Access-Reject") {
			t.Errorf("no %s in\n%s%s", want, r.out, r.err)
		}
	}
	login("< Access-Reject")
	if r := bypass(exitDone, "--user", fixtures.Ada, "--client", "VPN", "--for", "1h", "--reason", "test"); !strings.Contains(r.out, "one login at client vpn until ") {
		t.Errorf("bypass says %q", r.out)
	}
	login("bypass: an administrator let this login in")
	login("< Access-Reject")
}

// A server that answers everything meets none of the trials.
func TestSelftestSaysNo(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		b := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if _, err := conn.WriteToUDPAddrPort(b[:n], from); err != nil {
				return
			}
		}
	}()
	asker, err := net.DialUDP("udp4", nil, conn.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	var out bytes.Buffer
	p := &program{streams: streams{out: &out}}
	in := &inside{asker: asker, secret: radius.NewSecret([]byte(sharedSecret))}
	wrong, err := p.playTrials(t.Context(), in, "vpn")
	if trials := strings.Count(out.String(), "\n"); err != nil || wrong != trials || trials < 20 {
		t.Errorf("%d of %d trials failed, %v\n%s", wrong, trials, err, out.String())
	}
}
