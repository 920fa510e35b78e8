package shim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
)

// Limits of a stream (RFC 6613 section 2.6, RFC 6614).
const (
	// StreamIdle is how long a stream may say nothing.
	StreamIdle = 10 * time.Minute
	// streamPacket is how long a packet may take to arrive once it began, and
	// how long a reply may take to leave.
	streamPacket = 10 * time.Second
	// streamReplies is one more than there are identifiers.
	streamReplies = 257
)

// streamSecret is what RFC 6614 section 2.3 has for a shared secret: TLS is
// what protects.
const streamSecret = "radsec"

// errStream ends a stream whose other side cannot be understood or trusted.
var errStream = errors.New("stream is closed for what came in on it")

// endpoint is where requests come from.
type endpoint interface {
	SetReadDeadline(time.Time) error
	Close() error
}

// ServeStream answers the requests that come in on one connection whose other
// side has proven that it holds a certificate (RFC 6614); certificate is what
// the configuration may call it by, the most exact first. It returns when the
// connection ends, which it closes: with nil if the other side ended it
// between two packets, [ErrServerClosed] after Shutdown. A certificate that
// stands at no client ends it at once. So does a wrong length or authenticator,
// since nothing behind it can be trusted, and with its next packet a
// configuration that no longer knows the certificate.
func (s *Server) ServeStream(c net.Conn, certificate []string) error {
	l := &loop{s: s, secrets: make(map[*client]*radius.Secret), cache: newReplyCache(streamReplies, 0)}
	l.stream = &stream{c: c, certificate: certificate, closing: s.isClosing, out: newOutgoing(c, func(answers uint64, err error) {
		s.count.dropped[sendFailed].Add(answers)
		s.log.Warn("answers cannot be sent", "to", c.RemoteAddr().String(), "answers", answers, "err", err)
	})}
	l.conn = l.stream
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		l.path.from = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	defer s.leave(l.stream)
	if l.clients = s.clients.Load(); l.find() == nil {
		l.drop(unknownClient, nil, l.unknown())
		return l.unknown()
	}
	return s.serve(l, l.stream)
}

// leave forgets a connection that has ended.
func (s *Server) leave(c endpoint) {
	s.mu.Lock()
	closing := s.closing
	if !closing { // else Shutdown closes it, once its logins are answered
		delete(s.conns, c)
	}
	s.mu.Unlock()
	if !closing {
		_ = c.Close() // it has ended
	}
}

// stream is a connection that carries packets one behind the other.
type stream struct {
	c           net.Conn
	out         *outgoing
	certificate []string
	broken      bool // what came in ends it
	why         drop // it was broken
	closing     func() bool
}

// read reads one packet. Its length is that of its header, so that what lies
// behind it stays in the connection.
func (s *stream) read(b []byte, _ *path) (int, error) {
	if err := s.c.SetReadDeadline(time.Now().Add(StreamIdle)); err != nil {
		return 0, err
	}
	if s.closing() { // Shutdown set its deadline before ours
		return 0, os.ErrDeadlineExceeded
	}
	if _, err := io.ReadFull(s.c, b[:1]); err != nil {
		return 0, err
	}
	if err := s.c.SetReadDeadline(time.Now().Add(streamPacket)); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(s.c, b[1:4]); err != nil {
		return 0, errors.Join(errStream, err)
	}
	n := int(binary.BigEndian.Uint16(b[2:4]))
	if n < radius.HeaderLength || n > radius.MaxLength {
		return 0, fmt.Errorf("%w: a packet of %d octets", errStream, n)
	}
	if _, err := io.ReadFull(s.c, b[4:n]); err != nil {
		return 0, errors.Join(errStream, err)
	}
	return n, nil
}

// write has one packet leave. It does not wait for that.
func (s *stream) write(b []byte, _ *path) error { return s.out.write(b) }

// SetReadDeadline ends a read.
func (s *stream) SetReadDeadline(t time.Time) error { return s.c.SetReadDeadline(t) }

// Close closes the connection, behind the answers that were given.
func (s *stream) Close() error { return s.out.close() }

// runStream serves a stream until it ends.
func (l *loop) runStream() error {
	for {
		n, err := l.stream.read(l.in[:], &l.path)
		switch {
		case l.s.isClosing():
			return ErrServerClosed
		case err != nil && l.stream.out.why() != nil:
			return l.stream.out.why()
		case errors.Is(err, io.EOF) && !errors.Is(err, errStream):
			return nil
		case errors.Is(err, errStream):
			l.drop(malformed, nil, err)
			return err
		case err != nil:
			return fmt.Errorf("stream cannot be read: %w", err)
		}
		l.s.count.received.Add(1)
		l.guard(l.in[:n])
		if l.stream.broken {
			return fmt.Errorf("%w: %s", errStream, l.stream.why)
		}
	}
}

// breaks tells whether a packet dropped for this ends the stream that it came
// in on.
func (d drop) breaks() bool {
	switch d {
	case unknownClient, malformed, wrongMessageAuthenticator, wrongRequestAuthenticator:
		return true
	}
	return false
}

// overTLS is a client as it is served over a stream: with the secret of
// RFC 6614 in the place of its own.
func (c *client) overTLS() *client {
	made := &client{Client: c.Client, primary: c.primary, who: c.who, relayer: c.relayer, seen: c.seen, inTLS: true}
	made.SharedSecret = secret.FromString(streamSecret)
	made.secrets.New = func() any { return radius.NewSecret([]byte(streamSecret)) }
	return made
}
