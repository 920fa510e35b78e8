package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/config"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

func (p *program) providerCommand() *cli.Command {
	from := &cli.StringFlag{Name: "config", Aliases: []string{"c"}, EnvVars: env("config"), Value: "engine.yaml", Usage: "`FILE` with the engine's configuration"}
	return &cli.Command{
		Name:  "provider",
		Usage: "look at the providers that deliver codes, and try them",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list the providers of engine.yaml in the order in which they are asked", Flags: []cli.Flag{from}, Action: p.listProviders},
			{
				Name: "test", Usage: "send one message by a provider and say what came back", ArgsUsage: "NAME",
				Description: "The message holds a code that verifies nothing. It is sent whatever the provider's mode is, but for off; no budget\n" +
					"counts it. That the provider has taken it does not mean that it arrives: look at the telephone.",
				Flags: []cli.Flag{from,
					&cli.StringFlag{Name: "number", EnvVars: env("number"), Usage: "where the number (\"+CC NNN\") is: `file:PATH`, env:NAME, or - for standard input (default: a prompt)"}},
				Action: p.testProvider,
			},
		},
	}
}

// textsOf is the channel of texts of a configuration.
func textsOf(path string) (*channel.Text, error) {
	conf, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	if conf.Channels == nil || conf.Channels.Text == nil {
		return nil, hint.New("the configuration has no providers: all messages go to the outbox", "docs/delivery.md has a recipe for each kind")
	}
	return conf.Channels.Text, nil
}

func (p *program) listProviders(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	conf, err := textsOf(c.String("config"))
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHANNEL\tPROVIDER\tKIND\tMODE\tUSERS\tHOST")
	for _, one := range conf.Providers {
		fmt.Fprintf(t, "text\t%s\t%s\t%s\t%d%%\t%s\n", one.Name, one.Kind(), one.Mode, one.Percent, migrate.Plain(one.Host()))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if conf.Delivers() {
		fmt.Fprintln(p.out, "texts reach every user")
	} else {
		fmt.Fprintln(p.out, "texts do not reach every user: no provider is live for all; what none delivers lies in the outbox")
	}
	return nil
}

func (p *program) testProvider(c *cli.Context) (err error) {
	names, err := args(c, "NAME")
	if err != nil {
		return err
	}
	conf, err := textsOf(c.String("config"))
	if err != nil {
		return err
	}
	texts, err := channel.OpenTexts(conf, nil, p.logger())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, texts.Close()) }()
	to, err := p.number(c.String("number"))
	if err != nil {
		return err
	}
	code, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return err
	}
	m := engine.Message{ID: strings.ToLower(rand.Text()), To: to, Code: secret.FromString(fmt.Sprintf("%06d", code)), Application: "a test of mfabridge"}
	begun := time.Now()
	if err := texts.Try(c.Context, names[0], m); err != nil {
		return hint.Wrap(fmt.Errorf("nothing was sent to %s: %w", m.Masked(), err), "docs/delivery.md says what each answer means")
	}
	fmt.Fprintf(p.out, "%s has taken a message to %s over in %v; now look at the telephone\n", names[0], m.Masked(), time.Since(begun).Round(time.Millisecond))
	return nil
}

// number reads where a test goes.
func (p *program) number(ref string) (string, error) {
	if stdin, isFile := p.in.(*os.File); ref == "" && isFile && term.IsTerminal(int(stdin.Fd())) {
		fmt.Fprint(p.err, "Number, +CC NNN: ")
		ref = "-"
	}
	word, err := p.secretText(ref)
	if err != nil {
		return "", hint.Wrap(fmt.Errorf("--number: %w", err), hint.Of(err))
	}
	return string(bytes.TrimSpace(word.Reveal())), nil
}
