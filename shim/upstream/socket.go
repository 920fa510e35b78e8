package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"mfabridge/internal/sleep"
	"mfabridge/shim/radius"
)

// identifiers of one socket: an Identifier is one octet.
const identifiers = 256

// call is one request on its way.
type call struct {
	identifier    byte
	authenticator [16]byte
	reply         chan Reply // room for the one answer that counts
	sign          bool       // nobody waits for the answer: it tells whether the connection lives

	mu     sync.Mutex
	packet radius.Packet
	sent   bool  // packet is what goes out; before that no answer can be one
	wrong  error // why an answer that came did not count; nil: none came

	answered, given bool // an authentic answer came; nobody waits for one any more. The socket's mu guards both
}

func (w *call) ready(p radius.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packet, w.sent = p, true
}

// refuse notes why an answer did not count.
func (w *call) refuse(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = why
}

// refused is why the latest answer did not count; nil: none came.
func (w *call) refused() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wrong
}

func (w *call) request() (radius.Packet, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.packet, w.sent
}

// socket is one source port with its 256 identifiers.
type socket struct {
	conn   net.Conn
	stream *streamConn // conn, where it is one over TLS; else nil

	mu      sync.Mutex
	calls   [identifiers]*call
	used    int  // calls that wait, signs of life not counted
	late    int  // calls that were given up, and whose answers may still come; on streams alone
	next    byte // the identifier used longest ago, if it is free
	retired bool // takes no more calls, and is closed with the last
}

// reserve takes a free identifier of any socket, opening another one if all
// are taken. How many that are is bounded by the tokens of home.free.
func (h *home) reserve(ctx context.Context, w *call) (*socket, error) {
	if s, err := h.open(w); s != nil || err != nil {
		return s, err
	}
	if h.TLS != nil {
		return h.reserveStream(ctx, w)
	}
	conn, err := h.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached: %w", h.Address, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s, err := h.vacant(w); s != nil || err != nil {
		_ = conn.Close() // who asked at the same moment has opened one, or there is nothing to ask any more
		return s, err
	}
	s := &socket{conn: conn}
	s.take(w)
	h.sockets = append(slices.DeleteFunc(h.sockets, (*socket).isRetired), s)
	h.beside.Go(func() { h.read(s) })
	return s, nil
}

// open takes a free identifier of a socket that is open; nil: there is none.
func (h *home) open(w *call) (*socket, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.vacant(w)
}

// vacant is open for who holds mu.
func (h *home) vacant(w *call) (*socket, error) {
	if h.closed() {
		return nil, h.gone()
	}
	for _, s := range h.sockets {
		if s.take(w) {
			return s, nil
		}
	}
	return nil, nil
}

func (h *home) gone() error {
	return fmt.Errorf("%s is not asked any more: %w", h.Address, net.ErrClosed)
}

// take gives a call the free identifier that was used longest ago. A socket that
// has none since too many of its calls were given up is left for another one.
func (s *socket) take(w *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired || s.isLost() {
		return false
	}
	if s.used+s.late >= s.most() {
		s.retired = s.late > 0
		s.closeIdle()
		return false
	}
	s.give(w)
	s.used++
	return true
}

// most is how many identifiers logins may have. On a stream they leave one for
// signs of life (RFC 6613), or those that wait would hide whether it lives.
func (s *socket) most() int {
	if s.stream != nil {
		return identifiers - 1
	}
	return identifiers
}

// takeSign is take for a sign of life, which one that is retired gives as well:
// those that it still has would wait in vain as long.
func (s *socket) takeSign(w *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isLost() || s.used+s.late == identifiers {
		return false
	}
	s.give(w)
	return true
}

// give is for who knows that an identifier is free.
func (s *socket) give(w *call) {
	for s.calls[s.next] != nil {
		s.next++
	}
	w.identifier = s.next
	s.calls[s.next] = w
	s.next++
}

// release gives an identifier back. On a stream that of a request without an
// answer stays taken: where the answer comes after all it must meet nobody else,
// since one that is not authentic ends the connection.
func (s *socket) release(w *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !w.sign {
		s.used--
	}
	if _, sent := w.request(); s.stream != nil && sent && !w.answered {
		w.given = true
		s.late++
	} else {
		s.calls[w.identifier] = nil
	}
	s.closeIdle()
}

// settle notes an authentic answer, and tells whether it is the first one and not
// too late.
func (s *socket) settle(w *call) (wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted = !w.answered && !w.given
	w.answered = true
	if w.given {
		w.given = false
		s.late--
		s.calls[w.identifier] = nil
	}
	return wanted
}

// retire leaves the socket to the calls that it has.
func (s *socket) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = true
	s.closeIdle()
}

func (s *socket) isRetired() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.retired
}

// closeIdle closes a socket on which nothing is waited for. One over TLS tells the
// other side first, for seconds if that takes nothing: mu is not held for it.
func (s *socket) closeIdle() {
	switch {
	case !s.retired || s.used > 0:
	case s.stream == nil:
		_ = s.conn.Close() // nothing is lost with it
	default:
		go func() { _ = s.conn.Close() }() // as above; its reader ends with it
	}
}

func (s *socket) waiting(identifier byte) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[identifier]
}

// faultPause is how long a socket is left alone after a read that failed: most
// errors come once, and none may keep a processor busy.
const faultPause = time.Millisecond

// unreached is what a system says of a datagram that does not get where it should.
var unreached = []error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN,
	syscall.EACCES, syscall.EPERM, syscall.ENOPROTOOPT}

// ofSystem tells whether an error of a read is the system's own, and not that
// the socket is closed.
func ofSystem(err error) bool {
	_, ok := errors.AsType[syscall.Errno](err)
	return ok && !errors.Is(err, net.ErrClosed)
}

// read takes answers until the socket is closed.
func (h *home) read(s *socket) {
	key := radius.NewSecret(h.Secret.Reveal())
	buf := make([]byte, radius.MaxLength+1)
	for {
		n, err := s.conn.Read(buf)
		switch {
		case s.stream == nil && ofSystem(err): // as what ICMP says
			h.cameBack(err)
			if !errors.Is(err, syscall.ECONNREFUSED) { // of which there is one for each datagram sent
				_ = sleep.For(h.client.ctx, faultPause) // once the client is closed the socket is, and says so
			}
			continue
		case err != nil:
			h.ended(s, err)
			return
		}
		err = h.accept(s, key, append([]byte(nil), buf[:n]...))
		if err != nil {
			h.dropped.Add(1)
		}
		if s.stream != nil && errors.Is(err, errForged) {
			h.ended(s, errors.Join(errStream, err))
			return
		}
	}
}

// What an answer is not counted for.
var (
	errForged   = errors.New("answer is no RADIUS, or not authentic")
	errUnwanted = errors.New("nobody waits for the answer")
)

// Why a server counts for nothing although there is one.
var (
	errForeign   = errors.New("its answers are not authentic: the shared secret differs on the two sides, or somebody else answers")
	errUnsigned  = errors.New("its answers have no Message-Authenticator: message_authenticator: require takes none without, and EAP never goes without")
	errProxied   = errors.New("its answers have a Proxy-State, which no request had, and no Message-Authenticator, as forged ones have")
	errUntrusted = errors.New("it is not trusted, or trusts us not")
)

// Unsigned tells whether an error of [Client.Exchange] is that of a server whose
// answers do not count for want of Message-Authenticator alone.
func Unsigned(err error) bool { return errors.Is(err, errUnsigned) }

// Refused tells whether an error of [Client.Check] or [Client.Exchange] is that
// of a server which is there, and with which nothing can be had as it is
// configured on the two sides: another secret, another certificate, no
// Message-Authenticator. Else it may just be away.
func Refused(err error) bool {
	for _, why := range []error{errForeign, errUnsigned, errProxied, errUntrusted, errForged} {
		if errors.Is(err, why) {
			return true
		}
	}
	return mistrusts(err)
}

// accept hands an authentic answer to who waits for it, or says with
// errForged or errUnwanted why not.
func (h *home) accept(s *socket, key *radius.Secret, datagram []byte) error {
	p, err := radius.Parse(datagram)
	if err != nil {
		return errors.Join(errForged, err)
	}
	switch p.Code() {
	case radius.AccessAccept, radius.AccessReject, radius.AccessChallenge, radius.AccountingResponse:
	default:
		return errUnwanted
	}
	w := s.waiting(p.Identifier())
	if w == nil {
		return errUnwanted
	}
	request, sent := w.request()
	if !sent {
		return errUnwanted
	}
	accounting := request.Code() == radius.AccountingRequest
	if accounting != (p.Code() == radius.AccountingResponse) && request.Code() != radius.StatusServer {
		return errUnwanted
	}
	err = key.VerifyReply(p, request)
	signed := err == nil
	if p.Code() == radius.AccountingResponse && errors.Is(err, radius.ErrNoMessageAuthenticator) {
		signed, err = true, nil // accounting has none: what it says opens nothing
	}
	if errors.Is(err, radius.ErrNoMessageAuthenticator) && h.Observe {
		err = h.bare(p) // VerifyReply looks at the Response Authenticator first
	}
	switch {
	case errors.Is(err, errProxied):
		w.refuse(err)
		return errUnwanted
	case errors.Is(err, radius.ErrNoMessageAuthenticator):
		w.refuse(errUnsigned)
		return errUnwanted // of a server that should have put one in
	case err != nil:
		w.refuse(errForeign)
		return errors.Join(errForged, err)
	}
	if !s.settle(w) {
		return errUnwanted
	}
	h.count(signed) // before whoever waits goes on and looks
	w.reply <- Reply{Packet: p, Server: h.Address, Signed: signed, request: w.authenticator, secret: h.Secret}
	if s.stream != nil {
		s.stream.mark()
	}
	return nil
}

// bare says why an answer without Message-Authenticator counts for nothing
// although such answers count here; nil: it does. EAP never goes without (RFC
// 3579 section 3.2). And an answer only copies each Proxy-State of its request,
// of which ours have none: one that comes all the same is how somebody on the way
// had the server answer with the octets that their forgery needs (CVE-2024-3596).
// Over TLS nobody is on the way.
func (h *home) bare(p radius.Packet) error {
	if _, eap := p.Lookup(radius.EAPMessage); eap > 0 {
		return radius.ErrNoMessageAuthenticator
	}
	if _, proxied := p.Lookup(radius.ProxyState); proxied > 0 && h.TLS == nil {
		return errProxied
	}
	return nil
}
