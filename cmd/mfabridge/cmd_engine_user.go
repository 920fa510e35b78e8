package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

func (p *program) userCommand() *cli.Command {
	change := func(name, text string, flags []cli.Flag, do func(*cli.Context, administrator, engine.Actor, cloud.User) error) *cli.Command {
		return &cli.Command{Name: name, Usage: text, ArgsUsage: "USER", Flags: slices.Concat(adminFlags(), flags, []cli.Flag{reasonFlag()}),
			Action: func(c *cli.Context) error { return changeUser(p, c, p.administer, do) }}
	}
	return &cli.Command{
		Name:  "user",
		Usage: "list users of a store and change them",
		Subcommands: slices.Concat([]*cli.Command{
			{Name: "add", Usage: "make a user without any method", ArgsUsage: "UPN", Flags: slices.Concat(adminFlags(), []cli.Flag{
				&cli.StringFlag{Name: "display-name", Usage: "`NAME` for people"},
				&cli.StringSliceFlag{Name: "alias", Usage: "another `NAME` that a login may use"},
				&cli.StringFlag{Name: "sid", Usage: "Windows security identifier"},
				&cli.BoolFlag{Name: "disabled", Usage: "make the user disabled"},
				reasonFlag(),
			}), Action: p.addUser},
			p.importCommand(),
			{Name: "list", Usage: "list all users", Flags: append(adminFlags(), formatFlag()), Action: p.listUsers},
			{Name: "show", Usage: "show one user, by any name that a login may use, or by id", ArgsUsage: "USER",
				Flags: append(adminFlags(), formatFlag()), Action: p.showUser},
			change("enable", "let a user verify again", nil, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
				return e.SetEnabled(c.Context, by, u.ID, true)
			}),
			change("disable", "keep a user from verifying", nil, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
				return e.SetEnabled(c.Context, by, u.ID, false)
			}),
			change("block", "block a user for a time; sign-ins that wait for an approval end", []cli.Flag{&cli.DurationFlag{Name: "for",
				Value: 90 * 24 * time.Hour, Usage: "`TIME`, e.g. 24h"}}, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
				if lasts := c.Duration("for"); lasts <= 0 {
					return usage(fmt.Sprintf("--for cannot be %v", lasts), "say how long from now the block lasts, e.g. 24h")
				}
				until := p.now().Add(c.Duration("for"))
				if err := e.Block(c.Context, by, u.ID, until); err != nil {
					return err
				}
				fmt.Fprintf(p.out, "blocked until %s\n", stamp(until))
				return nil
			}),
			change("unblock", "end a block", nil, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
				return e.Unblock(c.Context, by, u.ID)
			}),
			change("invite", "invite a user to activate an authenticator", nil, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
				_, until, err := e.Invite(c.Context, by, u.ID)
				if err == nil {
					fmt.Fprintf(p.out, "invited until %s\n", stamp(until))
				}
				return err
			}),
			change("pin", "have a user approve with a PIN, or take the PINs of their authenticators away", []cli.Flag{
				&cli.StringFlag{Name: "required", Usage: "`YES|NO`: this user approves with a PIN, whatever engine settings says of all (required, but for --reset)"},
				&cli.BoolFlag{Name: "reset", Usage: "take the PINs of all their authenticators away: each asks for a new one"},
			}, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
				if c.String("required") == "" && c.Bool("reset") {
					return e.ResetPINs(c.Context, by, u.ID)
				}
				said, known := map[string]bool{"yes": true, "no": false}[c.String("required")]
				if !known {
					return usage("--required must be yes or no", "e.g. --required yes, or --reset alone")
				}
				return e.RequirePIN(c.Context, by, u.ID, said, c.Bool("reset"))
			}),
			change("password", "give a user a password for logins whose first factor the engine checks", []cli.Flag{&cli.StringFlag{Name: "password",
				Usage: "where it is: `file:PATH`, env:NAME, or - for standard input (default: a prompt)"}},
				func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
					word, err := p.password(c.Context, c.String("password"))
					if err != nil {
						return err
					}
					return e.SetPassword(c.Context, by, u.ID, word)
				}),
		}, p.deviceCommands(), p.exceptionCommands(change), p.emailCommands(change), p.numberCommands(change), p.personCommands()),
	}
}

func (p *program) addUser(c *cli.Context) error {
	name, by, err := named(c, "UPN")
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		id, err := e.AddUser(c.Context, by, cloud.Profile{UPN: name, DisplayName: c.String("display-name"),
			Aliases: c.StringSlice("alias"), SID: c.String("sid"), Enabled: !c.Bool("disabled")})
		if cloud.KindOf(err) == cloud.Conflict {
			return whoHas(c, e, err, append(c.StringSlice("alias"), name))
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "made user %s, id %s\n", migrate.Plain(name), id)
		return nil
	})
}

// whoHas names in err's advice whoever has one of these names already.
func whoHas(c *cli.Context, e administrator, err error, names []string) error {
	for _, name := range names {
		if u, missing := e.Show(c.Context, name); missing == nil {
			return hint.Wrap(err, fmt.Sprintf("%s leads to %s already; mfabridge engine user show %s says more", migrate.Plain(name), migrate.Plain(u.UPN), migrate.Plain(u.UPN)))
		}
	}
	return err
}

// changeUser changes the user whom the argument names, and says that it is done.
func changeUser[E administrator](p *program, c *cli.Context, open func(*cli.Context, func(E) error) error,
	do func(*cli.Context, E, engine.Actor, cloud.User) error) error {
	name, by, err := named(c, "USER")
	if err != nil {
		return err
	}
	return ofUser(c, open, name, func(e E, u cloud.User) error {
		if err := do(c, e, by, u); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s: %s, done\n", migrate.Plain(u.UPN), c.Command.Name)
		return nil
	})
}

// ofUser opens an engine, and hands it over with the user of a name or id.
func ofUser[E administrator](c *cli.Context, open func(*cli.Context, func(E) error) error, name string, use func(E, cloud.User) error) error {
	return open(c, func(e E) error {
		u, err := findUser(c, e, name)
		if err != nil {
			return err
		}
		return use(e, u)
	})
}

func findUser(c *cli.Context, e administrator, name string) (cloud.User, error) {
	u, err := e.Show(c.Context, name)
	if err != nil && cloud.KindOf(err) == cloud.NotFound {
		err = hint.Wrap(&cloud.Error{Kind: cloud.NotFound, Message: "there is no user " + migrate.Quoted(name)},
			"mfabridge engine user list shows who there is")
	}
	return u, err
}

// password reads a new password, asked for twice on a terminal.
func (p *program) password(ctx context.Context, ref string) (secret.Bytes, error) {
	stdin := p.keyboard()
	if ref != "" || stdin == nil {
		word, err := p.secretText(ctx, "", ref)
		return secret.New(bytes.TrimRight(word.Reveal(), "\r\n")), err
	}
	var words [2]secret.Bytes
	for i, prompt := range []string{"New password: ", "Once more: "} {
		var err error
		if words[i], err = p.hidden(ctx, stdin, prompt); err != nil {
			return secret.Bytes{}, err
		}
	}
	if !words[0].Equal(words[1]) {
		return secret.Bytes{}, errors.New("the two passwords differ; nothing was changed")
	}
	return words[0], nil
}
