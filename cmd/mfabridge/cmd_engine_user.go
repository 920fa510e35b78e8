package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
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
			Action: func(c *cli.Context) error { return p.changeUser(c, do) }}
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
			change("block", "block a user for a time; holds for the next login", []cli.Flag{&cli.DurationFlag{Name: "for",
				Value: 90 * 24 * time.Hour, Usage: "`TIME`, e.g. 24h"}}, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
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
					fmt.Fprintf(p.out, "invited until %s\n", until.UTC().Format(time.RFC3339))
				}
				return err
			}),
			change("pin", "have a user approve with a PIN, or take the PINs of their authenticators away", []cli.Flag{
				&cli.StringFlag{Name: "required", Usage: "`YES|NO`: this user approves with a PIN, whatever engine settings says of all (required)"},
				&cli.BoolFlag{Name: "reset", Usage: "take the PINs of all their authenticators away: each asks for a new one"},
			}, func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
				said, known := map[string]bool{"yes": true, "no": false}[c.String("required")]
				if !known {
					return usage("--required must be yes or no", "e.g. --required yes, or --required no --reset")
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

func (p *program) changeUser(c *cli.Context, do func(*cli.Context, administrator, engine.Actor, cloud.User) error) error {
	name, by, err := named(c, "USER")
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		u, err := findUser(c, e, name)
		if err != nil {
			return err
		}
		if err := do(c, e, by, u); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s: %s, done\n", migrate.Plain(u.UPN), c.Command.Name)
		return nil
	})
}

func findUser(c *cli.Context, e administrator, name string) (cloud.User, error) {
	u, err := e.Show(c.Context, name)
	if err != nil && cloud.KindOf(err) == cloud.NotFound {
		err = hint.Wrap(&cloud.Error{Kind: cloud.NotFound, Message: fmt.Sprintf("there is no user %q", migrate.Plain(name))},
			"mfabridge engine user list shows who there is")
	}
	return u, err
}

// userForm is a user in JSON. Numbers and addresses are masked: a listing of
// a store goes where plans go.
type userForm struct {
	Type         string           `json:"type"`
	ID           cloud.UserID     `json:"id"`
	UPN          string           `json:"upn"`
	DisplayName  string           `json:"display_name"`
	Aliases      []string         `json:"aliases"`
	SID          string           `json:"sid"`
	Enabled      bool             `json:"enabled"`
	Methods      []methodForm     `json:"methods"`
	Default      cloud.Preference `json:"default_method"`
	BlockedUntil *time.Time       `json:"blocked_until"`
	Class        []string         `json:"class"`
	MayNotUse    []cloud.Method   `json:"may_not_use"` // by the method policy

	// Of one who is shown, not of a list.
	Authenticators *[]authenticatorForm `json:"authenticators,omitempty"`
	Bypass         *bypassForm          `json:"bypass,omitempty"` // that waits; an engine elsewhere does not tell
}

type bypassForm struct {
	Until time.Time `json:"until"`
	App   string    `json:"app"` // empty: anywhere
	By    string    `json:"by"`
}

type methodForm struct {
	Method    cloud.Method    `json:"method"`
	ID        string          `json:"id,omitempty"`
	Value     json.RawMessage `json:"value"`
	Confirmed *bool           `json:"confirmed,omitempty"` // of an email address: a code may go there
	SignIn    bool            `json:"sign_in,omitempty"`   // of a mobile: the user signs in with it, and it is no second factor
	Until     *time.Time      `json:"until,omitempty"`     // of an authenticator of one who is shown: when its invitation ends
}

func formOf(u cloud.User) (userForm, error) {
	form := userForm{Type: "user", ID: u.ID, UPN: u.UPN, DisplayName: u.DisplayName, Aliases: slices.Clone(u.Aliases), SID: u.SID,
		Enabled: u.Enabled, Methods: []methodForm{}, Default: u.Default, Class: classOf(u), MayNotUse: u.Forbidden}
	if form.Aliases == nil {
		form.Aliases = []string{}
	}
	if form.MayNotUse == nil {
		form.MayNotUse = []cloud.Method{}
	}
	if !u.BlockedUntil.IsZero() {
		form.BlockedUntil = &u.BlockedUntil
	}
	add := func(as methodForm, v cloud.Value) (err error) {
		if v.IsZero() {
			return nil
		}
		as.Value, err = migrate.ValueJSON(as.Method, migrate.MaskValue(as.Method, v))
		form.Methods = append(form.Methods, as)
		return err
	}
	var errs []error
	for _, m := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email} {
		as := methodForm{Method: m, SignIn: m == cloud.Mobile && u.NumberSignIn}
		if m == cloud.Email {
			as.Confirmed = &u.EmailConfirmed
		}
		errs = append(errs, add(as, u.Value(m, "", cloud.Value{})))
	}
	for _, a := range u.Authenticators {
		errs = append(errs, add(methodForm{Method: cloud.Authenticator, ID: a.ID}, cloud.Value{State: a.State}))
	}
	for i := range u.OATH {
		errs = append(errs, add(methodForm{Method: u.OATH[i].Method, ID: u.OATH[i].ID}, cloud.Value{OATH: &u.OATH[i].OATH}))
	}
	return form, errors.Join(errs...)
}

func (p *program) listUsers(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		t := table(p.out)
		if !asJSON {
			fmt.Fprintln(t, "USER\tSTATE\tDEFAULT\tMETHODS")
		}
		for u, err := range e.Users(c.Context) {
			if err != nil {
				return err
			}
			if asJSON {
				err = p.userJSON(u, nil, nil)
			} else {
				err = p.userLine(t, u)
			}
			if err != nil {
				return err
			}
		}
		return t.Flush()
	})
}

func (p *program) userJSON(u cloud.User, authenticators *[]authenticatorForm, waits *engine.Bypass) error {
	form, err := formOf(u)
	if err != nil {
		return err
	}
	form.Authenticators = authenticators
	for _, a := range u.Authenticators {
		i := slices.IndexFunc(form.Methods, func(m methodForm) bool { return m.Method == cloud.Authenticator && m.ID == a.ID })
		if i >= 0 && authenticators != nil && !a.Until.IsZero() {
			form.Methods[i].Until = &a.Until
		}
	}
	if waits != nil {
		form.Bypass = &bypassForm{waits.Until, waits.App, waits.By}
	}
	return p.jsonLine(form)
}

func (p *program) userLine(w io.Writer, u cloud.User) error {
	form, err := formOf(u)
	if err != nil {
		return err
	}
	var methods []string
	for _, m := range form.Methods {
		methods = append(methods, string(m.Method))
	}
	_, err = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", migrate.Plain(u.UPN), p.state(u), cmp.Or(string(u.Default), "none"), cmp.Or(strings.Join(methods, " "), "none"))
	return err
}

func (p *program) state(u cloud.User) string {
	switch {
	case !u.Enabled:
		return "disabled"
	case u.BlockedUntil.After(p.now()):
		return "blocked"
	default:
		return "enabled"
	}
}

func (p *program) showUser(c *cli.Context) error {
	given, err := args(c, "USER")
	if err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		u, err := findUser(c, e, given[0])
		if err != nil {
			return err
		}
		devices, err := e.Authenticators(c.Context, u.ID)
		if err != nil {
			return err
		}
		waits, err := waitingBypass(c, e, u.ID)
		if err != nil {
			return err
		}
		if asJSON {
			return p.userJSON(u, authenticatorForms(devices), waits)
		}
		return p.printUser(u, devices, waits)
	})
}

func (p *program) printUser(u cloud.User, devices []engine.OwnedDevice, waits *engine.Bypass) error {
	t := table(p.out)
	fmt.Fprintf(t, "user\t%s\nid\t%s\nname\t%s\nalso\t%s\nsid\t%s\nstate\t%s\n", migrate.Plain(u.UPN), u.ID,
		cmp.Or(migrate.Plain(u.DisplayName), "none"), cmp.Or(migrate.Plain(strings.Join(u.Aliases, ", ")), "none"), cmp.Or(u.SID, "none"), p.state(u))
	if u.BlockedUntil.After(p.now()) {
		fmt.Fprintf(t, "until\t%s\n", stamp(u.BlockedUntil))
	}
	printBypass(t, waits)
	fmt.Fprintf(t, "asked by\t%s\n", cmp.Or(string(u.Default), "none"))
	if class := classOf(u); len(class) > 0 {
		fmt.Fprintf(t, "class\t%s\n", strings.Join(class, ", "))
	}
	if len(u.Forbidden) > 0 {
		fmt.Fprintf(t, "may not use\t%s\n", strings.Join(words(u.Forbidden), " "))
	}
	line := func(m cloud.Method, v cloud.Value) error {
		if v.IsZero() {
			return nil
		}
		text, err := migrate.ValueText(m, v, false)
		if m == cloud.Email && !u.EmailConfirmed {
			text += " (not confirmed: notices only)"
		}
		if m == cloud.Mobile && u.NumberSignIn {
			text += " (signs in with it, where the policy allows textSignIn: no second factor)"
		}
		fmt.Fprintf(t, "%s\t%s\n", m, migrate.Plain(text))
		return err
	}
	for _, m := range []cloud.Method{cloud.Mobile, cloud.AlternateMobile, cloud.Office, cloud.Email} {
		if err := line(m, u.Value(m, "", cloud.Value{})); err != nil {
			return err
		}
	}
	p.printAuthenticators(t, u, devices)
	for i := range u.OATH {
		if err := line(u.OATH[i].Method, cloud.Value{OATH: &u.OATH[i].OATH}); err != nil {
			return err
		}
	}
	return t.Flush()
}

// classOf says what is particular about who the user is.
func classOf(u cloud.User) []string {
	class := []string{}
	for _, is := range []struct {
		so   bool
		word string
	}{{u.Guest, "guest"}, {u.External, "external"}, {u.Privileged, "privileged"}, {u.GlobalAdmin, "global administrator"}} {
		if is.so {
			class = append(class, is.word)
		}
	}
	return class
}

func words(methods []cloud.Method) (list []string) {
	for _, m := range methods {
		list = append(list, string(m))
	}
	return list
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
