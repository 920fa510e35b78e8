package upstream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/sleep"
	"mfabridge/shim/radius"
)

// home is a server with its sockets and what is known of its health.
type home struct {
	Home
	client  *Client
	secrets sync.Pool     // of *radius.Secret
	free    chan struct{} // a token for each identifier that may be in use by logins

	mu      sync.Mutex
	sockets []*socket
	line    line
	down    bool
	last    time.Time     // of the last authentic answer
	lost    bool          // a request was given up since then
	refused time.Time     // when it was last said that no datagram gets there
	trial   time.Time     // when the next login may find out whether it is back; NoStatus only
	fell    chan struct{} // closed when it is found dead while logins wait for it
	beside  sync.WaitGroup

	sent, answered, unsigned, given, dropped atomic.Int64
}

func newHome(c *Client, h Home) *home {
	most := c.opt.Sockets * identifiers
	if h.TLS != nil {
		most = identifiers - 1 // of the one connection: see socket.most
	}
	out := &home{Home: h, client: c, free: make(chan struct{}, most), line: line{turn: make(chan struct{}, 1)}, fell: make(chan struct{})}
	out.secrets.New = func() any { return radius.NewSecret(h.Secret.Reveal()) }
	if c.opt.Vigil > 0 && h.TLS == nil && !h.NoStatus {
		out.beside.Go(out.keepVigil)
	}
	return out
}

// health is what is known of a server.
type health byte

const (
	unknown health = iota // it has answered nothing yet
	up
	down
)

func (h *home) health() health {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed() || h.down && !h.onTrial():
		return down
	case h.last.IsZero() && !h.NoStatus:
		return unknown
	}
	return up
}

// meet asks a server for the first time; one that does not answer is down, unless
// it could not be asked.
func (h *home) meet(ctx context.Context) error {
	start := h.client.opt.Now()
	_, err := h.exchange(ctx, h.client.opt.soon(), radius.StatusServer, Request{})
	if err != nil && !errors.Is(err, errBusy) && ctx.Err() == nil {
		h.missed(ctx, start)
	}
	return err
}

// closed tells whether the client has been closed. Who holds mu, and is told no,
// may leave behind what close will end.
func (h *home) closed() bool { return h.client.ctx.Err() != nil }

func (h *home) isDown() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.down && !h.onTrial()
}

// onTrial tells whether one that is down may be asked all the same, to find out
// whether it is back. The caller holds mu.
func (h *home) onTrial() bool { return h.NoStatus && !h.client.opt.Now().Before(h.trial) }

// leftAlone tells whether a login goes to others first. Of one that is down and
// cannot be asked by Status-Server a login finds out from time to time whether
// it is back: one, since that one may wait in vain, and none that asks another
// first.
func (h *home) leftAlone(another bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.down:
		return false
	case another || !h.onTrial():
		return true
	}
	h.trial = h.client.opt.Now().Add(h.client.opt.Patience + h.client.opt.Revive)
	h.client.opt.Log.Info("RADIUS server is tried again", "server", h.Address)
	return false
}

// doubt is [Client.Doubt].
func (h *home) doubt(since time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.lost:
		return &cloud.Error{Kind: cloud.Unavailable, Message: fmt.Sprintf("the RADIUS server %s has answered nothing since a request to it was given up", h.Address)}
	case !h.refused.IsZero() && !h.refused.Before(since):
		return &cloud.Error{Kind: cloud.Unavailable, Message: fmt.Sprintf("no datagram gets to the RADIUS server %s: nobody listens there, or there is no way", h.Address)}
	}
	return nil
}

// cameBack notes that a datagram did not get there, as ICMP says or our own
// system: nobody listens, no way leads there, or a firewall is on it. Anybody can
// send ICMP: it ends no login, but it is no sign of life either.
func (h *home) cameBack(err error) {
	if !slices.ContainsFunc(unreached, func(why error) bool { return errors.Is(err, why) }) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = h.client.opt.Now()
}

// count adds an authentic answer.
func (h *home) count(signed bool) {
	h.answered.Add(1)
	if !signed {
		h.unsigned.Add(1)
	}
}

// errBusy is that a server was not asked, since too many wait for it: that says
// nothing of the server.
var errBusy = errors.New("all identifiers are in use")

// exchange sends one request until it is answered or patience is over. A server
// whose other answers count without Message-Authenticator is there also if it
// gave one that does not, as of EAP.
func (h *home) exchange(ctx context.Context, patience time.Duration, code radius.Code, r Request) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if h.TLS != nil || code != radius.StatusServer { // else it gets a socket more, if need be: logins that wait must not hide whether the server lives
		select {
		case h.free <- struct{}{}:
			defer func() { <-h.free }()
		case <-ctx.Done():
			return Reply{}, fmt.Errorf("%s: %w: %w", h.Address, errBusy, ctx.Err())
		}
	}
	start := h.client.opt.Now()
	w := &call{reply: make(chan Reply, 1)}
	s, err := h.reserve(ctx, w)
	if err != nil {
		h.missed(ctx, start)
		return Reply{}, err
	}
	defer s.release(w)
	if err := h.build(w, code, r); err != nil {
		return Reply{}, err
	}
	reply, err := h.await(ctx, s, w)
	switch {
	case err == nil:
		h.heard()
	case code != radius.StatusServer && !(h.Observe && errors.Is(err, errUnsigned)):
		h.missed(ctx, start)
	}
	return reply, err
}

// build makes the datagram of a call that has its identifier.
func (h *home) build(w *call, code radius.Code, r Request) error {
	if _, err := rand.Read(w.authenticator[:]); err != nil {
		return err
	}
	key := h.secrets.Get().(*radius.Secret)
	defer h.secrets.Put(key)
	b := radius.NewRequest(make([]byte, 0, radius.MaxLength), code, w.identifier, w.authenticator)
	seal := key.SealRequest
	if code == radius.AccountingRequest {
		b, seal = radius.NewAccountingRequest(make([]byte, 0, radius.MaxLength), w.identifier), key.SealAccountingRequest
	}
	for _, a := range r.Attributes {
		if a.Type == radius.MessageAuthenticator || a.Type == radius.UserPassword {
			return &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("attribute %d is made by the client itself", a.Type)}
		}
		b.Add(a.Type, a.Value)
	}
	if !r.Password.IsZero() {
		b.AddPassword(key, r.Password.Reveal())
	}
	datagram, err := seal(&b)
	if err != nil {
		return &cloud.Error{Kind: cloud.Invalid, Message: "the request to the RADIUS server cannot be built", Err: err}
	}
	packet, err := radius.Parse(datagram)
	if err != nil {
		return &cloud.Error{Kind: cloud.Invalid, Message: "the request to the RADIUS server cannot be built", Err: err}
	}
	w.ready(packet)
	return nil
}

// await sends and sends again until there is an answer. Status-Server is sent
// once (RFC 5997 section 4.2), and so is everything over TLS, where what was
// sent arrives, or the connection ends (RFC 6613 section 2.6.3).
func (h *home) await(ctx context.Context, s *socket, w *call) (Reply, error) {
	pause := h.client.opt.First
	var broken error
	fell := h.fallen()
	for {
		h.sent.Add(1)
		if _, err := s.conn.Write(w.packet.Bytes()); err != nil {
			broken = err // over UDP a refusal that came back; the next copy may get through
			if s.stream == nil {
				h.cameBack(err)
			}
		}
		wait := time.NewTimer(jitter(pause))
		if w.packet.Code() == radius.StatusServer || s.stream != nil {
			wait.Stop()
		}
		var why error
		select {
		case reply := <-w.reply:
			wait.Stop()
			return reply, nil
		case <-wait.C:
			pause = min(2*pause, maxWait)
			continue
		case <-fell:
			why = fmt.Errorf("%s does not live: it answers no Status-Server while logins wait for it", h.Address)
		case <-ctx.Done():
			if why = w.refused(); why != nil {
				why = fmt.Errorf("%s: %w", h.Address, why)
			} else {
				why = fmt.Errorf("%s does not answer: %w", h.Address, errors.Join(ctx.Err(), broken))
			}
		case <-s.lost():
			why = fmt.Errorf("%s: %w", h.Address, s.stream.err())
		case <-h.client.ctx.Done():
			why = h.gone()
		}
		wait.Stop()
		select {
		case reply := <-w.reply: // it came before the end, or with it
			return reply, nil
		default:
		}
		if !h.closed() {
			h.given.Add(1)
		}
		return Reply{}, why
	}
}

// jitter spreads copies of many clients: RAND of RFC 5080 section 2.2.1, from
// -0.1 to +0.1.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((mathrand.Float64()-0.5)*0.2*float64(d))
}

// heard notes an authentic answer.
func (h *home) heard() {
	h.mu.Lock()
	was := h.down
	h.down, h.last = false, h.client.opt.Now()
	h.lost, h.refused = false, time.Time{}
	h.line.tries, h.line.before = 0, time.Time{}
	h.mu.Unlock()
	if was {
		h.client.opt.Log.Info("RADIUS server answers again", "server", h.Address)
	}
}

// missed notes a request of start that was given up: unless others had an
// answer meanwhile the server is down now, and asked whether it is back. Its
// sockets are left behind: its name may lead to another address by then. A
// caller that has left (ctx), or closed the client, says nothing of a server.
func (h *home) missed(ctx context.Context, start time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !errors.Is(ctx.Err(), context.Canceled) {
		h.miss(start)
	}
}

// miss is missed, for who holds mu.
func (h *home) miss(start time.Time) {
	if h.closed() || h.last.After(start) {
		return
	}
	h.lost = true
	h.trial = h.client.opt.Now().Add(h.client.opt.Revive)
	if h.down {
		return
	}
	h.down = true
	for _, s := range h.sockets {
		s.retire()
	}
	h.sockets = nil
	h.client.opt.Log.Warn("RADIUS server does not answer", "server", h.Address)
	if !h.NoStatus {
		h.beside.Go(h.probe)
	}
}

// probe asks a server that is down until it answers, or until a login did get
// an answer.
func (h *home) probe() {
	o := h.client.opt
	for {
		if sleep.For(h.client.ctx, jitter(o.Probe)) != nil {
			return
		}
		if !h.isDown() {
			return
		}
		if _, err := h.exchange(h.client.ctx, o.soon(), radius.StatusServer, Request{}); err == nil {
			return
		}
	}
}

// close shuts the sockets and waits for their readers; the client's context has
// ended before.
func (h *home) close() {
	h.mu.Lock()
	for _, s := range h.sockets {
		s.retire()
	}
	h.sockets = nil
	h.mu.Unlock()
	h.beside.Wait()
}
