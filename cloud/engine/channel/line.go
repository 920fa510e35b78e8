package channel

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/smpp"
)

// errNobody is why a line asked nobody: no provider is live for the user.
var errNobody = errors.New("no provider is live for this user")

// errResting is why a provider was not asked.
var errResting = errors.New("it has failed too often just now and is left alone for a while")

// way is a provider with its setting.
type way struct {
	*Provider
	carrier.Driver
	breaker breaker
	forged  forgeries
	state   atomic.Pointer[engine.ProviderState] // as an administrator has said since; nil: as in the configuration
}

// use is how the provider is used now.
func (w *way) use() engine.ProviderState {
	if s := w.state.Load(); s != nil {
		return *s
	}
	return engine.ProviderState{Mode: w.Mode, Percent: w.Percent}
}

// line are the providers of one channel, asked one after the other.
type line struct {
	name string // sms, whatsapp, rcs, voice, email
	ways []*way
	told [8]atomic.Uint64 // receipts by status
	now  func() time.Time
	log  *slog.Logger

	// places bounds the callers that wait for the providers of this channel. Each
	// channel has its own, so that a slow one holds up no other.
	places chan struct{}
}

// errBusy is said where too many wait for a slow provider.
var errBusy = errors.New("too many messages of this channel wait for their providers")

// enter takes a place, and tells whether there was one. Whoever got it has to
// leave.
func (l *line) enter() bool {
	select {
	case l.places <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l *line) leave() { <-l.places }

// openLine opens the drivers of providers that were checked.
func openLine(name, at string, providers []Provider, o *Options, atOnce int) (*line, error) {
	l := &line{name: name, now: o.Now, log: o.Log, places: make(chan struct{}, max(1, atOnce))}
	for i := range providers {
		p := &providers[i]
		if p.Mode == Off {
			continue
		}
		driver, err := p.open(name, o)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s.providers.%s: %w", at, p.Name, err), l.Close())
		}
		l.ways = append(l.ways, &way{Provider: p, Driver: driver})
	}
	return l, nil
}

// handed is who has taken a message over.
type handed struct {
	provider string
	taken    carrier.Taken
}

// send asks the providers that are live for a user in their order, until one
// takes the note. Those that are evaluated are logged. errNobody: nobody was
// asked. A number that one provider says is not on the channel is on none.
func (l *line) send(ctx context.Context, m engine.Message, n carrier.Note) (handed, error) {
	var failures []error
	for _, w := range l.ways {
		use := w.use()
		if use.Mode == Off || bucket(m.User) >= use.Percent {
			continue
		}
		if use.Mode == Evaluate {
			l.log.InfoContext(ctx, "message would be sent", "channel", l.name, "provider", w.Name, "message", m.ID, "to", m.Masked(),
				"application", n.Application, "bytes", len(n.Text), "parts", smpp.Parts(n.Text), "cost", w.cost(n.Text))
			continue
		}
		taken, err := l.ask(ctx, w, n)
		if err == nil {
			if failures != nil {
				l.log.WarnContext(ctx, "provider did not take a message; the next one has", "channel", l.name, "message", m.ID, "err", errors.Join(failures...))
			}
			l.log.InfoContext(ctx, "message was taken over", "channel", l.name, "provider", w.Name, "message", m.ID, "to", m.Masked())
			return handed{w.Name, taken}, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", w.Name, err))
		if errors.Is(err, carrier.ErrUnreachable) || ctx.Err() != nil {
			break
		}
	}
	switch {
	case len(failures) == 0:
		return handed{}, errNobody
	case len(failures) == 1:
		return handed{}, failures[0]
	}
	return handed{}, fmt.Errorf("%w; %w", failures[0], failures[1])
}

// cost is what a text would cost, for a log; empty where no price is set.
func (p *Provider) cost(text string) string {
	if p.Price == 0 {
		return ""
	}
	return strconv.FormatFloat(p.Price*float64(smpp.Parts(text)), 'f', -1, 64)
}

// ask asks one provider, unless it is resting.
func (l *line) ask(ctx context.Context, w *way, n carrier.Note) (carrier.Taken, error) {
	if !w.breaker.may(l.now()) {
		return carrier.Taken{}, errResting
	}
	taken, err := w.Send(ctx, n)
	unwell := errors.Is(err, carrier.ErrUnwell) || errors.Is(err, carrier.ErrUnknown)
	if w.breaker.done(err == nil, unwell, l.now()) {
		word, _, _ := w.breaker.state(l.now())
		l.log.WarnContext(ctx, "provider is "+word, "channel", l.name, "provider", w.Name)
	}
	return taken, err
}

// live tells whether a provider takes a user's messages.
func (l *line) live(user cloud.UserID) bool {
	return slices.ContainsFunc(l.ways, func(w *way) bool { return w.use().Mode == Live && bucket(user) < w.use().Percent })
}

// count counts a receipt.
func (l *line) count(s carrier.Status) {
	if i := slices.Index(told(), s); i >= 0 {
		l.told[i].Add(1)
	}
}

// told are the statuses that are counted.
func told() []carrier.Status {
	return []carrier.Status{carrier.Sent, carrier.Delivered, carrier.Read, carrier.Failed, carrier.Unreachable, carrier.Confirmed, carrier.Declined, carrier.Fraud}
}

// named is the open provider of that name; nil: there is none.
func (l *line) named(provider string) *way {
	if l == nil {
		return nil
	}
	for _, w := range l.ways {
		if w.Name == provider {
			return w
		}
	}
	return nil
}

// Close gives connections back.
func (l *line) Close() error {
	if l == nil {
		return nil
	}
	var errs []error
	for _, w := range l.ways {
		errs = append(errs, w.Driver.Close())
	}
	return errors.Join(errs...)
}

// delivers tells whether one provider is live for every user.
func (l *line) delivers() bool {
	return slices.ContainsFunc(l.ways, func(w *way) bool { return w.use().Mode == Live && w.use().Percent == 100 && w.Outbox == nil })
}

// bucket is where a user is among 100 shares: the same on every node and for
// every provider.
func bucket(user cloud.UserID) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte("delivery\x00" + string(user)))
	return int(h.Sum32() % 100)
}

// public is the id of a message as providers and logs may see it.
func public(id string) string { return engine.PublicID(id) }
