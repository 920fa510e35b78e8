package upstream_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
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

// files writes a certificate with its key for another program.
func (s *signer) files(folder, name string, pair tls.Certificate) {
	s.t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(filepath.Join(folder, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
	s.write(filepath.Join(folder, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

func (s *signer) write(path string, text []byte) {
	s.t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// pki writes what a server needs into a folder: ca.pem, server.pem, server.key.
func (s *signer) pki(server tls.Certificate) (folder string) {
	s.t.Helper()
	folder = s.t.TempDir()
	s.files(folder, "ca", tls.Certificate{Certificate: [][]byte{s.cert.Raw}, PrivateKey: s.key})
	s.files(folder, "server", server)
	return folder
}

// run runs a peer until the test ends.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	var out strings.Builder
	cmd := exec.Command(program, args...)
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
}

// freeRADIUSOverTLS starts it and returns its address and folder.
func freeRADIUSOverTLS(t *testing.T, ours *signer, server tls.Certificate) (address, folder string) {
	t.Helper()
	folder = ours.pki(server)
	return peer.HomeServerOverTLS(t, folder, "ada Cleartext-Password := \"pa55\"\n\tReply-Message := \"hello ada\"\n"), folder
}

// homes are peers that take the same logins.
func homes() map[string]func(*signer, tls.Certificate) string {
	return map[string]func(*signer, tls.Certificate) string{
		"FreeRADIUS": func(ours *signer, server tls.Certificate) string {
			address, _ := freeRADIUSOverTLS(ours.t, ours, server)
			return address
		},
		"radsecproxy": func(ours *signer, server tls.Certificate) string { return radsecproxy(ours.t, ours, server) },
	}
}

const proxyConf = `ListenTLS 127.0.0.1:PORT
LogLevel 3
LogDestination file://FOLDER/log
tls default {
  CACertificateFile FOLDER/ca.pem
  CertificateFile FOLDER/server.pem
  CertificateKeyFile FOLDER/server.key
}
client 127.0.0.1 {
  type tls
  secret radsec
  tls default
  certificatenamecheck off
}
server home {
  host 127.0.0.1
  type udp
  port HOME
  secret "a synthetic secret"
}
realm * {
  server home
}
`

// radsecproxy starts it in front of a FreeRADIUS over UDP.
func radsecproxy(t *testing.T, ours *signer, server tls.Certificate) string {
	t.Helper()
	program := peer.Path(t, "radsecproxy", "radsecproxy")
	behind := peer.HomeServer(t, "a synthetic secret", "ada Cleartext-Password := \"pa55\"\n\tReply-Message := \"hello ada\"\n")
	back, err := upstream.New(upstream.Options{Patience: 5 * time.Second, Homes: []upstream.Home{{Address: behind, Secret: secret.FromString("a synthetic secret"), Observe: true}}})
	if err != nil {
		t.Fatal(err)
	}
	ready(t, back, behind)
	back.Close()
	_, udp, _ := net.SplitHostPort(behind)
	folder, port := ours.pki(server), peer.FreePort(t)
	conf := filepath.Join(folder, "radsecproxy.conf")
	ours.write(conf, []byte(strings.NewReplacer("FOLDER", folder, "PORT", port, "HOME", udp).Replace(proxyConf)))
	run(t, program, "-f", "-c", conf)
	return "127.0.0.1:" + port
}

// TestPeersOverTLS: the genuine servers take logins over mutual TLS, and
// neither side talks to one whose certificate is foreign, expired or misnamed.
func TestPeersOverTLS(t *testing.T) {
	for program, start := range homes() {
		t.Run(program, func(t *testing.T) {
			ours, theirs := newSigner(t), newSigner(t)
			client := func(address, name string, cert tls.Certificate) *upstream.Client {
				return overTLS(t, func(o *upstream.Options) {
					o.Patience, o.Probe = time.Minute, 200*time.Millisecond
					o.Homes = []upstream.Home{{Address: address, Observe: true, TLS: ours.config(name, cert)}}
				})
			}
			right := ours.issue("shim.example", time.Hour, nil)
			address := start(ours, ours.issue("home.example", time.Hour, nil))
			ready(t, client(address, "home.example", right), address)
			c := client(address, "home.example", right) // which has not asked for signs of life
			for range 3 {
				for password, want := range map[string]radius.Code{"pa55": radius.AccessAccept, "pa56": radius.AccessReject} {
					q := login()
					q.Password = secret.FromString(password)
					r, err := c.Exchange(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					if r.Packet.Code() != want {
						t.Errorf("%s: answered by %v", password, r.Packet.Code())
					}
				}
			}
			if got := c.Counters()[0]; got.Answered != 6 || got.Dropped != 0 || got.Down {
				t.Errorf("counted %+v", got)
			}
			for name, cert := range map[string]tls.Certificate{"foreign": theirs.issue("shim.example", time.Hour, nil),
				"expired": ours.issue("shim.example", -time.Minute, nil), "none": {}} {
				t.Run(name, func(t *testing.T) { mustFail(t, client(address, "home.example", cert), "") })
			}
			mustFail(t, client(address, "else.example", right), "not else.example")
			foreign := ours.config("home.example", right)
			foreign.RootCAs = theirs.pool()
			mustFail(t, overTLS(t, func(o *upstream.Options) { o.Homes = []upstream.Home{{Address: address, Observe: true, TLS: foreign}} }), "unknown authority")
			t.Run("expired server", func(t *testing.T) {
				late := ours.config("home.example", right)
				late.Time = func() time.Time { return time.Now().Add(2 * time.Hour) }
				mustFail(t, overTLS(t, func(o *upstream.Options) { o.Homes = []upstream.Home{{Address: address, Observe: true, TLS: late}} }), "expired")
			})
		})
	}
}

func TestAccountingOverTLSToFreeRADIUS(t *testing.T) {
	ours := newSigner(t)
	address, folder := freeRADIUSOverTLS(t, ours, ours.issue("home.example", time.Hour, nil))
	c := overTLS(t, func(o *upstream.Options) {
		o.Probe = 200 * time.Millisecond
		o.Homes = []upstream.Home{{Address: address, TLS: ours.config("home.example", ours.issue("shim.example", time.Hour, nil)), Observe: true}}
	})
	ready(t, c, address)
	err := c.Account(t.Context(), []upstream.Attribute{{Type: radius.UserName, Value: []byte("ada")}, {Type: 40, Value: []byte{0, 0, 0, 1}}, {Type: 44, Value: []byte("session-7")}})
	if err != nil {
		t.Fatal(err, cause(err))
	}
	if text, err := os.ReadFile(filepath.Join(folder, "detail")); err != nil || !strings.Contains(string(text), `Acct-Session-Id = "session-7"`) {
		t.Errorf("detail file: %v\n%s", err, text)
	}
}
