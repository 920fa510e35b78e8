package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

func (p *program) appCommand() *cli.Command {
	return &cli.Command{
		Name:  "app",
		Usage: "administer the applications that may call the engine",
		Subcommands: []*cli.Command{
			{Name: "add", Usage: "register an application and write its secret into a new file", ArgsUsage: "NAME", Flags: slices.Concat(adminFlags(), []cli.Flag{
				&cli.StringFlag{Name: "role", Usage: "`ROLE`: migrate, shim, helpdesk, auditor or admin"},
				&cli.DurationFlag{Name: "for", DefaultText: "without end", Usage: "valid for this `TIME`, e.g. 720h (required for migrate)"},
				&cli.StringFlag{Name: "secret-out", Usage: "write the secret to `FILE` (mode 0600); it cannot be shown again"},
				reasonFlag(),
			}), Action: p.addApp},
			p.appKeyCommand(),
			{Name: "list", Usage: "list all applications", Flags: append(adminFlags(), formatFlag()), Action: p.listApps},
			{Name: "remove", Usage: "take an application's access away", ArgsUsage: "NAME",
				Flags: append(adminFlags(), reasonFlag()), Action: p.removeApp},
		},
	}
}

func (p *program) addApp(c *cli.Context) error {
	name, by, err := named(c, "NAME")
	if err != nil {
		return err
	}
	out := c.String("secret-out")
	if out == "" {
		return usage("--secret-out is missing", "the secret is written into a file, never printed")
	}
	role := engine.Role(c.String("role"))
	if !slices.Contains(engine.Roles(), role) {
		return usage(fmt.Sprintf("--role cannot be %q", role), "use migrate, shim, helpdesk, auditor or admin")
	}
	var until time.Time
	switch lasts := c.Duration("for"); {
	case lasts > 0:
		until = p.now().Add(lasts)
	case c.IsSet("for"): // never for good because somebody reckoned wrong
		return usage(fmt.Sprintf("--for cannot be %v", lasts), "say how long from now it is valid, e.g. 720h; left out it has no end")
	case role == engine.RoleMigrate:
		return usage("--for is missing: an application that may migrate needs an end", "e.g. --for 720h")
	}
	return p.administer(c, func(e administrator) error {
		if err := registerApp(c.Context, e, by, engine.App{Name: name, Role: role, Until: until}, out); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "registered %s, its secret is in %s\n", migrate.Plain(name), out)
		return nil
	})
}

// registerApp registers an application and writes its secret into a new file.
// One whose secret could not be kept is taken away again: nobody can call as it,
// and its name would stay taken.
func registerApp(ctx context.Context, e administrator, by engine.Actor, app engine.App, out string) (err error) {
	f, err := newPartFor("secret-out", out, "the secret's file")
	if err != nil {
		return err
	}
	defer func() { err = f.end(err) }()
	word, err := e.AddApp(ctx, by, app.Name, app.Role, app.Until)
	if err != nil {
		return err
	}
	defer word.Wipe()
	if _, err = f.Write(append(word.Reveal(), '\n')); err == nil {
		err = f.publish()
	}
	if err == nil {
		return nil
	}
	if left := e.RemoveApp(context.WithoutCancel(ctx), by, app.Name); left != nil {
		return errors.Join(err, hint.Wrap(fmt.Errorf("%s is registered all the same: %w", migrate.Plain(app.Name), left), "mfabridge engine app remove "+migrate.Plain(app.Name)))
	}
	return err
}

// appForm is an application in JSON.
type appForm struct {
	Type    string      `json:"type"`
	Name    string      `json:"name"`
	Role    engine.Role `json:"role"`
	Created *time.Time  `json:"created"`
	Until   *time.Time  `json:"until"`
}

func (p *program) listApps(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	l, err := p.list(c, "APPLICATION", "ROLE", "UNTIL")
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		apps, err := e.Apps(c.Context)
		if err != nil {
			return err
		}
		for _, app := range apps {
			until := "without end"
			if !app.Until.IsZero() {
				until = stamp(app.Until)
			}
			form := appForm{"application", app.Name, app.Role, orNull(app.Created), orNull(app.Until)}
			if err := l.add(form, app.Name, string(app.Role), until); err != nil {
				return err
			}
		}
		return l.end()
	})
}

func (p *program) removeApp(c *cli.Context) error {
	name, by, err := named(c, "NAME")
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		if err := e.RemoveApp(c.Context, by, name); err != nil {
			return hint.Wrap(err, "mfabridge engine app list shows which there are")
		}
		fmt.Fprintf(p.out, "removed %s\n", migrate.Plain(name))
		return nil
	})
}
