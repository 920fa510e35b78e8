package upstream

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"mfabridge/shim/radius"
)

// streamSecret is what RFC 6614 section 2.3 has for a shared secret.
const streamSecret = "radsec"

// DefaultWatchdog is Tw of RFC 3539 section 3.4.1.
const DefaultWatchdog = 30 * time.Second

// firstBackoff is the pause after the first connection that came to nothing;
// each further one doubles it, up to half of Options.Probe.
const firstBackoff = 250 * time.Millisecond

// streamPatience is how long a packet may take to arrive once it began, and to
// leave.
const streamPatience = 10 * time.Second

// lastWords is how long a connection that takes nothing any more is still read
// from: why the other side ended it, as that it does not trust us, may have come
// and not be read yet.
const lastWords = time.Second

// errStream ends a connection on which came what nothing can follow.
var errStream = errors.New("connection is closed for what came in on it")

// line is the connection to a server that is asked over TLS: at most one at a
// time is made, and not before its time.
type line struct {
	turn   chan struct{} // held by who connects
	tries  int           // connections since the last authentic answer
	before time.Time     // none is made earlier
}

// streamConn is a connection that carries packets one behind the other. Each
// Read is one packet, each Write takes one.
type streamConn struct {
	*tls.Conn
	lost chan struct{} // closed with the connection
	turn chan struct{} // held by who writes: the deadline is of that packet alone

	mu   sync.Mutex
	why  error // it was lost
	last time.Time
	now  func() time.Time
}

// connect makes a connection over TLS, or says why there is none yet.
func (h *home) connect(ctx context.Context) (*streamConn, error) {
	o := h.client.opt
	h.mu.Lock()
	early := o.Now().Before(h.line.before)
	if !early {
		pause := min(firstBackoff<<min(h.line.tries, 16), max(o.Probe/2, firstBackoff))
		h.line.tries++
		h.line.before = o.Now().Add(jitter(pause))
	}
	h.mu.Unlock()
	if early {
		return nil, fmt.Errorf("%s was not to be reached just now, and is left alone for a moment", h.Address)
	}
	raw, err := h.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached: %w", h.Address, err)
	}
	c := tls.Client(raw, h.TLS)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // nothing was sent on it
		if mistrusts(err) {
			return nil, fmt.Errorf("%s: %w: %w", h.Address, errUntrusted, err)
		}
		return nil, fmt.Errorf("%s: TLS cannot be begun: %w", h.Address, err)
	}
	return &streamConn{Conn: c, lost: make(chan struct{}), turn: make(chan struct{}, 1), last: o.Now(), now: o.Now}, nil
}

// mistrusts tells whether TLS has failed since one side does not take the other:
// its certificate, or its way to speak. With TLS 1.3 that the other side does not
// take ours shows only once it is read from.
func mistrusts(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	alert, ok := errors.AsType[*net.OpError](err)
	return ok && alert.Op == "remote error"
}

// reserveStream takes a free identifier of the one connection, which it makes
// if there is none.
func (h *home) reserveStream(ctx context.Context, w *call) (*socket, error) {
	select {
	case h.line.turn <- struct{}{}:
		defer func() { <-h.line.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%s cannot be reached: %w", h.Address, ctx.Err())
	}
	if s, err := h.open(w); s != nil || err != nil {
		return s, err // who was before us has made it
	}
	conn, err := h.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn, stream: conn}
	s.take(w)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed() {
		s.retire()
		s.release(w)
		return nil, h.gone()
	}
	h.sockets = append(slices.DeleteFunc(h.sockets, (*socket).isRetired), s)
	h.beside.Go(func() { h.read(s) })
	h.beside.Go(func() { h.watch(s) })
	return s, nil
}

// watch asks by Status-Server on a connection that says nothing (RFC 6613
// section 2.6.1), and ends one that does not answer: its other side is gone,
// or what is between. One that is retired has that much longer to answer, since
// its server may be slow, and says nothing of a server that is asked elsewhere.
func (h *home) watch(s *socket) {
	o := h.client.opt
	for {
		select {
		case <-s.stream.lost:
			return
		case <-h.client.ctx.Done():
			return
		case <-time.After(jitter(o.Watchdog)):
		}
		start := o.Now()
		if s.stream.heard().Add(o.Watchdog / 2).After(start) {
			continue
		}
		patience, retired := o.soon(), s.isRetired()
		if retired {
			patience *= signs
		}
		err := h.sign(s, patience)
		if err == nil && !retired {
			h.heard()
		}
		if err == nil || errors.Is(err, errBusy) || !s.stream.heard().Before(start) {
			continue
		}
		s.stream.fail(fmt.Errorf("the connection is dead: %w", err))
		if !retired {
			h.missed(h.client.ctx, start)
		}
		return
	}
}

// sign asks for a sign of life on one connection.
func (h *home) sign(s *socket, patience time.Duration) error {
	w := &call{reply: make(chan Reply, 1), sign: true}
	if !s.takeSign(w) {
		return errBusy
	}
	defer s.release(w)
	if err := h.build(w, radius.StatusServer, Request{}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(h.client.ctx, patience)
	defer cancel()
	_, err := h.await(ctx, s, w)
	return err
}

// Read reads one packet.
func (c *streamConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(c.Conn, b[:1]); err != nil {
		return 0, err
	}
	if err := c.SetReadDeadline(time.Now().Add(streamPatience)); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(c.Conn, b[1:4]); err != nil {
		return 0, errors.Join(errStream, err)
	}
	n := int(binary.BigEndian.Uint16(b[2:4]))
	if n < radius.HeaderLength || n > radius.MaxLength {
		return 0, fmt.Errorf("%w: a packet of %d octets", errStream, n)
	}
	if _, err := io.ReadFull(c.Conn, b[4:n]); err != nil {
		return 0, errors.Join(errStream, err)
	}
	return n, nil
}

// Write writes one packet. After an error nothing can follow it, and the
// connection ends: with what its reader finds, or lastWords later.
func (c *streamConn) Write(b []byte) (int, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-c.lost:
		return 0, c.err()
	}
	err := c.SetWriteDeadline(time.Now().Add(streamPatience))
	n := 0
	if err == nil {
		n, err = c.Conn.Write(b)
	}
	if err != nil {
		time.AfterFunc(lastWords, func() { c.fail(err) })
	}
	return n, err
}

// fail ends the connection at once, and with it what waits for an answer.
func (c *streamConn) fail(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return
	}
	c.why = why
	close(c.lost)
	_ = c.NetConn().Close() // it is given up: whatever is wrong with it
}

// err is why the connection was lost.
func (c *streamConn) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(errors.New("the connection was lost"), c.why)
}

// mark notes an authentic answer.
func (c *streamConn) mark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = c.now()
}

// heard is when the last authentic answer came, or the connection was made.
func (c *streamConn) heard() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// lost is closed when an answer can no longer come; over UDP it is nil.
func (s *socket) lost() <-chan struct{} {
	if s.stream == nil {
		return nil
	}
	return s.stream.lost
}

func (s *socket) isLost() bool {
	select {
	case <-s.lost():
		return true
	default:
		return false
	}
}

// ended leaves a socket behind that cannot be read any more.
func (h *home) ended(s *socket, why error) {
	if s.stream != nil && !s.isRetired() {
		h.client.opt.Log.Info("connection to RADIUS server has ended", "server", h.Address, "err", why)
	}
	s.retire()
	if s.stream != nil {
		s.stream.fail(why)
	}
}

// dial opens the way to a server, without TLS.
func (h *home) dial(ctx context.Context) (net.Conn, error) {
	if h.client.opt.Dial != nil {
		return h.client.opt.Dial(ctx, h.Address)
	}
	network := "udp"
	if h.TLS != nil {
		network = "tcp"
	}
	return new(net.Dialer).DialContext(ctx, network, h.Address)
}
