package ldapconn_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"mfabridge/internal/ldapconn"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/secret"
)

// A server that speaks no TLS of today gets no password.
func TestOldTLSIsRefused(t *testing.T) {
	authority := ldaptest.NewAuthority(t)
	pair, err := tls.LoadX509KeyPair(authority.Issue(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	for version, taken := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		shaken := make(chan bool, 1)
		go func() {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			c := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: version})
			defer c.Close()
			shaken <- c.Handshake() == nil
			_, _ = io.CopyN(io.Discard, c, 1) // of whatever is asked; the connection ends
		}()
		c := client(t, ldapconn.Config{Servers: []string{"ldaps://" + l.Addr().String()}, CA: authority.Pool(), Timeout: 10 * time.Second})
		if err := c.Authenticate(t.Context(), "cn=ada", secret.FromString("correct horse")); err == nil {
			t.Errorf("TLS %x: a connection that ended is a password that is right", version)
		}
		if got := <-shaken; got != taken {
			t.Errorf("TLS %x: it was taken: %v", version, got)
		}
	}
}
