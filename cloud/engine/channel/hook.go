package channel

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel/carrier"
)

// Ledger is what channels keep in the engine: what outlives the process, and what
// is one node's alone.
type Ledger interface {
	Logged(ctx context.Context, l engine.Leg) (next int, err error)
	DueFlights(ctx context.Context, limit int) ([]engine.DueFlight, error)
	Board(ctx context.Context, id cloud.ChallengeID, repeats func(channel string) bool) (engine.Boarding, bool, error)
	Land(ctx context.Context, name string, status engine.LegStatus) (engine.Landing, bool, error)
	Keyed(ctx context.Context, name string, key engine.CallKey) (known bool, err error)
	Providers(ctx context.Context) (map[string]engine.ProviderState, error)
}

// Attach gives the channels what they keep things in; without it no message goes
// by more than one channel, and receipts mean nothing. It comes before the first
// message.
func (c *Channels) Attach(ctx context.Context, l Ledger) error {
	c.book = l
	return c.follow(ctx)
}

// follow takes over how administrators want providers to be used.
func (c *Channels) follow(ctx context.Context) error {
	states, err := c.book.Providers(ctx)
	if err != nil {
		return err
	}
	for _, l := range c.lines {
		for _, w := range l.ways {
			s, set := states[w.Name]
			if !set {
				s = engine.ProviderState{Mode: w.Mode, Percent: w.Percent}
			}
			if was := w.state.Swap(&s); was == nil && set || was != nil && *was != s {
				c.log.InfoContext(ctx, "provider is used otherwise than before", "channel", l.name, "provider", w.Name, "mode", s.Mode, "percent", s.Percent)
			}
		}
	}
	return nil
}

// followEvery is how often it is looked whether an administrator has said
// something else.
const followEvery = 2 * time.Second

// Run does what goes on beside the messages, until ctx is done: it sends texts on
// to their next channel, and follows what administrators say of providers.
func (c *Channels) Run(ctx context.Context) {
	var texts sync.WaitGroup
	texts.Go(func() { c.Texts.Run(ctx) })
	defer texts.Wait()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := c.follow(ctx); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "how providers are to be used cannot be read; it stays as it was", "err", err)
			}
		}
	}
}

// Limits of receipts that came before the answer that names their message.
const (
	maxEarly  = 4096
	earlyLife = time.Minute
)

// early are receipts of messages that nobody knows yet: a provider may tell of a
// message before it has answered that it took it. Of several about one message
// the one is kept that outranks the others.
type early struct {
	kick chan struct{} // something is due

	mu   sync.Mutex
	seen map[string]carrier.Receipt
	at   map[string]time.Time
}

func newEarly() *early {
	return &early{kick: make(chan struct{}, 1), seen: map[string]carrier.Receipt{}, at: map[string]time.Time{}}
}

func (e *early) put(name string, r carrier.Receipt, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.seen) >= maxEarly {
		for old, at := range e.at {
			if now.Sub(at) > earlyLife {
				delete(e.seen, old)
				delete(e.at, old)
			}
		}
	}
	was, there := e.seen[name]
	if there && !legStatus(r.Status).Outranks(legStatus(was.Status)) {
		return
	}
	if there || len(e.seen) < maxEarly {
		e.seen[name], e.at[name] = r, now
	}
}

func (e *early) take(name string) (carrier.Receipt, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, there := e.seen[name]
	delete(e.seen, name)
	delete(e.at, name)
	return r, there
}

func (e *early) due() {
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

// overtaken applies receipts that were there first.
func (c *Channels) overtaken(ctx context.Context, names []string) {
	for _, name := range names {
		if r, there := c.early.take(name); there {
			if err := c.land(ctx, name, r); err != nil {
				c.log.WarnContext(ctx, "a receipt was not taken", "err", err)
			}
		}
	}
}

// Call is a request of a provider, by its name: checked, taken, and answered.
// Denied: it is not the provider's, or there is none of that name that calls us.
func (c *Channels) Call(ctx context.Context, provider string, call carrier.Call) (carrier.Reply, error) {
	for _, l := range c.lines {
		w := l.named(provider)
		if w == nil {
			continue
		}
		hook, ok := w.Driver.(carrier.Hook)
		if !ok {
			break
		}
		reply, err := hook.Call(ctx, call)
		if err != nil {
			if times := w.forged.add(c.now()); times > 0 {
				c.log.WarnContext(ctx, "calls that name a provider were not believed", "channel", l.name, "provider", provider, "times", times)
			}
			return carrier.Reply{}, &cloud.Error{Kind: cloud.Denied, Message: carrier.ErrForged.Error()}
		}
		for _, r := range reply.Receipts {
			if err := c.receipt(ctx, l, provider, r); err != nil {
				return carrier.Reply{}, err // the provider tries again
			}
		}
		return reply, nil
	}
	if times := c.strange.add(c.now()); times > 0 {
		c.log.WarnContext(ctx, "calls name a provider that is none, or that does not call us", "times", times)
	}
	return carrier.Reply{}, &cloud.Error{Kind: cloud.Denied, Message: carrier.ErrForged.Error()} // who asks for names learns none
}

// receipt takes what a provider tells of a message.
func (c *Channels) receipt(ctx context.Context, l *line, provider string, r carrier.Receipt) error {
	name := engine.ReceiptName(l.name, provider, r.ID)
	if r.ByNote {
		name = engine.NoteName(l.name, r.ID)
	}
	l.count(r.Status)
	if c.book == nil {
		return nil
	}
	if key := keyOf(r.Status); l.name == "voice" && key != "" {
		_, err := c.book.Keyed(ctx, name, key)
		return err
	}
	return c.land(ctx, name, r)
}

func keyOf(s carrier.Status) engine.CallKey {
	switch s {
	case carrier.Confirmed:
		return engine.CallConfirmed
	case carrier.Fraud:
		return engine.CallFraud
	case carrier.Declined:
		return engine.CallDeclined
	case carrier.Failed:
		return engine.CallFailed
	}
	return ""
}

func legStatus(s carrier.Status) engine.LegStatus {
	switch s {
	case carrier.Sent:
		return engine.LegSent
	case carrier.Delivered:
		return engine.LegDelivered
	case carrier.Read:
		return engine.LegRead
	case carrier.Failed:
		return engine.LegFailed
	case carrier.Unreachable:
		return engine.LegUnreachable
	}
	return ""
}

// land takes a receipt of a text.
func (c *Channels) land(ctx context.Context, name string, r carrier.Receipt) error {
	status := legStatus(r.Status)
	if status == "" {
		return nil
	}
	landing, known, err := c.book.Land(ctx, name, status)
	if err == nil && !known {
		// Whoever sent the message looks for early receipts once it is recorded; that
		// may have been just now.
		c.early.put(name, r, c.now())
		if landing, known, err = c.book.Land(ctx, name, status); known {
			c.overtaken(ctx, []string{name}) // r, or what outranks it
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("a receipt was not recorded: %w", err)
	case !known:
		return nil
	}
	if landing.Due {
		c.early.due()
	}
	if landing.Announce.ID != "" && c.Texts != nil {
		c.Texts.announce(context.WithoutCancel(ctx), landing.Announce)
	}
	return nil
}
