package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"mfabridge/cloud/engine"
	"mfabridge/fixtures"
	"mfabridge/internal/peer"
)

const protocolsYAML = `engine:
  store: sqlite:cloud.db
data: .
primaries:
  named: {type: radius, names_tunnel_user: true, servers: [{address: "%[1]s", secret: "file:home.secret", message_authenticator: observe}]}
  plain: {type: radius, servers: [{address: "%[1]s", secret: "file:home.secret", message_authenticator: observe}]}
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - {name: vpn, networks: ["127.0.0.1/32"], secret: "file:vpn.secret", primary: named, push_wait: 3m}
    - {name: plain, networks: ["127.0.0.2/32"], secret: "file:vpn.secret", primary: plain, push_wait: 3m}
`

// relaying is a shim that relays to FreeRADIUS, and Ada's phone.
type relaying struct {
	t      *testing.T
	shim   shimProcess
	ada    handset
	ca     string
	folder story
	secret string // file
}

const relayPassword = "pa55 w0rd"

func newRelaying(t *testing.T) relaying {
	s := moved(t)
	const key = "a secret of the home server"
	home, ca := peer.HomeServerEAP(t, key, fmt.Sprintf("%s Cleartext-Password := %q\n\tClass := \"staff\", Tunnel-Password:3 := \"tunnel secret\"\n%s Cleartext-Password := %[2]q\n",
		fixtures.Ada, relayPassword, fixtures.Tim))
	awaitStatus(t, home, s.write(t, "home.secret", key))
	secretFile := s.write(t, "vpn.secret", sharedSecret)
	ada := newHandset(t, s, fixtures.Ada)
	return relaying{t, startShim(t, s.write(t, "shim.yaml", fmt.Sprintf(protocolsYAML, home))), ada, ca, s, secretFile}
}

// radclient logs in by a line of attributes, in the background.
func (r relaying) radclient(attributes string) chan string {
	return r.run(exec.Command(peer.Path(r.t, "radclient", "freeradius-utils"), "-x", "-t", "240", "-r", "1", "-S", r.secret, r.shim.address, "auth"),
		attributes+", Calling-Station-Id = \"198.51.100.7\", Message-Authenticator = 0x00\n")
}

// eapol logs in by eapol_test from an address. It checks the keys unless the
// method has none.
func (r relaying) eapol(from, network string, more ...string) chan string {
	host, port, err := net.SplitHostPort(r.shim.address)
	if err != nil {
		r.t.Fatal(err)
	}
	conf := r.folder.write(r.t, "eapol.conf", "network={\n key_mgmt=WPA-EAP\n "+network+"\n}\n")
	args := append([]string{"-c", conf, "-a", host, "-p", port, "-s", sharedSecret, "-A", from, "-t", "240"}, more...)
	return r.run(exec.Command(peer.Path(r.t, "eapol_test", "eapoltest"), args...), "")
}

func (r relaying) run(cmd *exec.Cmd, input string) chan string {
	answered := make(chan string, 1)
	cmd.Stdin = strings.NewReader(input)
	ctx, cancel := context.WithTimeout(r.t.Context(), giveUp)
	stop := context.AfterFunc(ctx, func() {
		if cmd.Process != nil {
			_ = cmd.Process.Kill() // it may have ended
		}
	})
	r.t.Cleanup(func() { stop(); cancel() })
	go func() {
		out, _ := cmd.CombinedOutput()
		answered <- string(out)
	}()
	return answered
}

func TestCHAPAndMSCHAPAreRelayed(t *testing.T) {
	r := newRelaying(t)
	chap := fmt.Sprintf("User-Name = %q, CHAP-Password = %q", fixtures.Ada, relayPassword)
	approved := r.radclient(chap)
	r.ada.press(t, engine.PushApprove, "")
	if out := <-approved; !strings.Contains(out, "Received Access-Accept") || !strings.Contains(out, "Class = 0x7374616666") ||
		!strings.Contains(out, `Tunnel-Password:3 = "tunnel secret"`) {
		t.Errorf("CHAP and an approved push:\n%s", out)
	}
	if out := <-r.radclient(fmt.Sprintf("User-Name = %q, CHAP-Password = \"wrong\"", fixtures.Ada)); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("CHAP with a wrong password:\n%s", out)
	}
	if out := <-r.radclient(fmt.Sprintf("User-Name = %q, MS-CHAP-Password = %q", fixtures.Ada, relayPassword)); !strings.Contains(out, "Received Access-Reject") {
		t.Errorf("MS-CHAP of the first version:\n%s", out)
	}
	log := r.shim.stop()
	for _, want := range []string{`"protocol":"chap"`, `"reason":"mschapv1_not_supported"`} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is not in the log\n%s", want, log)
		}
	}
	for _, never := range []string{relayPassword, "tunnel secret", "74756e6e656c"} {
		if strings.Contains(log, never) {
			t.Errorf("the log has %q", never)
		}
	}
}

// TestEAPIsRelayed: eapol_test compares the keys that arrive with those that
// it has derived itself.
func TestEAPIsRelayed(t *testing.T) {
	peer.Path(t, "eapol_test", "eapoltest")
	r := newRelaying(t)
	person := fmt.Sprintf("identity=%q\n password=%q\n", fixtures.Ada, relayPassword)
	tunnel := person + fmt.Sprintf(" anonymous_identity=\"anonymous@contoso.example\"\n ca_cert=%q\n", r.ca)
	for name, try := range map[string]struct {
		network string
		keyless bool
	}{
		"GTC":           {"eap=GTC\n " + person, true},
		"MD5":           {"eap=MD5\n " + person, true},
		"MSCHAPv2":      {"eap=MSCHAPV2\n " + person, false},
		"TTLS-PAP":      {"eap=TTLS\n phase2=\"auth=PAP\"\n " + tunnel, false},
		"TTLS-MSCHAPv2": {"eap=TTLS\n phase2=\"auth=MSCHAPV2\"\n " + tunnel, false},
		"PEAP-MSCHAPv2": {"eap=PEAP\n phase2=\"auth=MSCHAPV2\"\n " + tunnel, false},
		"PEAP-GTC":      {"eap=PEAP\n phase2=\"auth=GTC\"\n " + tunnel, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := r
			r.t = t
			more := []string{"-N", "31:s:" + name + " 198.51.100.7"} // another station does not join
			if try.keyless {
				more = append(more, "-n")
			}
			answered := r.eapol("127.0.0.1", try.network, more...)
			r.ada.press(t, engine.PushApprove, "")
			if out := <-answered; !succeeded.MatchString(out) {
				t.Errorf("not in:\n%s", out)
			}
		})
	}
	r.refusals(person, tunnel)
	log := r.shim.stop()
	for _, want := range []string{`"reason":"user_denied"`, `"reason":"wrong_password"`, `"reason":"identity_hidden"`, `"reason":"method_needs_typing"`, "REQUEST_MISSING_CODE"} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is not in the log\n%s", want, log)
		}
	}
	if strings.Contains(log, relayPassword) {
		t.Error("the log has the password")
	}
}

var succeeded = regexp.MustCompile(`(?m)^SUCCESS$`)

// refusals are logins that end by EAP-Failure.
func (r relaying) refusals(person, tunnel string) {
	r.t.Helper()
	ttls := "eap=TTLS\n phase2=\"auth=PAP\"\n " + tunnel
	for _, try := range []struct {
		what, from, network string
		deny                bool
	}{
		{"a push that is denied", "127.0.0.1", ttls, true},
		{"a wrong password in the tunnel", "127.0.0.1", strings.Replace(ttls, relayPassword, "wrong", 1), false},
		{"a server that is not trusted to name who is inside", "127.0.0.2", ttls, false},
		{"somebody who would have to type a code", "127.0.0.1", strings.ReplaceAll("eap=MSCHAPV2\n "+person, fixtures.Ada, fixtures.Tim), false},
	} {
		answered := r.eapol(try.from, try.network, "-N", "31:s:"+try.what+" 198.51.100.7")
		if try.deny {
			r.ada.press(r.t, engine.PushDeny, "")
		}
		if out := <-answered; succeeded.MatchString(out) || !strings.Contains(out, "EAP: Received EAP-Failure") {
			r.t.Errorf("%s:\n%s", try.what, out)
		}
	}
}
