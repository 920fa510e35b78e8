package ldapconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// link is one connection to a server.
type link struct {
	*ldap.Conn
	server  server
	counted *counted
}

// counted is a connection that ends when an answer is larger than any should
// be: the library reads whatever length a server announces.
type counted struct {
	net.Conn
	left atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	if c.left.Load() <= 0 {
		return 0, errors.New("the answer is too large")
	}
	n, err := c.Conn.Read(b)
	c.left.Add(-int64(n))
	return n, err
}

// dial connects to a server and begins TLS. Nothing is bound yet.
func dial(ctx context.Context, cfg Config, s server) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, &Error{Kind: Unavailable, Server: s.address, Message: "cannot be reached", Err: err}
	}
	c := &counted{Conn: raw}
	c.left.Store(maxAnswer)
	l := &link{server: s, counted: c}
	if s.tls {
		secured := tls.Client(c, cfg.tlsFor(s))
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(handshakeError(s, err), drop(raw))
		}
		l.Conn = ldap.NewConn(secured, true)
	} else {
		l.Conn = ldap.NewConn(c, false)
	}
	l.SetTimeout(cfg.Timeout)
	l.Start()
	if !s.tls && !s.plain {
		// The handshake knows no context: the deadline bounds it.
		_ = raw.SetDeadline(time.Now().Add(cfg.Timeout))
		if err := l.StartTLS(cfg.tlsFor(s)); err != nil {
			l.close()
			return nil, handshakeError(s, err)
		}
		_ = raw.SetDeadline(time.Time{})
	}
	return l, nil
}

// drop closes a connection that nothing is expected of any more.
func drop(c io.Closer) error {
	_ = c.Close()
	return nil
}

// close ends the connection, without waiting for anybody.
func (l *link) close() {
	_ = l.counted.Close()
	go func() { _ = l.Close() }()
}

// badCertificate begins what crypto/tls says of a certificate that does not
// hold. The library's StartTLS keeps of that error the text alone.
const badCertificate = "tls: failed to verify certificate"

// handshakeError tells a certificate that does not hold from a server that
// does not answer.
func handshakeError(s server, err error) error {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		result    *ldap.Error
	)
	switch {
	case errors.As(err, &authority), errors.As(err, &name), errors.As(err, &invalid), errors.As(err, &verify),
		strings.Contains(err.Error(), badCertificate):
		return &Error{Kind: Untrusted, Server: s.address, Message: "the certificate does not hold", Err: err}
	case errors.As(err, &result) && result.ResultCode < ldap.ErrorNetwork:
		return &Error{Kind: Untrusted, Server: s.address, Message: "the server refuses StartTLS", Err: err}
	}
	return &Error{Kind: Unavailable, Server: s.address, Message: "TLS cannot be begun", Err: err}
}

// guard closes the connection when ctx ends, and lets one more answer through.
func (l *link) guard(ctx context.Context) (done func() bool) {
	l.counted.left.Store(maxAnswer)
	return context.AfterFunc(ctx, l.close)
}
