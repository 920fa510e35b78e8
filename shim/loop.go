package shim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"mfabridge/shim/config"
	"mfabridge/shim/observe"
	"mfabridge/shim/radius"
)

// maxReadFaults is how many reads may fail in a row before a socket is given
// up.
const maxReadFaults = 100

// logEvery is how often drops of one kind are logged by one loop; counters
// count them all.
const logEvery = time.Second

// job is a request on its way through a worker. Jobs are used over and over.
type job struct {
	loop   *loop
	client *client
	path   path
	ticket ticket // none with Status-Server
	at     time.Time
	packet []byte
	waited *leg // a login that nobody has answered in time: a code is asked for instead
}

// loop reads one socket. What it needs for a packet it has from the start.
type loop struct {
	s          *Server
	pc         net.PacketConn
	conn       conn
	stream     *stream // nil: datagrams
	cache      *replyCache
	clients    *clientTable // of the last packet
	accounting bool         // the port is for accounting
	secrets    map[*client]*radius.Secret
	path       path
	in         [radius.MaxLength + 1]byte
	out        [radius.MaxLength]byte
	logged     [drops]time.Time
}

func newLoop(s *Server, pc net.PacketConn) *loop {
	l := &loop{s: s, pc: pc, cache: newReplyCache(s.replies, s.replies), secrets: make(map[*client]*radius.Secret)}
	log := s.log.With("listen", pc.LocalAddr().String())
	var err error
	if l.conn, err = newConn(pc); err != nil {
		log.Warn("answers may leave from another address than was asked", "err", err)
	}
	if u, ok := pc.(*net.UDPConn); ok {
		if err := u.SetReadBuffer(ReceiveBuffer); err != nil {
			log.Warn("receive buffer cannot be set", "err", err)
		}
		granted, err := grantedBuffer(u)
		if err != nil {
			log.Warn("receive buffer is unknown", "err", err)
		}
		log.Info("listening", "receive_buffer_asked", ReceiveBuffer, "receive_buffer_kernel", granted)
	}
	return l
}

func (l *loop) run() error {
	for faults := 0; ; {
		n, err := l.conn.read(l.in[:], &l.path)
		switch {
		case err == nil:
			faults = 0
			l.s.count.received.Add(1)
			l.guard(l.in[:n])
		case l.s.isClosing():
			return ErrServerClosed
		case l.s.isRetired(l.pc):
			return ErrRetired
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("socket was closed: %w", err)
		default:
			if faults++; faults == maxReadFaults {
				return fmt.Errorf("socket cannot be read: %w", err)
			}
			l.drop(readFailed, nil, err)
		}
	}
}

// guard keeps a fault of ours from ending the program: it costs one datagram.
func (l *loop) guard(b []byte) {
	defer func() {
		if p := recover(); p != nil {
			l.s.count.panics.Add(1)
			l.s.log.Error("packet dropped by a fault in the program", "fault", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	l.packet(b)
}

// packet does with a datagram all that needs no waiting. Nothing that fails
// Message-Authenticator gets further than its check.
func (l *loop) packet(b []byte) {
	if t := l.s.clients.Load(); t != l.clients {
		l.clients = t
		clear(l.secrets)
	}
	c := l.find()
	if c == nil {
		l.drop(unknownClient, nil, l.unknown())
		return
	}
	p, err := radius.Parse(b)
	if err != nil {
		l.drop(malformed, c, err)
		return
	}
	if l.accounting || l.stream != nil && p.Code() == radius.AccountingRequest && l.s.options.Accountant != nil {
		l.account(p, c)
		return
	}
	if p.Code() != radius.AccessRequest && p.Code() != radius.StatusServer {
		l.drop(unexpectedCode, c, nil)
		return
	}
	secret := l.secret(c)
	switch why, err := l.judge(p, secret, c); {
	case why != drops:
		l.drop(why, c, err)
	case p.Code() == radius.StatusServer:
		l.status(p, secret, c)
	default:
		l.request(p, c)
	}
}

// find returns who a packet is from.
func (l *loop) find() *client {
	if l.stream != nil {
		return l.clients.holder(l.stream.certificate)
	}
	return l.clients.find(l.path.from.Addr())
}

// unknown is why a packet is nobody's, where its address does not say it all.
func (l *loop) unknown() error {
	if l.stream == nil {
		return nil
	}
	return fmt.Errorf("no client has the certificate %s", strings.Join(l.stream.certificate, ", "))
}

// judge counts whether a packet has the Message-Authenticator that its client
// must send, and says why it is dropped; drops: it is not. A client that is
// only observed may leave it out, but never of Status-Server (RFC 5997 section
// 3), with EAP (RFC 3579 section 3.1), or with Proxy-State: that is where an
// attacker hides what makes a forged answer fit (CVE-2024-3596).
func (l *loop) judge(p radius.Packet, secret *radius.Secret, c *client) (drop, error) {
	kind, why := observe.Signed, drops
	err := secret.VerifyRequest(p)
	switch {
	case err == nil:
	case !errors.Is(err, radius.ErrNoMessageAuthenticator):
		kind, why = observe.Wrong, wrongMessageAuthenticator
	case p.Code() == radius.StatusServer:
		return noMessageAuthenticator, err
	default:
		kind = observe.Unsigned
		_, eap := p.Lookup(radius.EAPMessage)
		_, proxied := p.Lookup(radius.ProxyState)
		switch {
		case eap > 0:
			kind, why = observe.UnsignedEAP, unsignedEAP
		case proxied > 0:
			kind, why = observe.UnsignedProxyState, unsignedProxyState
		}
		if l.stream != nil {
			if eap == 0 {
				why = drops // TLS has protected it
			}
			return why, err
		}
		if c.MessageAuthenticator != config.Observe {
			why = noMessageAuthenticator
		}
	}
	if p.Code() == radius.AccessRequest {
		c.seen.Add(kind, l.path.from.Addr(), l.s.now())
	}
	return why, err
}

// secret returns the loop's own hash states of a client.
func (l *loop) secret(c *client) *radius.Secret {
	s := l.secrets[c]
	if s == nil {
		s = radius.NewSecret(c.SharedSecret.Reveal())
		l.secrets[c] = s
	}
	return s
}

// status answers Status-Server (RFC 5997 section 4.2). Unless engine and primary
// have just been found there a worker finds out first: who asks is to fail over.
func (l *loop) status(p radius.Packet, secret *radius.Secret, c *client) {
	if now := l.s.now(); l.s.away.Load() || !c.isReady(now) {
		if !l.hand(p, c, ticket{}, now) {
			l.drop(overload, c, nil)
		}
		return
	}
	b, err := statusReply(l.out[:0], p, secret)
	if err != nil {
		l.drop(malformed, c, err)
		return
	}
	if err := l.conn.write(b, &l.path); err != nil {
		l.drop(sendFailed, c, err)
		return
	}
	l.s.count.statusServer.Add(1)
}

// statusReply builds the answer to Status-Server in out.
func statusReply(out []byte, p radius.Packet, secret *radius.Secret) ([]byte, error) {
	w := radius.NewReply(out, radius.AccessAccept, p)
	w.AddProxyStates(p)
	return secret.SealReply(&w, p)
}

// request answers a retransmission, or hands a fresh request to the workers.
func (l *loop) request(p radius.Packet, c *client) {
	now := l.s.now()
	kind, reply, ticket := l.cache.begin(source{from: l.path.from, identifier: p.Identifier()}, p.Bytes(), now)
	switch kind {
	case working:
		l.s.count.inFlight.Add(1)
		return
	case answered:
		if err := l.conn.write(reply, &l.path); err != nil {
			l.drop(sendFailed, c, err)
			return
		}
		l.s.count.repeated.Add(1)
		return
	}
	if !l.hand(p, c, ticket, now) {
		l.cache.forget(ticket)
		l.drop(overload, c, nil)
	}
}

// hand gives a packet to the workers, unless they have all that they may have.
func (l *loop) hand(p radius.Packet, c *client, t ticket, now time.Time) bool {
	select {
	case j := <-l.s.free:
		j.loop, j.client, j.path, j.ticket, j.at = l, c, l.path, t, now
		j.packet = append(j.packet[:0], p.Bytes()...)
		if l.stream == nil && l.s.settler != nil && c.mayShare(p) {
			l.s.desk <- j
		} else {
			l.s.queue <- j
		}
		return true
	default:
		return false
	}
}

// drop counts a datagram that goes no further, and logs it if none of its kind
// was logged lately: a flood must not become a flood of log lines.
func (l *loop) drop(d drop, c *client, cause error) {
	if l.stream != nil && d.breaks() {
		l.stream.broken, l.stream.why = true, d
	}
	total := l.s.count.dropped[d].Add(1)
	now := l.s.now()
	if now.Sub(l.logged[d]) < logEvery {
		return
	}
	l.logged[d] = now
	attributes := []slog.Attr{slog.String("reason", d.String()), slog.String("from", l.path.from.String()), slog.Uint64("total", total)}
	if c != nil {
		attributes = append(attributes, slog.String("client", c.Name))
	}
	if cause != nil {
		attributes = append(attributes, slog.Any("err", cause))
	}
	l.s.log.LogAttrs(context.Background(), slog.LevelWarn, "packet dropped", attributes...)
}
