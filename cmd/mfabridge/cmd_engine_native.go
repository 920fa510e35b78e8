package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

func (p *program) nativeCommand() *cli.Command {
	return &cli.Command{
		Name:  "native",
		Usage: "applications whose users sign in inside the application (native authentication)",
		Subcommands: []*cli.Command{
			{Name: "add", Usage: "register an application; it has no secret", ArgsUsage: "NAME",
				Description: "NAME is what users are shown. The command prints the client id that the application is configured with.\ndocs/native-auth.md says what each option leads to.",
				Flags: slices.Concat(storeFlags(), []cli.Flag{
					&cli.StringFlag{Name: "id", Usage: "client `ID`, a UUID (default: a new one)"},
				}, nativeFlags(), []cli.Flag{reasonFlag()}), Action: p.addNative},
			{Name: "set", Usage: "change an application: what is given replaces what was there", ArgsUsage: "CLIENT-ID",
				Flags: slices.Concat(storeFlags(), []cli.Flag{
					&cli.StringFlag{Name: "name", Usage: "`NAME` that users are shown"},
					&cli.BoolFlag{Name: "disabled", Usage: "nobody signs in, and no refresh token is taken; --disabled=false ends that"},
				}, nativeFlags(), []cli.Flag{reasonFlag()}), Action: p.setNative},
			{Name: "list", Usage: "list all applications", Flags: append(storeFlags(), formatFlag()), Action: p.listNative},
			{Name: "show", Usage: "show one application", ArgsUsage: "CLIENT-ID", Flags: append(storeFlags(), formatFlag()), Action: p.showNative},
			{Name: "remove", Usage: "forget an application; its refresh tokens are worth nothing", ArgsUsage: "CLIENT-ID",
				Flags: append(storeFlags(), reasonFlag()), Action: p.removeNative},
			{Name: "end", Usage: "end all sign-ins of a user: no refresh token of theirs is taken any more", ArgsUsage: "USER",
				Flags: append(storeFlags(), reasonFlag()), Action: p.endNative},
		},
	}
}

// nativeFlags are what an application can be set to.
func nativeFlags() []cli.Flag {
	list := func(name, text string) cli.Flag {
		return &cli.StringSliceFlag{Name: name, Usage: text}
	}
	word := func(name, text string) cli.Flag { return &cli.StringFlag{Name: name, Usage: text} }
	yes := func(name, text string) cli.Flag { return &cli.BoolFlag{Name: name, Usage: text} }
	return []cli.Flag{
		list("origin", "`ORIGIN` of a web page that may call: https://HOST[:PORT], or http:// for localhost"),
		list("first", "first `FACTOR`: password or email (default: password)"),
		word("audience", "`AUDIENCE` of access tokens (default: the client id)"),
		list("scope", "`SCOPE` that may be asked for besides openid, profile, email and offline_access"),
		yes("sign-up", "let people make themselves an account"),
		list("attribute", "`NAME` that is asked at sign-up; NAME:required must be given; displayName is the user's"),
		yes("reset", "let people set a new password by a code to their confirmed address; mail is no second factor to a password then"),
		yes("enrol", "let people register a second factor who need one and have none at all"),
		yes("reveal-users", "say who has an account (user_not_found, user_already_exists)"),
		&cli.DurationFlag{Name: "refresh", DefaultText: "24h", Usage: "how `LONG` a sign-in can be refreshed, 1h to 2160h"},
		list("region-open", "`PREFIX` of numbers that texts go to, such as +41"),
		list("region-closed", "`PREFIX` of numbers that no text goes to"),
		word("text", "`TEMPLATE` of code messages, with <$otp$> and <$application_name$>"),
		word("accent", "`COLOUR` of its pages, #rrggbb"),
		word("logo", "https `ADDRESS` of its picture"),
		word("terms", "https `ADDRESS` of its terms"),
		word("help-page", "https `ADDRESS` where its users find help"),
	}
}

// nativeEdit changes an application by what was given.
func nativeEdit(c *cli.Context, a *engine.NativeApp) error {
	for name, to := range map[string]*[]string{"origin": &a.Origins, "first": &a.First, "scope": &a.Scopes, "region-open": &a.Open, "region-closed": &a.Closed} {
		if c.IsSet(name) {
			*to = slices.DeleteFunc(c.StringSlice(name), func(s string) bool { return s == "" })
		}
	}
	for name, to := range map[string]*string{"audience": &a.Audience, "name": &a.Name, "text": &a.Brand.Text, "accent": &a.Brand.Accent, "logo": &a.Brand.Logo,
		"terms": &a.Brand.Terms, "help-page": &a.Brand.Help} {
		if c.IsSet(name) {
			*to = c.String(name)
		}
	}
	for name, to := range map[string]*bool{"sign-up": &a.SignUp, "reset": &a.Reset, "enrol": &a.Enrol, "reveal-users": &a.Reveal, "disabled": &a.Disabled} {
		if c.IsSet(name) {
			*to = c.Bool(name)
		}
	}
	if c.IsSet("refresh") {
		a.Refresh = c.Duration("refresh")
	}
	if c.IsSet("attribute") {
		a.Attributes = nil
		for _, s := range c.StringSlice("attribute") {
			name, must, marked := strings.Cut(s, ":")
			if marked && must != "required" {
				return usage(fmt.Sprintf("--attribute cannot be %q", migrate.Plain(s)), "write NAME or NAME:required")
			}
			if name != "" {
				a.Attributes = append(a.Attributes, engine.NativeAttribute{Name: name, Required: marked})
			}
		}
	}
	return nil
}

func (p *program) addNative(c *cli.Context) error {
	name, by, err := named(c, "NAME")
	if err != nil {
		return err
	}
	a := engine.NativeApp{ID: c.String("id"), Name: name, First: []string{engine.FirstPassword}}
	if err := nativeEdit(c, &a); err != nil {
		return err
	}
	a.Name = name
	return p.withEngine(c, func(e *embedded) error {
		made, err := e.AddNativeApp(c.Context, by, a)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "registered %s, client id %s\n", migrate.Plain(made.Name), made.ID)
		return p.warnNative(c, e)
	})
}

// warnNative says what follows from applications together that one alone does
// not show.
func (p *program) warnNative(c *cli.Context, e *embedded) error {
	all, err := e.NativeApps(c.Context)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(a engine.NativeApp) bool { return a.Reset }) {
		fmt.Fprintln(p.err, "mfabridge: a password can be reset by mail, so mail is no second factor to a password, in any application")
	}
	if slices.ContainsFunc(all, func(a engine.NativeApp) bool { return a.SignUp }) {
		fmt.Fprintln(p.err, "mfabridge: anybody with a mailbox can make an account, which is one for every client of this store, RADIUS with primary: engine too: give customers a store of their own")
	}
	return nil
}

func (p *program) setNative(c *cli.Context) error {
	id, by, err := named(c, "CLIENT-ID")
	if err != nil {
		return err
	}
	return p.withEngine(c, func(e *embedded) error {
		if err := e.ChangeNativeApp(c.Context, by, id, func(a *engine.NativeApp) error { return nativeEdit(c, a) }); err != nil {
			return nativeHint(err)
		}
		fmt.Fprintf(p.out, "changed %s\n", id)
		return p.warnNative(c, e)
	})
}

func nativeHint(err error) error {
	if cloud.KindOf(err) == cloud.NotFound {
		return hint.Wrap(err, "mfabridge engine native list shows which there are")
	}
	return err
}

// nativeForm is an application in JSON; what is not set is left out.
type nativeForm struct {
	Type string `json:"type,omitempty"`
	engine.NativeApp
	Refresh string `json:"refresh"`
}

func nativeFormOf(a engine.NativeApp) nativeForm {
	return nativeForm{NativeApp: a, Refresh: a.RefreshLife().Round(time.Second).String()}
}

func (p *program) listNative(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	l, err := p.list(c, "CLIENT ID", "NAME", "FIRST FACTOR", "OFFERS", "STATE")
	if err != nil {
		return err
	}
	return p.withEngine(c, func(e *embedded) error {
		all, err := e.NativeApps(c.Context)
		if err != nil {
			return err
		}
		for _, a := range all {
			offers := []string{}
			for _, o := range []struct {
				is   bool
				word string
			}{{a.SignUp, "sign-up"}, {a.Reset, "reset"}, {a.Enrol, "enrol"}} {
				if o.is {
					offers = append(offers, o.word)
				}
			}
			state := "enabled"
			if a.Disabled {
				state = "disabled"
			}
			form := nativeFormOf(a)
			form.Type = "native_application"
			if err := l.add(form, a.ID, a.Name, strings.Join(a.First, ", "), orNone(offers, "-"), state); err != nil {
				return err
			}
		}
		return l.end()
	})
}

func (p *program) showNative(c *cli.Context) error {
	given, err := args(c, "CLIENT-ID")
	if err != nil {
		return err
	}
	l, err := p.list(c)
	if err != nil {
		return err
	}
	return p.withEngine(c, func(e *embedded) error {
		a, err := e.NativeApp(c.Context, given[0])
		if err != nil {
			return nativeHint(err)
		}
		form := nativeFormOf(a)
		if l.asJSON {
			form.Type = "native_application"
			return p.jsonLine(form)
		}
		rows, err := members(form)
		for _, row := range rows {
			l.row(row[:])
		}
		return errors.Join(err, l.end())
	})
}

func (p *program) removeNative(c *cli.Context) error {
	id, by, err := named(c, "CLIENT-ID")
	if err != nil {
		return err
	}
	return p.withEngine(c, func(e *embedded) error {
		if err := e.RemoveNativeApp(c.Context, by, id); err != nil {
			return nativeHint(err)
		}
		fmt.Fprintf(p.out, "removed %s\n", id)
		return nil
	})
}

func (p *program) endNative(c *cli.Context) error {
	name, by, err := named(c, "USER")
	if err != nil {
		return err
	}
	return ofUser(c, p.withEngine, name, func(e *embedded, u cloud.User) error {
		n, err := e.EndSignIns(c.Context, by, u.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s: %d sign-ins ended; access tokens run out within an hour\n", migrate.Plain(u.UPN), n)
		return nil
	})
}
