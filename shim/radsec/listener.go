// Package radsec is the TLS side of RADIUS over TLS (RFC 6614): it takes
// connections, has both sides prove who they are, and hands each to the shim.
//
//	l, err := radsec.Listen(conf.RADIUS.RadSec, log)
//	err = l.Serve(server)       // until Close
//
// TLS is 1.2 or later, and a certificate is asked for from everybody: who has
// none, or one that is expired or from elsewhere, gets no further than the
// handshake. Which client a certificate belongs to says the configuration, by
// a DNS name of it or by its fingerprint; a certificate of nobody is closed
// with its first packet. Connections are bounded, in all and from one address,
// and so is the time of a handshake.
package radsec

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/shim"
	"mfabridge/shim/config"
)

// handshakePatience is how long a handshake may take.
const handshakePatience = 10 * time.Second

// share is which part of all connections one address may have.
const share = 4

// Server answers what comes in on a connection; *shim.Server is one.
type Server interface {
	ServeStream(c net.Conn, certificate []string) error
}

// Listener takes connections.
type Listener struct {
	tcp net.Listener
	tls *tls.Config
	max int
	log *slog.Logger

	mu   sync.Mutex
	open map[netip.Addr]int
	all  int
	each sync.WaitGroup
}

// Listen opens the port.
func Listen(c *config.RadSec, log *slog.Logger) (*Listener, error) {
	tcp, err := net.Listen("tcp", c.Address.String())
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("cannot listen for RadSec: %w", err), "correct radius.radsec.listen, or stop who has the port")
	}
	return &Listener{tcp: tcp, max: c.MaxConnections, log: log, open: make(map[netip.Addr]int),
		tls: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{c.Certificate},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: c.Authorities, SessionTicketsDisabled: true}}, nil
}

// Addr is the port's address.
func (l *Listener) Addr() net.Addr { return l.tcp.Addr() }

// Close stops taking connections. Those that are open are the server's to end.
func (l *Listener) Close() error { return l.tcp.Close() }

// Serve takes connections until Close and returns nil then, once the server
// has ended them all.
func (l *Listener) Serve(s Server) error {
	defer l.each.Wait()
	for {
		c, err := l.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			var temporary interface{ Temporary() bool }
			if errors.As(err, &temporary) && temporary.Temporary() {
				l.log.Warn("a RadSec connection cannot be taken", "error", err)
				continue
			}
			return fmt.Errorf("RadSec port cannot be read: %w", err)
		}
		from := address(c)
		if !l.enter(from) {
			_ = c.Close() // there are too many
			l.log.Warn("too many RadSec connections", "from", from.String())
			continue
		}
		l.each.Go(func() {
			defer l.leave(from)
			l.one(s, c)
		})
	}
}

func address(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

func (l *Listener) enter(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.max || l.open[from] >= max(1, l.max/share) {
		return false
	}
	l.all++
	l.open[from]++
	return true
}

func (l *Listener) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.open[from]--; l.open[from] == 0 {
		delete(l.open, from)
	}
}

// one serves a connection.
func (l *Listener) one(s Server, raw net.Conn) {
	log := l.log.With("from", raw.RemoteAddr().String())
	c := tls.Server(raw, l.tls)
	ctx, cancel := context.WithTimeout(context.Background(), handshakePatience)
	err := c.HandshakeContext(ctx)
	cancel()
	if err != nil {
		_ = raw.Close() // nobody is there whom it could be told
		log.Warn("RadSec handshake failed", "error", err)
		return
	}
	names := Names(c.ConnectionState().PeerCertificates[0])
	log.Info("RadSec connection is open", "certificate", strings.Join(names[1:], ", "))
	if err := s.ServeStream(c, names); err != nil && !errors.Is(err, shim.ErrServerClosed) {
		log.Warn("RadSec connection has ended", "error", err)
		return
	}
	log.Info("RadSec connection has ended")
}

// Names are what a configuration may call a certificate by: its fingerprint,
// and its DNS names; the common name counts where there is none of those.
func Names(c *x509.Certificate) []string {
	sum := sha256.Sum256(c.Raw)
	names := []string{"sha256:" + hex.EncodeToString(sum[:])}
	for _, n := range c.DNSNames {
		names = append(names, strings.ToLower(n))
	}
	if len(c.DNSNames) == 0 && c.Subject.CommonName != "" {
		names = append(names, strings.ToLower(c.Subject.CommonName))
	}
	return names
}
