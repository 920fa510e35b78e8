package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store"
)

func (p *program) engineCommand() *cli.Command {
	return &cli.Command{
		Name:  "engine",
		Usage: "make a store for the cloud engine and administer it",
		Subcommands: []*cli.Command{
			{
				Name:  "init",
				Usage: "make an empty store and its key",
				Description: "The key opens every secret in the store. It is written beside the store, as PATH.key, unless --engine-key\n" +
					"names one. Keep it out of backups of the store, and keep a copy: without it the store is lost.",
				Flags: slices.Concat(storeFlags(), []cli.Flag{
					&cli.StringSliceFlag{Name: "domain", EnvVars: env("domain"), Usage: "mail `DOMAIN` of the organisation; addresses elsewhere are external"},
					&cli.StringFlag{Name: "as", EnvVars: env("as"), Value: "engine", Usage: "kind of store: engine"},
					&cli.StringFlag{Name: "reason", EnvVars: env("reason"), Usage: "why, for the audit"},
				}),
				Action: p.engineInit,
			},
			p.userCommand(),
			p.appCommand(),
		},
	}
}

func storeFlags() []cli.Flag { return targetFlags("store", "work on") }

// reasonFlag is for what changes a store: who and why stand in the audit.
func reasonFlag() cli.Flag {
	return &cli.StringFlag{Name: "reason", EnvVars: env("reason"), Usage: "why, for the audit (required)"}
}

// actor is who stands in the audit for this command.
func actor(c *cli.Context) (engine.Actor, error) {
	if c.String("reason") == "" {
		return engine.Actor{}, usage("--reason is missing", "say why, e.g. --reason \"ticket 4711\"; it is kept in the audit")
	}
	return engine.Actor{Who: operator(), Reason: c.String("reason")}, nil
}

// named returns the one argument of a command that changes a store (what it is
// called in the help is what), and who stands in the audit for the change.
func named(c *cli.Context, what string) (string, engine.Actor, error) {
	given, err := args(c, what)
	if err != nil {
		return "", engine.Actor{}, err
	}
	by, err := actor(c)
	return given[0], by, err
}

func (p *program) engineInit(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	if as := c.String("as"); as != "engine" {
		return usage(fmt.Sprintf("--as %s is not built into this version", as), "use --as engine")
	}
	t, err := parseTarget("store", c.String("store"), c.String("engine-key"))
	if err != nil {
		return err
	}
	reason := c.String("reason")
	if reason == "" {
		reason = "engine init"
	}
	err = p.create(c.Context, t, engine.Setup{Domains: c.StringSlice("domain"), Actor: engine.Actor{Who: operator(), Reason: reason}})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "made the store %s\n", t.path)
	if t.key == "" {
		fmt.Fprintf(p.out, "its key is %s: keep it private, and keep a copy elsewhere\n", t.keyPath())
	}
	return nil
}

// withEngine opens the store that a command names, hands the engine over, and
// closes it.
func (p *program) withEngine(c *cli.Context, use func(*embedded) error) (err error) {
	t, err := parseTarget("store", c.String("store"), c.String("engine-key"))
	if err != nil {
		return err
	}
	e, err := p.open(c.Context, t, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return use(e)
}
