package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/config"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

// emailCommands say who reads the mail of a user's address: until somebody has
// proved that, only notices go there.
func (p *program) emailCommands(change changer) []*cli.Command {
	return []*cli.Command{{Name: "email", Usage: "confirm that a user reads mail at the address that they have", Subcommands: []*cli.Command{
		change("confirm", "say that the address was confirmed by other means, which --reason names", nil, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
			return e.ConfirmEmail(c.Context, by, u.ID)
		}),
		change("unconfirm", "take a confirmation back: only notices go to the address", nil, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
			return e.UnconfirmEmail(c.Context, by, u.ID)
		}),
		{Name: "code", Usage: "send a code to the address, for its user to read out", ArgsUsage: "USER", Flags: slices.Concat(adminFlags(), []cli.Flag{
			mailConfigFlag(),
			reasonFlag()}), Action: p.emailCode},
		change("prove", "take the code as the user has read it: the address is confirmed", []cli.Flag{&cli.StringFlag{Name: "code",
			Usage: "where it is: `file:PATH`, env:NAME, or - for standard input (default: a prompt)"}},
			func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
				code, err := p.secretText(c.Context, "Code: ", c.String("code"))
				if err != nil {
					return err
				}
				return e.ProveEmail(c.Context, by, u.ID, secret.New(bytes.TrimSpace(code.Reveal())))
			}),
	}}}
}

// emailCode sends a code. An engine elsewhere does it by its own mail servers.
func (p *program) emailCode(c *cli.Context) error {
	name, by, err := named(c, "USER")
	if err != nil {
		return err
	}
	return ofUser(c, p.administerSending, name, func(e administrator, u cloud.User) error {
		until, err := e.SendEmailCode(c.Context, by, u.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "a code is on its way to %s; take it with prove, until %s\n", migrate.MaskEmail(u.Email), stamp(until))
		return nil
	})
}

func mailConfigFlag() cli.Flag {
	return &cli.StringFlag{Name: "engine-config", Usage: "`FILE` with the engine's configuration, whose mail servers are used (with sqlite: and postgres:; default: the outbox)"}
}

// administerSending is administer for commands that send something. An engine
// elsewhere sends by its own means; on a store, --engine-config and --url say
// how this process does.
func (p *program) administerSending(c *cli.Context, use func(administrator) error) (err error) {
	t, err := parseTarget("--store", engines, c.String("store"), c.String("engine-key"))
	if err != nil {
		return err
	}
	if t.url != "" || !t.exists() { // administer says what is missing, and no folder is made
		return p.administer(c, use)
	}
	outbox, err := channel.OpenOutbox(t.outbox(), cloud.EmailCode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outbox.Close()) }()
	var conf config.Config
	if path := c.String("engine-config"); path != "" {
		read, err := config.Load(path)
		if err != nil {
			return err
		}
		conf = *read
	}
	if given := c.String("url"); given != "" {
		conf.PublicURL = given
	}
	d, err := openDelivery(conf.Channels, conf.PublicURL, outbox, p.now, p.logger())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	e, err := p.openWith(c.Context, t, sqlite.Options{}, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return use(e)
}
