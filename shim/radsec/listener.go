// Package radsec is the TLS side of RADIUS over TLS (RFC 6614): it takes
// connections, has both sides prove who they are, and hands each to the shim.
//
//	l, err := radsec.Listen(address, conf.RADIUS.RadSec, log)
//	err = l.Serve(server)       // until Close
//	l.Renew(next.RADIUS.RadSec) // meanwhile, with another certificate
//
// TLS is 1.2 or later, and a certificate is asked for from everybody: who has
// none, or one that is expired or from elsewhere, gets no further than the
// handshake. Which client a certificate belongs to says the configuration, by
// a DNS name of it or by its fingerprint; a certificate of nobody is closed at
// once. A connection ends with the certificate that it was made with.
// Connections are bounded, in all and from one host, and so are the time of a
// handshake and the lines that the log gets of those who fail. Where all places
// are taken, handshakes make room for others.
package radsec

import (
	"bytes"
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

	"mfabridge/internal/confcheck"
	"mfabridge/internal/hint"
	"mfabridge/shim"
	"mfabridge/shim/config"
)

// handshakePatience is how long a handshake may take.
const handshakePatience = 10 * time.Second

// share is which part of all connections one address may have.
const share = 4

// warnEvery is how often the log is told of what anybody can bring about:
// elsewise they could fill it.
const warnEvery = time.Second

// acceptPause is how long a port rests that cannot be read just now, for want of
// descriptors above all.
const acceptPause = 50 * time.Millisecond

// Server answers what comes in on a connection; *shim.Server is one.
type Server interface {
	ServeStream(c net.Conn, certificate []string) error
}

// Listener takes connections.
type Listener struct {
	tcp net.Listener
	log *slog.Logger

	mu    sync.Mutex
	tls   *tls.Config
	max   int
	roots confcheck.PEM
	open  map[netip.Addr]int // by place
	all   map[net.Conn]guest
	each  sync.WaitGroup

	warned map[string]warning // by what it says
}

// guest is a connection as its listener knows it.
type guest struct {
	place  netip.Addr
	since  time.Time
	proven bool // it has shown a certificate that counts
}

// warning is when the log was last told of something, and how often it has not
// been since.
type warning struct {
	at   time.Time
	left int
}

// Listen opens a port.
func Listen(address netip.AddrPort, c *config.RadSec, log *slog.Logger) (*Listener, error) {
	tcp, err := Open(address)
	if err != nil {
		return nil, err
	}
	l := &Listener{tcp: tcp, log: log, open: make(map[netip.Addr]int), all: make(map[net.Conn]guest), warned: make(map[string]warning)}
	l.Renew(c)
	return l, nil
}

// Open opens the port alone, of the address's own family: list "0.0.0.0:2083"
// and "[::]:2083" to hear both, as with [shim.Listen].
func Open(address netip.AddrPort) (net.Listener, error) {
	network := "tcp6"
	if address.Addr().Is4() {
		network = "tcp4"
	}
	tcp, err := net.Listen(network, address.String())
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("cannot listen for RadSec: %w", err), "correct radius.radsec.listen, or stop who has the port")
	}
	return tcp, nil
}

// Renew has connections from now on meet another certificate, other
// authorities and another limit. Where the authorities are others than before,
// or there is no RadSec any more (nil), the connections that there are end: who
// made them has to prove itself anew.
func (l *Listener) Renew(c *config.RadSec) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c == nil || l.tls != nil && !bytes.Equal(l.roots, c.Roots) {
		for conn := range l.all {
			_ = conn.Close() // whoever reads from it says so
		}
	}
	if c == nil {
		return
	}
	l.max, l.roots = c.MaxConnections, c.Roots
	l.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{c.Certificate},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: c.Authorities, SessionTicketsDisabled: true}
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
				l.warn("a RadSec connection cannot be taken", "", err)
				time.Sleep(acceptPause)
				continue
			}
			return fmt.Errorf("RadSec port cannot be read: %w", err)
		}
		settings, ok := l.enter(c, place(c))
		if !ok {
			_ = c.Close() // there are too many
			l.warn("too many RadSec connections", c.RemoteAddr().String(), nil)
			continue
		}
		l.each.Go(func() {
			defer l.leave(c)
			l.one(s, c, settings)
		})
	}
}

// place is what the connections of one host are counted by: its address, of
// IPv6 the network of 64 bits, of which a host may have every address.
func place(c net.Conn) netip.Addr {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	from := a.AddrPort().Addr().Unmap().WithZone("")
	if from.Is4() {
		return from
	}
	network, _ := from.Prefix(64) // which every address of IPv6 has
	return network.Addr()
}

// enter counts a connection, and says how it has to prove itself. Where there is
// no place left, whoever has proven nothing for longest makes room: so those who
// connect and say nothing keep nobody out.
func (l *Listener) enter(c net.Conn, from netip.Addr) (*tls.Config, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.open[from] >= max(1, l.max/share):
		if !l.makeRoom(func(g guest) bool { return g.place == from }) {
			return nil, false
		}
	case len(l.all) >= l.max:
		if !l.makeRoom(func(guest) bool { return true }) {
			return nil, false
		}
	}
	l.all[c] = guest{place: from, since: time.Now()}
	l.open[from]++
	return l.tls, true
}

// makeRoom ends the oldest of these connections that has proven nothing yet. The
// caller holds mu.
func (l *Listener) makeRoom(of func(guest) bool) bool {
	var oldest net.Conn
	for c, g := range l.all {
		if !g.proven && of(g) && (oldest == nil || g.since.Before(l.all[oldest].since)) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	_ = oldest.Close() // its handshake says so
	l.forget(oldest)
	return true
}

// proves notes that a connection has shown a certificate that counts.
func (l *Listener) proves(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g, there := l.all[c]; there { // else it has just made room
		g.proven = true
		l.all[c] = g
	}
}

func (l *Listener) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(c)
}

// forget takes a connection off the count, once. The caller holds mu.
func (l *Listener) forget(c net.Conn) {
	g, there := l.all[c]
	if !there {
		return
	}
	delete(l.all, c)
	if l.open[g.place]--; l.open[g.place] == 0 {
		delete(l.open, g.place)
	}
}

// one serves a connection.
func (l *Listener) one(s Server, raw net.Conn, settings *tls.Config) {
	from := raw.RemoteAddr().String()
	c := tls.Server(raw, settings)
	ctx, cancel := context.WithTimeout(context.Background(), handshakePatience)
	err := c.HandshakeContext(ctx)
	cancel()
	if err != nil {
		_ = raw.Close() // nobody is there whom it could be told
		l.warn("RadSec handshake failed", from, err)
		return
	}
	l.proves(raw)
	leaf := c.ConnectionState().PeerCertificates[0]
	names, log := Names(leaf), l.log.With("from", from)
	log.Info("RadSec connection is open", "certificate", strings.Join(names[1:], ", "))
	end := time.AfterFunc(time.Until(leaf.NotAfter), func() {
		log.Warn("the certificate of a RadSec connection has ended", "certificate", strings.Join(names[1:], ", "))
		_ = raw.Close() // whoever reads from it says so
	})
	defer end.Stop()
	if err := s.ServeStream(&dated{Conn: c, end: leaf.NotAfter, now: time.Now}, names); err != nil && !errors.Is(err, shim.ErrServerClosed) {
		log.Warn("RadSec connection has ended", "err", err)
		return
	}
	log.Info("RadSec connection has ended")
}

// errEnded is what a connection reads once its certificate has ended.
var errEnded = errors.New("the certificate of the other side has ended")

// dated is a connection from which nothing is read after its end, by the clock
// on the wall. A timer alone would not do: it stands still while the machine is
// paused.
type dated struct {
	net.Conn
	end time.Time
	now func() time.Time
}

// Read reads, and takes nothing that has come too late.
func (d *dated) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if !d.now().Before(d.end) {
		return 0, errEnded
	}
	return n, err
}

// warn tells the log of what anybody can bring about, of each kind once in a
// while, and then how often it has not been told.
func (l *Listener) warn(what, from string, err error) {
	now := time.Now()
	l.mu.Lock()
	before := l.warned[what]
	if now.Sub(before.at) < warnEvery {
		before.left++
		l.warned[what] = before
		l.mu.Unlock()
		return
	}
	l.warned[what] = warning{at: now}
	l.mu.Unlock()
	attributes := []any{"untold", before.left}
	if from != "" {
		attributes = append(attributes, "from", from)
	}
	if err != nil {
		attributes = append(attributes, "err", err)
	}
	l.log.Warn(what, attributes...)
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
