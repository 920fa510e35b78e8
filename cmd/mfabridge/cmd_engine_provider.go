package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/config"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

func (p *program) providerCommand() *cli.Command {
	from := &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Value: "engine.yaml", Usage: "`FILE` with the engine's configuration"}
	return &cli.Command{
		Name:  "provider",
		Usage: "look at the providers that deliver codes, and try them",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list the providers of engine.yaml in the order in which they are asked", Flags: []cli.Flag{from, formatFlag()}, Action: p.listProviders},
			{
				Name: "test", Usage: "send one message by a provider and say what came back", ArgsUsage: "NAME",
				Description: "The message holds a code that verifies nothing. It is sent whatever the provider's mode is, but for off; no budget\n" +
					"counts it. A centre of SMPP is bound once more for it. That the provider has taken it does not mean that it arrives: look at the telephone.",
				Flags: []cli.Flag{from,
					&cli.StringFlag{Name: "number", Usage: "where the number (\"+CC NNN\"), or the address, is: `file:PATH`, env:NAME, or - for standard input (default: a prompt)"}},
				Action: p.testProvider,
			},
			{
				Name: "enable", Usage: "have a provider deliver to a share of all users, or only log what it would", ArgsUsage: "NAME",
				Description: "What is said here is kept in the store, stands in the audit, and goes before the mode and percent of engine.yaml; running engines\n" +
					"follow within seconds. A provider whose mode is off in engine.yaml stays off.",
				Flags: []cli.Flag{from,
					&cli.IntFlag{Name: "percent", Value: 100, Usage: "`SHARE` of all users, 1 to 100: who is in stays in while it grows"},
					&cli.BoolFlag{Name: "evaluate", Usage: "deliver nothing, and log what would be sent"},
					reasonFlag()},
				Action: func(c *cli.Context) error {
					mode := channel.Live
					if c.Bool("evaluate") {
						mode = channel.Evaluate
					}
					return p.useProvider(c, engine.ProviderState{Mode: mode, Percent: c.Int("percent")})
				},
			},
			{
				Name: "disable", Usage: "send nothing by a provider, until it is enabled", ArgsUsage: "NAME", Flags: []cli.Flag{from, reasonFlag()},
				Action: func(c *cli.Context) error {
					return p.useProvider(c, engine.ProviderState{Mode: channel.Off, Percent: 100})
				},
			},
		},
	}
}

// channelsOf are the channels of a configuration.
func channelsOf(path string) (*config.Config, error) {
	conf, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	if conf.Channels == nil {
		return nil, hint.New("the configuration has no providers: all messages go to the outbox", "docs/delivery.md has a recipe for each kind")
	}
	return conf, nil
}

// providerForm is a provider in JSON, and reachForm whether those of one kind
// of message reach everybody.
type providerForm struct {
	Type    string `json:"type"`
	Channel string `json:"channel"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Mode    string `json:"mode"`
	Percent int    `json:"percent"`
	Host    string `json:"host"`
}

type reachForm struct {
	Type      string `json:"type"`
	Of        string `json:"of"` // texts, calls or mails
	Everybody bool   `json:"everybody"`
}

func (p *program) listProviders(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	l, err := p.list(c, "CHANNEL", "PROVIDER", "KIND", "MODE", "USERS", "HOST")
	if err != nil {
		return err
	}
	whole, err := channelsOf(c.String("config"))
	if err != nil {
		return err
	}
	states, err := p.providerStates(c, whole)
	if err != nil {
		return err
	}
	conf := whole.Channels
	conf.Apply(states)
	for name, providers := range conf.Lines() {
		for i := range providers {
			one := &providers[i]
			form := providerForm{"provider", name, one.Name, one.Kind(), one.Mode, one.Percent, one.Host()}
			if err := l.add(form, name, one.Name, one.Kind(), one.Mode, strconv.Itoa(one.Percent)+"%", one.Host()); err != nil {
				return err
			}
		}
	}
	for _, way := range []struct {
		what, instead string
		set, delivers bool
	}{{"texts", "what none delivers lies in the outbox", true, conf.Text.Delivers()}, {"calls", "nobody else is called", conf.Voice != nil, conf.Voice.Delivers()},
		{"mails", "what none delivers lies in the outbox", conf.Email != nil, conf.Email.Delivers()}} {
		if !way.set {
			continue
		}
		sentence := way.what + " reach every user"
		if !way.delivers {
			sentence = way.what + " do not reach every user: no provider that delivers is live for all; " + way.instead
		}
		if err := l.note(reachForm{"reach", way.what, way.delivers}, sentence); err != nil {
			return err
		}
	}
	return l.end()
}

func (p *program) testProvider(c *cli.Context) (err error) {
	names, err := args(c, "NAME")
	if err != nil {
		return err
	}
	conf, err := channelsOf(c.String("config"))
	if err != nil {
		return err
	}
	for _, others := range conf.Channels.Lines() {
		for i := range others {
			if others[i].Name != names[0] {
				others[i].Mode = channel.Off // their secrets are not needed, and nobody is called
			}
		}
	}
	d, err := openDelivery(conf.Channels, conf.PublicURL, nil, p.now, p.logger())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	to, err := p.number(c.Context, c.String("number"))
	if err != nil {
		return err
	}
	code, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return err
	}
	m := engine.Message{ID: strings.ToLower(rand.Text()), Time: p.now(), To: to, Way: wayTo(to), Code: secret.FromString(fmt.Sprintf("%06d", code)), Application: "a test of mfabridge"}
	begun := time.Now()
	if err := d.channels.Try(c.Context, names[0], m); err != nil {
		return hint.Wrap(fmt.Errorf("nothing was sent to %s: %w", m.Masked(), err), "docs/delivery.md says what each answer means")
	}
	fmt.Fprintf(p.out, "%s has taken a message to %s over in %v; now look at the telephone\n", names[0], m.Masked(), time.Since(begun).Round(time.Millisecond))
	return nil
}

// onStoreOf opens the engine of a configuration.
func (p *program) onStoreOf(c *cli.Context, conf *config.Config, use func(*embedded) error) (err error) {
	t, err := parseTarget("store", stores, conf.Store, conf.Key)
	if err != nil {
		return err
	}
	e, err := p.open(c.Context, t, sqlite.Options{})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return use(e)
}

// providerStates are what administrators have said of providers. Where there is
// no store yet, nobody has said anything.
func (p *program) providerStates(c *cli.Context, conf *config.Config) (states map[string]engine.ProviderState, err error) {
	err = p.onStoreOf(c, conf, func(e *embedded) (err error) {
		states, err = e.Providers(c.Context)
		return err
	})
	if cloud.KindOf(err) == cloud.NotFound {
		err = nil
	}
	return states, err
}

// useProvider says how a provider is used.
func (p *program) useProvider(c *cli.Context, s engine.ProviderState) error {
	name, by, err := named(c, "NAME")
	if err != nil {
		return err
	}
	conf, err := channelsOf(c.String("config"))
	if err != nil {
		return err
	}
	mode := ""
	for _, providers := range conf.Channels.Lines() {
		for i := range providers {
			if providers[i].Name == name {
				mode = providers[i].Mode
			}
		}
	}
	switch {
	case mode == "":
		return hint.New(fmt.Sprintf("there is no provider %q", migrate.Plain(name)), "mfabridge engine provider list shows them")
	case mode == channel.Off && s.Mode != channel.Off:
		return hint.New("the provider is off in the configuration, so that no engine has opened it", "write mode: evaluate there, and start the engine again")
	}
	return p.onStoreOf(c, conf, func(e *embedded) error {
		if err := e.SetProvider(c.Context, by, name, s); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s: %s, %d%% of all users; running engines follow within seconds\n", migrate.Plain(name), s.Mode, s.Percent)
		return nil
	})
}

// wayTo is how a number or an address is reached.
func wayTo(to string) cloud.Preference {
	if strings.Contains(to, "@") {
		return cloud.EmailCode
	}
	return cloud.SMS
}

// number reads where a test goes.
func (p *program) number(ctx context.Context, ref string) (string, error) {
	if ref == "" && p.keyboard() != nil {
		fmt.Fprint(p.err, "Number, +CC NNN, or address: ")
		ref = "-"
	}
	word, err := p.secretText(ctx, "", ref)
	if err != nil {
		return "", fmt.Errorf("--number: %w", err)
	}
	return string(bytes.TrimSpace(word.Reveal())), nil
}
