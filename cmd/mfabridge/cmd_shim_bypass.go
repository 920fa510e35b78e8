package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/shim/config"
)

func (p *program) shimBypassCommand(configFlag cli.Flag) *cli.Command {
	return &cli.Command{Name: "bypass", Usage: "let one login of a user pass without a second factor",
		Description: "Asks the engine of the configuration to let the next login of one user in after the first factor alone. It is used up\n" +
			"by that login, ends by itself, and stands in the audit with its reason. A whole client is never let off: that would\n" +
			"be a change of its configuration, which everybody can see.",
		Flags: []cli.Flag{configFlag, keyFlag(),
			&cli.StringFlag{Name: "user", EnvVars: env("user"), Usage: "any `NAME` that the engine knows the user by (required)"},
			&cli.StringFlag{Name: "client", EnvVars: env("client"), Usage: "only for a login at the client `NAME` (default: at any)"},
			&cli.DurationFlag{Name: "for", EnvVars: env("for"), Usage: "for a login within this `TIME`, at most 4h (required)"},
			reasonFlag()},
		Action: p.shimBypass}
}

func (p *program) shimBypass(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	switch {
	case c.String("user") == "":
		return usage("--user is missing: a bypass is one person's", "name the user; --client says at which client only")
	case c.Duration("for") <= 0:
		return usage("--for is missing: a bypass needs an end", "e.g. --for 30m, at most 4h")
	}
	by, err := actor(c)
	if err != nil {
		return err
	}
	conf, err := p.shimConfig(c.String("config"))
	if err != nil {
		return err
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
	fmt.Fprintf(p.out, "%s: one login at %s until %s\n", migrate.Plain(u.UPN), at, until.UTC().Format(time.RFC3339))
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
	t, err := parseTarget("engine.store", conf.Store, key)
	if err != nil {
		return nil, err
	}
	return p.open(ctx, t, sqlite.Options{})
}
