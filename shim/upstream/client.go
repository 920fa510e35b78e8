package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
)

// Defaults of Options.
const (
	DefaultPatience = 4 * time.Second
	DefaultFirst    = 1 * time.Second
	DefaultProbe    = 10 * time.Second
	DefaultRevive   = 30 * time.Second
	DefaultSockets  = 16
)

// maxWait is the longest pause between two copies of a request: MRT of RFC
// 5080 section 2.2.1.
const maxWait = 16 * time.Second

// Home is one server to ask.
type Home struct {
	Address string       // host:port
	Secret  secret.Bytes // shared secret
	Observe bool         // takes answers without Message-Authenticator, and counts them

	// NoStatus says that it answers no Status-Server, as Network Policy Server:
	// what is known of it comes from logins alone.
	NoStatus bool

	// TLS makes it RADIUS over TLS (RFC 6614), with whom to trust and who we
	// are; nil: UDP. Secret may be zero then, which is the "radsec" of the RFC.
	TLS *tls.Config
}

// Options are what a Client is made of.
type Options struct {
	Homes []Home // in the order in which they are asked; at least one
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now

	Patience time.Duration // how long one server is waited for; 0: DefaultPatience
	First    time.Duration // until the first retransmission; 0: DefaultFirst
	Probe    time.Duration // between two Status-Server to one that is down; 0: DefaultProbe
	Revive   time.Duration // after which one that is down, and answers no Status-Server, is tried by a login again; 0: DefaultRevive
	Vigil    time.Duration // how long a login over UDP may wait before its server is asked whether it lives; 0: it is not asked
	Sockets  int           // most sockets a server, over TLS always one; 0: DefaultSockets
	Watchdog time.Duration // how long a connection over TLS may say nothing before it is asked; 0: DefaultWatchdog

	// Dial opens a socket to a server, without TLS; nil: UDP or TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// Client asks servers. All methods may be called concurrently.
type Client struct {
	homes []*home
	opt   Options
	ctx   context.Context // of what runs beside the calls
	stop  context.CancelFunc
}

// New makes a Client; it opens nothing yet.
func New(o Options) (*Client, error) {
	if len(o.Homes) == 0 {
		return nil, hint.New("there is no RADIUS server to ask", "name at least one under servers")
	}
	o.fill()
	ctx, stop := context.WithCancel(context.Background())
	c := &Client{opt: o, ctx: ctx, stop: stop}
	seen := make(map[string]bool)
	for _, h := range o.Homes {
		if h.TLS != nil && h.Secret.IsZero() {
			h.Secret = secret.FromString(streamSecret)
		}
		_, port, err := net.SplitHostPort(h.Address)
		switch {
		case err != nil || port == "":
			stop()
			return nil, hint.New(fmt.Sprintf("%q is no address of a RADIUS server", h.Address), "write host:port, e.g. 10.0.0.5:1812")
		case seen[h.Address]:
			stop()
			return nil, hint.New(fmt.Sprintf("the RADIUS server %s is named twice", h.Address), "asked twice, a mistyped password would count twice")
		case h.Secret.IsZero():
			stop()
			return nil, hint.New(fmt.Sprintf("the RADIUS server %s has no shared secret", h.Address), "write secret: file:PATH or env:NAME")
		}
		seen[h.Address] = true
		c.homes = append(c.homes, newHome(c, h))
	}
	return c, nil
}

// soon is how long a Status-Server is waited for, which asks no person.
func (o *Options) soon() time.Duration { return min(o.Patience, DefaultPatience) }

func (o *Options) fill() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.First <= 0 {
		o.First = DefaultFirst
	}
	if o.Probe <= 0 {
		o.Probe = DefaultProbe
	}
	if o.Revive <= 0 {
		o.Revive = DefaultRevive
	}
	if o.Sockets <= 0 {
		o.Sockets = DefaultSockets
	}
	if o.Watchdog <= 0 {
		o.Watchdog = DefaultWatchdog
	}
}

// Attribute is one attribute of a request.
type Attribute struct {
	Type  radius.Type
	Value []byte
}

// Request is an Access-Request as its sender means it. Identifier,
// Authenticator, Message-Authenticator and the hiding of the password are made
// for each server anew.
type Request struct {
	Password   secret.Bytes // User-Password; zero: none
	Attributes []Attribute  // in this order; none of type User-Password or Message-Authenticator

	// Server is the only one to ask, because a State of its own is among the
	// attributes; empty: whichever answers first in their order.
	Server string

	// Asking is told each server that is asked, before it is; nil: nobody is.
	Asking func(server string)
}

// Reply is an authentic answer.
type Reply struct {
	Packet  radius.Packet // Access-Accept, Access-Reject or Access-Challenge
	Server  string        // address of the server that gave it
	Signed  bool          // it had a Message-Authenticator
	request [16]byte      // Authenticator of the request
	secret  secret.Bytes
}

// Authenticator is that of the request which this is the answer to: salted
// attributes of the reply are hidden under it.
func (r Reply) Authenticator() [16]byte { return r.request }

// Secret is shared with the server that answered.
func (r Reply) Secret() secret.Bytes { return r.secret }

// Exchange asks the servers until one answers. The error is a *[cloud.Error]:
// Unavailable if none answered in time, Invalid if the request cannot be
// built, e.g. of a password over 128 octets; or that of ctx.
func (c *Client) Exchange(ctx context.Context, r Request) (Reply, error) {
	return c.send(ctx, radius.AccessRequest, r)
}

func (c *Client) send(ctx context.Context, code radius.Code, r Request) (Reply, error) {
	homes, err := c.candidates(r.Server)
	if err != nil {
		return Reply{}, err
	}
	var causes []error
	for _, h := range homes {
		if r.Asking != nil {
			r.Asking(h.Address)
		}
		reply, err := h.exchange(ctx, c.opt.Patience, code, r)
		switch {
		case err == nil:
			return reply, nil
		case cloud.KindOf(err) == cloud.Invalid:
			return Reply{}, err
		case ctx.Err() != nil:
			return Reply{}, ctx.Err()
		}
		causes = append(causes, err)
	}
	return Reply{}, &cloud.Error{Kind: cloud.Unavailable, Message: "no RADIUS server answered", Err: errors.Join(causes...)}
}

// Account sends an Accounting-Request to the servers until one has taken it.
// Errors as [Client.Exchange].
func (c *Client) Account(ctx context.Context, attributes []Attribute) error {
	_, err := c.send(ctx, radius.AccountingRequest, Request{Attributes: attributes})
	return err
}

// candidates are the servers to ask: those that are up in their order, then
// the others, whose turn comes only if nobody else answers.
func (c *Client) candidates(only string) ([]*home, error) {
	var up, down []*home
	for _, h := range c.homes {
		switch {
		case only != "" && h.Address != only:
		case h.leftAlone(len(up) > 0):
			down = append(down, h)
		default:
			up = append(up, h)
		}
	}
	if len(up)+len(down) == 0 {
		return nil, &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("the RADIUS server %s is not configured", only)}
	}
	return append(up, down...), nil
}

// Check asks every server that answers Status-Server, all at once, and returns
// what went wrong with each, by address; nil: it answered.
func (c *Client) Check(ctx context.Context) map[string]error {
	out := make(map[string]error, len(c.homes))
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, h := range c.homes {
		if h.NoStatus {
			continue
		}
		all.Go(func() {
			_, err := h.exchange(ctx, c.opt.soon(), radius.StatusServer, Request{})
			mu.Lock()
			defer mu.Unlock()
			out[h.Address] = err
		})
	}
	all.Wait()
	return out
}

// Ready tells whether a login would find a server: it returns nil where one is up.
// Of one that has never answered anything that is not known; it is asked, and down
// if it does not answer. The error is a *[cloud.Error] of kind Unavailable.
func (c *Client) Ready(ctx context.Context) error {
	unheard := 0
	found := make(chan error, len(c.homes))
	for _, h := range c.homes {
		switch h.health() {
		case up:
			return nil
		case unknown:
			unheard++
			go func() { found <- h.meet(ctx) }() // ends with the patience for one server at the latest
		}
	}
	var causes []error
	for range unheard {
		err := <-found
		if err == nil {
			return nil
		}
		causes = append(causes, err)
	}
	return &cloud.Error{Kind: cloud.Unavailable, Message: "no RADIUS server answers", Err: errors.Join(causes...)}
}

// Doubt says why a login that one server was asked about at some time, and that
// has no answer, may have been lost with it: it does not live, for all that is
// known. nil: nothing is known against it, as of one that has answered somebody
// since. Doubt asks nobody.
func (c *Client) Doubt(server string, since time.Time) error {
	for _, h := range c.homes {
		if h.Address == server {
			return h.doubt(since)
		}
	}
	return nil
}

// Counters of one server, since the start.
type Counters struct {
	Address  string
	Down     bool
	Sent     int64 // datagrams, copies included
	Answered int64 // requests with an authentic answer
	Unsigned int64 // of these, without Message-Authenticator
	Lost     int64 // requests given up
	Dropped  int64 // answers that were not authentic, late, or no RADIUS
}

// Counters returns what has happened, in the order of the servers.
func (c *Client) Counters() []Counters {
	out := make([]Counters, 0, len(c.homes))
	for _, h := range c.homes {
		out = append(out, Counters{Address: h.Address, Down: h.isDown(), Sent: h.sent.Load(), Answered: h.answered.Load(),
			Unsigned: h.unsigned.Load(), Lost: h.given.Load(), Dropped: h.dropped.Load()})
	}
	return out
}

// Close ends what runs beside the calls and closes all sockets. Calls that
// wait return an error.
func (c *Client) Close() {
	c.stop()
	for _, h := range c.homes {
		h.close()
	}
}
