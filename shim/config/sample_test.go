package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/shim/config"
)

// everyKey has all keys of the contract at once, each with its default or with
// what the contract shows.
const everyKey = `
engine:
  store: sqlite:cloud.db
data: /var/lib/mfabridge
cluster_keys: [file:cluster.key]
radius:
  listen: ["127.0.0.1:1812"]
  accounting: ["127.0.0.1:1813"]
  radsec: {listen: ["0.0.0.0:2083"], cert: shim.pem, key: shim.key, ca: shim.pem}
  clients:
    - name: vpn
      networks: ["127.0.0.1/32"]
      secret: file:vpn.secret
      message_authenticator: require
      primary: corp
      unmatched: deny
      disabled: deny
      fallback_oath: false
      code_entry: challenge
      push_wait: 45s
      push_number: false
      calling_station: reliable
      cache: {for: 0s}
      on_outage: silent
      password_charset: utf-8
      reply: {pass: all, groups: {"CN=VPN,DC=corp,DC=example": {Class: vpn}}, static: {Session-Timeout: 28800}}
primaries:
  corp: {type: ldap, urls: ["ldaps://dc1"], bind_dn: "cn=shim,dc=corp,dc=example", bind_password: file:bind.secret, base_dn: "dc=corp,dc=example", ca: shim.pem}
  old:  {type: radius, servers: [{address: "10.0.0.5:1812", secret: file:old.secret, message_authenticator: require}]}
usernames: {domains: {CORP: corp.example}}
`

func TestEveryKeyOfTheContractIsTaken(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"vpn.secret", "bind.secret", "old.secret"} {
		write(name, []byte("a synthetic secret for tests\n"))
	}
	if err := config.MakeKey(filepath.Join(dir, "cluster.key")); err != nil {
		t.Fatal(err)
	}
	certificate, key := selfSigned(t)
	write("shim.pem", certificate)
	write("shim.key", key)
	c, warnings, err := config.Parse([]byte(everyKey), "shim.yaml", dir)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %q", err, warnings)
	}
	if len(c.Keys) != 1 || len(c.RADIUS.RadSec.Addresses) != 1 || c.RADIUS.Clients[0].Hold != 45*time.Second || c.Data != "/var/lib/mfabridge" {
		t.Errorf("understood as %+v", c)
	}
	// What the contract calls a default is one.
	short, _, err := config.Parse([]byte(`
engine: {store: "sqlite:cloud.db"}
data: /var/lib/mfabridge
cluster_keys: [file:cluster.key]
radius:
  listen: ["127.0.0.1:1812"]
  clients: [{name: vpn, networks: ["127.0.0.1/32"], secret: "file:vpn.secret", primary: corp}]
primaries:
  corp: {type: ldap, urls: ["ldaps://dc1"], bind_dn: "cn=shim,dc=corp,dc=example", bind_password: file:bind.secret, base_dn: "dc=corp,dc=example", ca: shim.pem}
`), "shim.yaml", dir)
	if err != nil {
		t.Fatal(err)
	}
	long := c.RADIUS.Clients[0]
	long.Reply = nil
	of := func(c config.Client) []any {
		return []any{c.MessageAuthenticator, c.Unmatched, c.Disabled, c.FallbackOATH, c.CodeEntry, c.Hold, c.PushNumber, c.CallingStation, c.Cache.Life, c.OnOutage, c.PasswordCharset}
	}
	if diff := cmp.Diff(of(long), of(short.RADIUS.Clients[0])); diff != "" {
		t.Errorf("defaults are others (-said +left out):\n%s", diff)
	}
}

// selfSigned is a certificate and its key, as PEM.
func selfSigned(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shim.example"}, DNSNames: []string{"shim.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}
