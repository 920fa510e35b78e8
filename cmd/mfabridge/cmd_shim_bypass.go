package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/shim/config"
)

func (p *program) shimBypassCommand(configFlag cli.Flag) *cli.Command {
	return &cli.Command{Name: "bypass", Usage: "let one login of a user pass without a second factor, or for a while all of one client",
		Description: "With --user: asks the engine of the configuration to let the next login of one user in after the first factor alone.\n" +
			"It is used up by that login, ends by itself, and stands in the audit with its reason.\n" +
			"With --client alone: until the time is over, whoever logs in at that client needs the first factor only, each time anew.\n" +
			"This node keeps it under data, so that it holds through a restart, and every node needs its own; run it as the user\n" +
			"whom the shim runs as. Never for a client with primary: none.",
		Flags: []cli.Flag{configFlag, keyFlag(),
			&cli.StringFlag{Name: "user", Usage: "any `NAME` that the engine knows the user by"},
			&cli.StringFlag{Name: "client", Usage: "the client `NAME`: with --user only for a login there (default: at any), without for everybody there"},
			&cli.DurationFlag{Name: "for", DefaultText: "none, it is required but for --end", Usage: "for a login within this `TIME`, at most 4h"},
			&cli.BoolFlag{Name: "end", Usage: "end a client's bypass now"},
			reasonFlag()},
		Action: p.shimBypass}
}

func (p *program) shimBypass(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	switch {
	case c.String("user") == "" && c.String("client") == "":
		return usage("--user or --client is missing", "name one user, or a client for all who log in there")
	case c.Bool("end") && (c.String("user") != "" || c.IsSet("for")):
		return usage("--end ends the bypass of a client, and takes --client and --reason alone", "mfabridge engine user bypass-end ends that of a user")
	case c.Duration("for") <= 0 && !c.Bool("end"):
		return usage("--for is missing: a bypass needs an end", "e.g. --for 30m, at most 4h")
	}
	by, err := actor(c)
	if err != nil {
		return err
	}
	if c.Bool("end") {
		return p.endBypass(c, by)
	}
	conf, err := p.shimConfig(c.String("config"))
	if err != nil {
		return err
	}
	if c.String("user") == "" {
		return p.bypassClient(c, conf, by)
	}
	at, app := "any client", ""
	if name := c.String("client"); name != "" {
		client, err := clientOf(conf, name)
		if err != nil {
			return err
		}
		at, app = "client "+client.Name, client.Name
	}
	e, err := p.engineOfShim(c.Context, &conf.Engine, c.String("engine-key"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	u, err := findUser(c, e, c.String("user"))
	if err != nil {
		return err
	}
	until := p.now().Add(c.Duration("for"))
	if err := e.AllowBypass(c.Context, by, u.ID, app, until); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s: one login at %s until %s\n", migrate.Plain(u.UPN), at, stamp(until))
	return nil
}

// engineOfShim opens the store of a shim's engine beside a shim that may run.
func (p *program) engineOfShim(ctx context.Context, conf *config.Engine, key string) (*embedded, error) {
	switch {
	case conf.URL != "":
		return nil, hint.New("the engine is elsewhere, and lets a shim ask but change nothing",
			"mfabridge engine user bypass --store "+conf.URL+" does it, as an application of role admin")
	case conf.Config != "":
		return p.checkServer(ctx, conf.Config)
	}
	t, err := parseTarget("engine.store", stores, conf.Store, key)
	if err != nil {
		return nil, err
	}
	return p.open(ctx, t, sqlite.Options{})
}
