package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
)

func (p *program) engineCommand() *cli.Command {
	return &cli.Command{
		Name:  "engine",
		Usage: "make a store for the cloud engine, administer it, and serve it",
		Subcommands: []*cli.Command{
			{
				Name:  "init",
				Usage: "make an empty store and its key",
				Description: "The key opens every secret in the store. It is written beside the store, as PATH.key, unless --engine-key\n" +
					"names one. Keep it out of backups of the store, and keep a copy: without it the store is lost.\n\n" +
					"A store made --as entra rehearses Microsoft Entra ID: it takes what Graph can write and refuses the\n" +
					"rest. What no public text settles about Entra ID is chosen with --assume; the default is the careful one.",
				Flags: slices.Concat(storeFlags(), kindFlags(), []cli.Flag{
					&cli.StringSliceFlag{Name: "domain", Usage: "mail `DOMAIN` of the organisation; addresses elsewhere are external"},
					&cli.StringFlag{Name: "reason", Usage: "why, for the audit"},
				}),
				Action: p.engineInit,
			},
			p.userCommand(),
			p.groupCommand(),
			p.policyCommand(),
			p.appCommand(),
			p.nativeCommand(),
			p.auditCommand(),
			p.keyCommand(),
			p.backupCommand(),
			p.restoreCommand(),
			p.inviteCommand(),
			p.settingsCommand(),
			p.engineServeCommand(),
			p.providerCommand(),
		},
	}
}

func storeFlags() []cli.Flag { return targetFlags("store", "work on", stores) }

// kindFlags say what a new store is made as.
func kindFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "as", Usage: "`KIND` of a new store: engine (default), or entra to rehearse Microsoft Entra ID"},
		&cli.StringSliceFlag{Name: "assume",
			Usage: "with --as entra: `NAME=VALUE` of oath-activation=yes|no, delayed=yes|no, unset-default=yes|no, cloud=global|usgov|china"},
	}
}

// kindOf is what kindFlags say.
func kindOf(c *cli.Context) (with engine.Setup, err error) {
	if with.Kind, err = engine.ParseKind(cmp.Or(c.String("as"), string(engine.KindEngine))); err != nil {
		return with, usage("--as: "+err.Error(), "use --as engine or --as entra")
	}
	if with.Assumed, err = engine.ParseAssumptions(c.StringSlice("assume")); err != nil {
		return with, usage("--assume: "+err.Error(), "e.g. --assume oath-activation=yes --assume cloud=usgov")
	}
	if with.Kind == engine.KindEngine && with.Assumed != (engine.Assumptions{}) {
		return with, usage("--assume is for a store that rehearses Entra ID", "add --as entra, or leave --assume out")
	}
	return with, nil
}

// reasonFlag is for what changes a store: who and why stand in the audit.
func reasonFlag() cli.Flag {
	return &cli.StringFlag{Name: "reason", Usage: "why, for the audit (required)"}
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
	with, err := kindOf(c)
	if err != nil {
		return err
	}
	t, err := parseTarget("--store", stores, c.String("store"), c.String("engine-key"))
	if err != nil {
		return err
	}
	reason := c.String("reason")
	if reason == "" {
		reason = "engine init"
	}
	with.Domains, with.Actor = c.StringSlice("domain"), engine.Actor{Who: operator(), Reason: reason}
	if err := p.create(c.Context, t, with); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "made the store %s\n", t.called())
	if with.Kind == engine.KindEntra {
		fmt.Fprintln(p.out, "it rehearses Microsoft Entra ID; fill it with: mfabridge engine user import")
	}
	if path, ok := strings.CutPrefix(t.key, "file:"); ok && t.database != "" {
		fmt.Fprintf(p.out, "its key is %s: keep it private, keep a copy elsewhere, and give one to every node\n", path)
	}
	if t.key == "" {
		fmt.Fprintf(p.out, "its key is %s: keep it private, and keep a copy elsewhere\n", t.keyPath())
	}
	return nil
}

// withEngine opens the store that a command names, hands the engine over, and
// closes it.
func (p *program) withEngine(c *cli.Context, use func(*embedded) error) (err error) {
	t, err := parseTarget("--store", stores, c.String("store"), c.String("engine-key"))
	if err != nil {
		return err
	}
	e, err := p.open(c.Context, t, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return use(e)
}
