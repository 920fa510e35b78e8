package smpp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/secret"
	"mfabridge/internal/sleep"
)

// Config is how a centre is reached.
type Config struct {
	// Dial opens a connection, with TLS where that is wanted.
	Dial func(ctx context.Context) (net.Conn, error)

	SystemID   string       // up to 15 octets
	Password   secret.Bytes // up to 8 octets
	SystemType string       // up to 12 octets, often empty
	Source     string       // who the message is from, see docs/delivery.md
	Alphabet   Alphabet     // default [GSM]
	IDs        IDs          // how receipts name messages; default [SameIDs]

	Window  int           // messages without an answer at once; default 10
	Timeout time.Duration // of a bind, of writing, and of an answer; default 5 s
	Enquire time.Duration // silence before a sign of life is asked for; default 30 s

	Log *slog.Logger
}

// Bounds of a configuration.
const (
	defaultWindow  = 10
	maxWindow      = 1000
	defaultTimeout = 5 * time.Second
	defaultEnquire = 30 * time.Second
)

// Waits before the next try.
const (
	firstWait = 500 * time.Millisecond // after a lost connection; doubles
	maxWait   = 30 * time.Second
	busyWait  = 250 * time.Millisecond // after ESME_RTHROTTLED; doubles
)

// IDs says how the receipts of a centre name a message.
type IDs string

// IDs.
const (
	SameIDs    IDs = "same"    // as the answer to it did
	DecimalIDs IDs = "decimal" // in decimal, where the answer had hexadecimal
)

// Check completes the configuration and says what is wrong with it.
func (c *Config) Check() error {
	if c.Window == 0 {
		c.Window = defaultWindow
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Enquire == 0 {
		c.Enquire = defaultEnquire
	}
	if c.Alphabet == "" {
		c.Alphabet = GSM
	}
	if c.IDs == "" {
		c.IDs = SameIDs
	}
	switch {
	case c.SystemID == "" || len(c.SystemID) > maxSystemID:
		return fmt.Errorf("system_id has 1 to %d characters", maxSystemID)
	case c.Password.Len() > maxPassword:
		return fmt.Errorf("the password has more than %d characters, which this protocol cannot carry", maxPassword)
	case len(c.SystemType) > maxSystemType:
		return fmt.Errorf("system_type has more than %d characters", maxSystemType)
	case c.Window < 1 || c.Window > maxWindow:
		return fmt.Errorf("window is 1 to %d", maxWindow)
	case c.Alphabet != GSM && c.Alphabet != Latin1 && c.Alphabet != UCS2:
		return errors.New("alphabet is gsm, latin1 or ucs2")
	case c.IDs != SameIDs && c.IDs != DecimalIDs:
		return errors.New("message_ids is same or decimal")
	}
	_, err := parseSource(c.Source)
	return err
}

// Client is a connection to a message centre that is kept up. Its methods may
// be called at once from many goroutines.
type Client struct {
	conf   Config
	source address
	window chan struct{} // a place for each message without an answer

	ctx  context.Context // of the client's life
	stop context.CancelFunc
	done chan struct{} // closed once the last connection is closed
	tell atomic.Pointer[func(carrier.Receipt)]

	mu        sync.Mutex
	current   *session
	cause     error         // of the last connection's end, or of there being none
	bound     chan struct{} // closed while current is there
	reference byte          // of the last text that was cut
}

var _ carrier.Reporter = (*Client)(nil)

// Open checks the configuration and begins to connect. It does not wait for
// the connection: a centre that is down must not keep a server from starting.
func Open(conf Config) (*Client, error) {
	if err := conf.Check(); err != nil {
		return nil, err
	}
	source, err := parseSource(conf.Source)
	if err != nil {
		return nil, err
	}
	c := &Client{conf: conf, source: source, window: make(chan struct{}, conf.Window), done: make(chan struct{}), bound: make(chan struct{}),
		reference: byte(rand.IntN(256))}
	c.ctx, c.stop = context.WithCancel(context.Background())
	go c.keep()
	return c, nil
}

// keep connects, serves the connection until it ends, and begins again.
func (c *Client) keep() {
	defer close(c.done)
	for wait := firstWait; c.ctx.Err() == nil; wait = min(2*wait, maxWait) {
		s, err := c.bind()
		if err == nil {
			c.publish(s)
			began := time.Now()
			err = s.serve(c.ctx)
			c.publish(nil)
			if time.Since(began) > maxWait {
				wait = firstWait
			}
		}
		if c.ctx.Err() != nil {
			return
		}
		c.blame(err)
		c.conf.Log.WarnContext(c.ctx, "the connection to the message centre is not bound", "err", err, "next_try", wait.String())
		// Half of it by chance, so that several nodes do not come back at once.
		_ = sleep.For(c.ctx, wait/2+rand.N(wait/2))
	}
}

// publish says which session messages go to; nil: none for now.
func (c *Client) publish(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s == nil {
		c.bound = make(chan struct{})
	} else {
		close(c.bound)
	}
	c.current = s
}

// blame remembers why there is no session, for those who wait for one.
func (c *Client) blame(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cause = err
}

// unbound is the error of a message that found no session in time.
func (c *Client) unbound() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil || c.cause == nil {
		return ErrNotBound
	}
	return fmt.Errorf("%w: %w", ErrNotBound, c.cause)
}

// session waits for one that is bound.
func (c *Client) session(ctx context.Context) (*session, error) {
	for {
		c.mu.Lock()
		s, bound := c.current, c.bound
		c.mu.Unlock()
		if s != nil {
			return s, nil
		}
		select {
		case <-bound:
		case <-ctx.Done():
			return nil, c.unbound()
		case <-c.ctx.Done():
			return nil, ErrClosed
		}
	}
}

// Bound tells whether a connection is bound now.
func (c *Client) Bound() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current != nil
}

// Report implements [carrier.Reporter].
func (c *Client) Report(tell func(carrier.Receipt)) { c.tell.Store(&tell) }

// receipt hands a receipt on, if somebody wants it.
func (c *Client) receipt(r carrier.Receipt) {
	if tell := c.tell.Load(); tell != nil {
		r.ID = c.conf.IDs.told(r.ID)
		(*tell)(r)
	}
}

// Send implements [carrier.Driver]. Of a text that was cut into parts, the id
// is that of the last one. A [Refused] and [ErrNotBound] say that the message
// was not taken; of a cut text a part may have been taken all the same, which
// no telephone shows as the whole.
func (c *Client) Send(ctx context.Context, n carrier.Note) (carrier.Taken, error) {
	texts, coding, err := encode(n.Text, c.conf.Alphabet)
	if err != nil {
		return carrier.Taken{}, err
	}
	var id string
	p := part{from: c.source, to: international(n.Number), validity: relative(n.Life), coding: coding}
	reference := c.nextReference()
	for i, text := range texts {
		p.content = text
		if len(texts) > 1 {
			p.header = joined(reference, len(texts), i+1)
		}
		if id, err = c.submit(ctx, p.body()); err != nil {
			return carrier.Taken{}, err
		}
	}
	return carrier.Taken{ID: id}, nil
}

func (c *Client) nextReference() byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reference++
	return c.reference
}

// submit sends one submit_sm, again where the centre says that it is busy.
func (c *Client) submit(ctx context.Context, body []byte) (string, error) {
	for wait := busyWait; ; wait *= 2 {
		id, err := c.ask(ctx, body)
		refused, is := errors.AsType[*Refused](err)
		if !is || !refused.busy() || sleep.For(ctx, wait) != nil {
			return id, err
		}
	}
}

// ask waits for a place in the window and for a session, and asks once.
func (c *Client) ask(ctx context.Context, body []byte) (string, error) {
	select {
	case c.window <- struct{}{}:
		defer func() { <-c.window }()
	case <-ctx.Done():
		return "", c.unbound()
	}
	s, err := c.session(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, c.conf.Timeout)
	defer cancel()
	given, err := s.ask(ctx, submitSM, body)
	if err != nil {
		return "", err
	}
	r := reader{rest: given.body}
	id := r.text("message_id", maxMessageID)
	if r.err != nil {
		return "", carrier.ErrUnknown // a status of success: it was most likely taken
	}
	return c.conf.IDs.name(id), nil
}

// name is what receipts will call the message of an answer.
func (i IDs) name(id string) string {
	if i != DecimalIDs {
		return id
	}
	if n, err := strconv.ParseUint(id, 16, 64); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return id
}

// told is name for the id of a receipt, which centres fill up with zeros.
func (i IDs) told(id string) string {
	if trimmed := strings.TrimLeft(id, "0"); i == DecimalIDs && trimmed != "" && strings.Trim(trimmed, "0123456789") == "" {
		return trimmed
	}
	return id
}

// Close says goodbye to the centre and closes the connection. Messages that
// wait fail.
func (c *Client) Close() error {
	c.mu.Lock()
	s := c.current
	c.mu.Unlock()
	if s != nil {
		ctx, cancel := context.WithTimeout(c.ctx, time.Second)
		_, _ = s.ask(ctx, unbind, nil)
		cancel()
	}
	c.stop()
	<-c.done
	return nil
}
