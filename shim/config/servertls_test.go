package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud/firstfactor"
	"mfabridge/shim/config"
)

// certify writes a certificate that signs itself into shim.pem and shim.key.
func certify(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"shim.pem": {Type: "CERTIFICATE", Bytes: der}, "shim.key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServerOverTLS(t *testing.T) {
	dir := folder(t)
	certify(t, dir)
	load := func(server string) (*config.Config, error) {
		c, warnings, err := config.Parse([]byte(strings.Replace(home(server), "127.0.0.1:1812", "192.0.2.1:1812", 1)), "shim.yaml", dir)
		if len(warnings) != 0 {
			t.Errorf("warnings %q", warnings)
		}
		return c, err
	}
	const good = `address: "home.example:2083", tls: {ca: shim.pem, cert: shim.pem, key: shim.key}`
	c, err := load(good)
	if err != nil {
		t.Fatal(err)
	}
	s := c.Primaries["old"].Servers[0]
	tlsConf := s.TLS.Client()
	if s.MessageAuthenticator != config.Observe || tlsConf.ServerName != "home.example" || tlsConf.MinVersion != tls.VersionTLS12 ||
		tlsConf.InsecureSkipVerify || tlsConf.RootCAs == nil || len(tlsConf.Certificates) != 1 || len(tlsConf.Certificates[0].Certificate) != 1 {
		t.Errorf("got %+v", s)
	}
	if (*firstfactor.ServerTLS)(nil).Client() != nil {
		t.Error("a server without tls is asked over TLS")
	}
	same, err := load(good)
	if err != nil || !firstfactor.Same(c.FirstFactors(), same.FirstFactors(), "old") {
		t.Errorf("the same is not the same: %v", err)
	}
	certify(t, dir) // renewed in its place
	renewed, err := load(good)
	if err != nil || firstfactor.Same(c.FirstFactors(), renewed.FirstFactors(), "old") {
		t.Errorf("another certificate is the same: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, "shim.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		good: "may be read by others",
		`address: "home.example:2083", tls: {cert: shim.pem, key: shim.key}`:                                        "tls needs ca, cert and key",
		`address: "home.example:2083", tls: {ca: shim.pem}`:                                                         "tls needs ca, cert and key",
		`address: "home.example:2083", tls: {ca: vpn.secret, cert: shim.pem, key: shim.key}`:                        "tls.ca: the file holds no certificate",
		`address: "home.example:2083", tls: {ca: shim.pem, cert: none.pem, key: shim.key}`:                          "tls.cert: ",
		`address: "home.example:2083", tls: {ca: shim.pem, cert: shim.pem, key: shim.key, name: "*.example"}`:       "is no name of a certificate",
		`address: "home.example:2083", secret: file:vpn.secret, tls: {ca: shim.pem, cert: shim.pem, key: shim.key}`: "secret says nothing with tls",
		`address: "home.example:2083", status_check: none, tls: {ca: shim.pem, cert: shim.pem, key: shim.key}`:      "over TLS every server answers Status-Server",
		`address: "home.example:2083", tls: {ca: shim.pem, cert: shim.pem, key: shim.key, insecure: true}`:          `unknown key "insecure"`,
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
