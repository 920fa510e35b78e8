package channel

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/hint"
)

// HookPath is where providers call us: behind it stands the provider's name.
const HookPath = "/delivery/v1/"

// Options are what channels are opened with.
type Options struct {
	Config    *Config
	Outbox    engine.Sender // for what no provider is live for; stays the caller's
	PublicURL string        // of the pages listener; empty: no provider can call us
	Now       func() time.Time
	Log       *slog.Logger
}

// Channels are all channels of a configuration, opened. One that it does not
// name is nil.
type Channels struct {
	Texts *Texts
	Calls *Calls
	Mails *Mails

	lines   []*line
	early   *early
	strange forgeries     // calls that name no provider of ours
	telling chan struct{} // bounds the receipts that are being recorded
	tellers sync.WaitGroup
	now     func() time.Time
	log     *slog.Logger
	book    Ledger
}

// Open opens the channels of a configuration that was checked: secrets are read,
// and nobody is called yet.
func Open(o Options) (c *Channels, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c = &Channels{early: newEarly(), telling: make(chan struct{}, toldAtOnce), now: o.Now, log: o.Log}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	conf := o.Config
	if conf.Voice != nil {
		if c.Calls, err = c.openCalls(&o); err != nil {
			return c, err
		}
	}
	if conf.Text != nil {
		if c.Texts, err = c.openTexts(&o); err != nil {
			return c, err
		}
	}
	if conf.Email != nil {
		if c.Mails, err = c.openMails(&o); err != nil {
			return c, err
		}
	}
	return c, nil
}

// Senders are the channels by the way in which a user is asked. What is not set
// up goes to the outbox, but for calls.
func (c *Channels) Senders(outbox engine.Sender) map[cloud.Preference]engine.Sender {
	all := map[cloud.Preference]engine.Sender{cloud.SMS: outbox, cloud.EmailCode: outbox}
	if c.Texts != nil {
		all[cloud.SMS] = c.Texts
	}
	if c.Mails != nil {
		all[cloud.EmailCode] = c.Mails
	}
	if c.Calls != nil {
		for _, way := range []cloud.Preference{cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice} {
			all[way] = c.Calls
		}
	}
	return all
}

// open makes the driver of a provider.
func (p *Provider) open(channel string, o *Options) (carrier.Driver, error) {
	hook := ""
	if o.PublicURL != "" {
		hook = o.PublicURL + HookPath + p.Name
	}
	settings := p.kind().settings
	if settings.callsUs(channel) && hook == "" {
		return nil, hint.New("the provider is to call us, and nobody knows where", "set public_url, the address of the pages listener")
	}
	of := *o
	of.Log = o.Log.With("channel", channel, "provider", p.Name)
	return settings.open(channel, hook, &of)
}

// line opens the providers of one channel, and remembers it.
// atOnce is how many callers may wait for it.
func (c *Channels) line(name, at string, providers []Provider, o *Options, atOnce int) (*line, error) {
	l, err := openLine(name, at, providers, o, atOnce)
	if err != nil {
		return nil, err
	}
	for _, w := range l.ways {
		if r, ok := w.Driver.(carrier.Reporter); ok {
			r.Report(func(receipt carrier.Receipt) { c.told(l, w.Name, receipt) })
		}
	}
	c.lines = append(c.lines, l)
	return l, nil
}

// toldAtOnce is how many receipts of drivers are recorded at once. A driver with
// more waits before it reads on, so that nothing is lost.
const toldAtOnce = 64

// told records a receipt that came by a driver's own connection. It waits for a
// place only, not for the record.
func (c *Channels) told(l *line, provider string, r carrier.Receipt) {
	c.telling <- struct{}{}
	c.tellers.Go(func() {
		defer func() { <-c.telling }()
		if err := c.receipt(context.Background(), l, provider, r); err != nil {
			c.log.Warn("a receipt was not taken", "channel", l.name, "provider", provider, "err", err)
		}
	})
}

// Close gives connections back, and waits for what providers tell just now.
func (c *Channels) Close() error {
	if c == nil {
		return nil
	}
	var errs []error
	for _, l := range c.lines {
		errs = append(errs, l.Close())
	}
	c.tellers.Wait()
	return errors.Join(errs...)
}

// errNoProvider is said of a name that no open provider has.
var errNoProvider = hint.New("there is no such provider, or its mode is off", "mfabridge engine provider list shows them")

// Try sends one message by one provider, live or evaluated; who is asked to be
// in its percentage does not matter.
func (c *Channels) Try(ctx context.Context, provider string, m engine.Message) error {
	for _, l := range c.lines {
		if w := l.named(provider); w != nil {
			n, err := c.noteFor(l, m)
			if err == nil {
				_, err = w.Send(ctx, n)
			}
			return err
		}
	}
	return errNoProvider
}

// noteFor is a message as the drivers of a line get it.
func (c *Channels) noteFor(l *line, m engine.Message) (carrier.Note, error) {
	switch l.name {
	case "email":
		return c.Mails.note(m), nil
	case "voice":
		return c.Calls.note(m)
	}
	return c.Texts.note(m)
}

// Health is how a provider is.
type Health struct {
	Channel, Provider string
	Mode              string
	State             string // well, failing, resting
	Taken, Refused    uint64 // messages since the start
	Forged            uint64 // calls in its name that were not believed, since the start
}

// HealthOf is the health of one provider; with State off where it is not open.
func (c *Channels) HealthOf(channel, provider string) Health {
	for _, h := range c.Health() {
		if h.Channel == channel && h.Provider == provider {
			return h
		}
	}
	return Health{Channel: channel, Provider: provider, State: "off"}
}

// Health is the health of all open providers.
func (c *Channels) Health() (all []Health) {
	if c == nil {
		return nil
	}
	for _, l := range c.lines {
		for _, w := range l.ways {
			h := Health{Channel: l.name, Provider: w.Name, Mode: w.use().Mode}
			h.State, h.Taken, h.Refused = w.breaker.state(c.now())
			h.Forged = w.forged.count()
			if b, ok := w.Driver.(interface{ Bound() bool }); ok && h.State == "well" && !b.Bound() {
				h.State = "failing"
			}
			all = append(all, h)
		}
	}
	return all
}

// Strange is how many calls since the start named a provider that we do not
// have, or one that has no reason to call us.
func (c *Channels) Strange() uint64 {
	if c == nil {
		return 0
	}
	return c.strange.count()
}

// Told is how often a channel's providers have told something of messages.
type Told struct {
	Channel string
	Status  string // as of carrier.Status
	Count   uint64 // since the start
}

// Told counts by channel and status; what never came counts 0.
func (c *Channels) Told() (all []Told) {
	if c == nil {
		return nil
	}
	for _, l := range c.lines {
		for i, status := range told() {
			all = append(all, Told{l.name, string(status), l.told[i].Load()})
		}
	}
	return all
}

// ToldOf is the count of one channel and status.
func (c *Channels) ToldOf(channel, status string) uint64 {
	for _, t := range c.Told() {
		if t.Channel == channel && t.Status == status {
			return t.Count
		}
	}
	return 0
}
