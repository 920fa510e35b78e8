package main

import (
	"log/slog"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
)

// delivery is how an engine's codes reach people, and how many may. The zero
// value sends nothing.
type delivery struct {
	texts  engine.Sender
	chain  *channel.Texts // what is to be closed of texts, if anything
	limits engine.Texts
}

// openDelivery opens the channels of a configuration; what no provider is to
// deliver goes to the outbox.
func openDelivery(conf *channel.Config, outbox *channel.Outbox, log *slog.Logger) (delivery, error) {
	if conf == nil || conf.Text == nil {
		return delivery{texts: outbox}, nil
	}
	chain, err := channel.OpenTexts(conf.Text, outbox, log)
	if err != nil {
		return delivery{}, err
	}
	b := conf.Text.Budget
	return delivery{texts: chain, chain: chain, limits: engine.Texts{TenantDay: b.Day, Countries: b.Countries, Others: b.Others}}, nil
}

func (d delivery) senders() map[cloud.Preference]engine.Sender {
	if d.texts == nil {
		return nil
	}
	return map[cloud.Preference]engine.Sender{cloud.SMS: d.texts}
}

// Close gives back what was opened, but for the outbox.
func (d delivery) Close() error {
	if d.chain == nil {
		return nil
	}
	return d.chain.Close()
}
