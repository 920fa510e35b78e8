package main

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/http/pages"
)

// delivery is how an engine's codes reach people, and how many may. The zero
// value sends nothing.
type delivery struct {
	channels *channel.Channels // nil: everything goes to the outbox
	outbox   engine.Sender
	texts    engine.Texts
	calls    engine.Texts
	promised map[cloud.Preference]engine.Sender // of an engine elsewhere
	public   string                             // address of the pages, for invitations by mail; empty: nobody knows it

	stop context.CancelFunc // of what runs beside the engine
	runs *sync.WaitGroup
}

// openDelivery opens the channels of a configuration; what no provider is to
// deliver goes to the outbox.
func openDelivery(conf *channel.Config, publicURL string, outbox engine.Sender, now func() time.Time, log *slog.Logger) (delivery, error) {
	d := delivery{outbox: outbox, public: publicURL}
	if conf == nil {
		return d, nil
	}
	opened, err := channel.Open(channel.Options{Config: conf, Outbox: outbox, PublicURL: publicURL, Now: now, Log: log})
	if err != nil {
		return delivery{}, err
	}
	d.channels = opened
	if conf.Text != nil {
		d.texts = budgetOf(conf.Text.Budget)
	}
	if conf.Voice != nil {
		d.calls = budgetOf(conf.Voice.Budget)
	}
	return d, nil
}

func budgetOf(b channel.Budget) engine.Texts {
	return engine.Texts{TenantDay: b.Day, Countries: b.Countries, Others: b.Others, Alarm: b.Alarm}
}

// link is where an invitation leads to; nil: nobody knows.
func (d delivery) link() func(name string) string {
	if d.public == "" {
		return nil
	}
	return func(name string) string { return pages.Invitation(strings.TrimRight(d.public, "/"), name) }
}

func (d delivery) senders() map[cloud.Preference]engine.Sender {
	switch {
	case d.promised != nil:
		return d.promised
	case d.channels != nil:
		return d.channels.Senders(d.outbox)
	case d.outbox == nil:
		return nil
	}
	return map[cloud.Preference]engine.Sender{cloud.SMS: d.outbox, cloud.EmailCode: d.outbox}
}

// attach lets the channels keep things in the engine, and starts what sends
// messages on to their next channel.
func (d *delivery) attach(ctx context.Context, e *engine.Engine) error {
	if d.channels == nil {
		return nil
	}
	if err := d.channels.Attach(ctx, e); err != nil {
		return err
	}
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop, d.runs = stop, new(sync.WaitGroup)
	d.runs.Go(func() { d.channels.Run(beside) })
	return nil
}

// halt ends what attach has started, once the messages that are under way are
// handed over.
func (d *delivery) halt() {
	if d.stop == nil {
		return
	}
	d.stop()
	d.runs.Wait()
	d.stop = nil
}

// Close gives back what was opened, but for the outbox.
func (d *delivery) Close() error {
	d.halt()
	return d.channels.Close()
}
