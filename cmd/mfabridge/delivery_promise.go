package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/config"
	"mfabridge/cloud/engine/store/sqlite"
)

// engineConfigFlag names the configuration that says what an engine delivers
// whose store is looked at.
func engineConfigFlag() cli.Flag {
	return &cli.StringFlag{Name: "engine-config",
		Usage: "`FILE` with the configuration of the engine whose store is named: what its providers deliver is not missed (default: none of them)"}
}

// promise is a channel of an engine that runs elsewhere on the same store: it
// says whether that delivers, and sends nothing.
type promise struct{ delivers bool }

var _ engine.Sender = (*promise)(nil)

// Send implements [engine.Sender].
func (*promise) Send(context.Context, engine.Message) error {
	return errors.New("this command sends nothing")
}

// Delivers implements [engine.Sender].
func (p *promise) Delivers() bool { return p.delivers }

// promising opens an engine's store with what its configuration says that it
// delivers, and what administrators have said since; without one it delivers
// nothing.
func (p *program) promising(ctx context.Context, t place, o sqlite.Options, path string) (*embedded, error) {
	if path == "" {
		return p.open(ctx, t, o)
	}
	conf, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	texts, calls := &promise{}, &promise{}
	senders := map[cloud.Preference]engine.Sender{cloud.SMS: texts}
	if conf.Channels != nil && conf.Channels.Voice != nil {
		for _, way := range []cloud.Preference{cloud.VoiceMobile, cloud.VoiceAlternateMobile, cloud.VoiceOffice} {
			senders[way] = calls
		}
	}
	if conf.Channels != nil {
		e, err := p.open(ctx, t, o)
		if err != nil {
			return nil, err
		}
		states, err := e.Providers(ctx)
		if err = errors.Join(err, e.Close()); err != nil {
			return nil, err
		}
		conf.Channels.Apply(states)
		texts.delivers, calls.delivers = conf.Channels.Text.Delivers(), conf.Channels.Voice.Delivers()
	}
	return p.openWith(ctx, t, o, delivery{promised: senders})
}
