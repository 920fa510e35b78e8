package upstream_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// signer is an authority that exists for a test.
type signer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newSigner(t *testing.T) *signer {
	s := &signer{t: t}
	pair := s.issue("authority", time.Hour, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign })
	s.cert, s.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	return s
}

func (s *signer) issue(name string, life time.Duration, change func(*x509.Certificate)) tls.Certificate {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life), BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature}
	if change != nil {
		change(template)
	}
	parent, by := s.cert, s.key
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		s.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (s *signer) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.cert)
	return p
}

// tlsHome is a home server over TLS that shows faults which a genuine one
// cannot be made to show.
type tlsHome struct {
	t       *testing.T
	ours    *signer
	l       net.Listener
	made    atomic.Int64 // connections
	serve   func(c net.Conn, number int64)
	address string
	ended   sync.WaitGroup
}

// newTLSHome serves with a certificate; serve runs for each connection.
func newTLSHome(t *testing.T, ours *signer, cert tls.Certificate, serve func(net.Conn, int64)) *tlsHome {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool()})
	if err != nil {
		t.Fatal(err)
	}
	h := &tlsHome{t: t, ours: ours, l: l, address: l.Addr().String(), serve: serve}
	h.ended.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			number := h.made.Add(1)
			h.ended.Go(func() {
				defer func() { _ = c.Close() }()
				h.serve(c, number)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return h
}

// request reads one packet of a connection.
func request(c net.Conn) (radius.Packet, error) {
	b := make([]byte, radius.MaxLength)
	if _, err := io.ReadFull(c, b[:4]); err != nil {
		return radius.Packet{}, err
	}
	n := int(binary.BigEndian.Uint16(b[2:4]))
	if _, err := io.ReadFull(c, b[4:n]); err != nil {
		return radius.Packet{}, err
	}
	return radius.Parse(b[:n])
}

// accept is the authentic answer to a request.
func accept(t *testing.T, p radius.Packet) []byte {
	t.Helper()
	code := radius.AccessAccept
	if p.Code() == radius.AccountingRequest {
		code = radius.AccountingResponse
	}
	return (&fake{secret: secret.FromString("radsec")}).reply(t, code, p, "")
}

// echo answers everything.
func echo(t *testing.T) func(net.Conn, int64) {
	return func(c net.Conn, _ int64) {
		for {
			p, err := request(c)
			if err != nil {
				return
			}
			if _, err := c.Write(accept(t, p)); err != nil {
				return
			}
		}
	}
}

func (s *signer) config(name string, cert tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.pool(), ServerName: name, Certificates: []tls.Certificate{cert}}
}

// overTLS makes a client of home servers.
func overTLS(t *testing.T, change func(*upstream.Options), homes ...*tlsHome) *upstream.Client {
	t.Helper()
	o := upstream.Options{Patience: time.Minute}
	for _, h := range homes {
		o.Homes = append(o.Homes, upstream.Home{Address: h.address, Observe: true, TLS: h.ours.config("home.example", h.ours.issue("shim.example", time.Hour, nil))})
	}
	if change != nil {
		change(&o)
	}
	c, err := upstream.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func home(t *testing.T, serve func(net.Conn, int64)) *tlsHome {
	t.Helper()
	ours := newSigner(t)
	return newTLSHome(t, ours, ours.issue("home.example", time.Hour, nil), serve)
}

func mustAccept(t *testing.T, c *upstream.Client) {
	t.Helper()
	r, err := c.Exchange(t.Context(), login())
	if err != nil {
		t.Fatal(err)
	}
	if r.Packet.Code() != radius.AccessAccept {
		t.Fatalf("answered by %v", r.Packet.Code())
	}
}

func mustFail(t *testing.T, c *upstream.Client, want string) {
	t.Helper()
	_, err := c.Exchange(t.Context(), login())
	if cloud.KindOf(err) != cloud.Unavailable || !strings.Contains(err.Error()+cause(err), want) {
		t.Fatalf("got %v, %s, want an error with %q", err, cause(err), want)
	}
}

// cause is what is behind an error of the vocabulary.
func cause(err error) string {
	var e *cloud.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err.Error()
	}
	return ""
}
