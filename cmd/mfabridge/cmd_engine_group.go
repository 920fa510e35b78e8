package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/migrate"
)

func (p *program) groupCommand() *cli.Command {
	memberFlags := slices.Concat(adminFlags(), []cli.Flag{
		&cli.StringFlag{Name: "user", Usage: "`USER`, by any name that a login may use"},
		&cli.StringFlag{Name: "group", Usage: "another `GROUP`, by name or id"},
		reasonFlag()})
	return &cli.Command{
		Name:  "group",
		Usage: "groups of users and of other groups, for the method policy and for waves",
		Subcommands: []*cli.Command{
			{Name: "add", Usage: "make an empty group", ArgsUsage: "NAME", Flags: append(adminFlags(), reasonFlag()), Action: p.addGroup},
			{Name: "remove", Usage: "forget a group; its members stay", ArgsUsage: "GROUP", Flags: append(adminFlags(), reasonFlag()), Action: p.removeGroup},
			{Name: "list", Usage: "list all groups", Flags: adminFlags(), Action: p.listGroups},
			{Name: "members", Usage: "list the users of a group and of all groups within it, by id", ArgsUsage: "GROUP", Flags: adminFlags(), Action: p.listMembers},
			{Name: "join", Usage: "put a user or another group into a group", ArgsUsage: "GROUP", Flags: memberFlags,
				Action: func(c *cli.Context) error { return p.changeMember(c, true) }},
			{Name: "leave", Usage: "take a user or another group out of a group", ArgsUsage: "GROUP", Flags: memberFlags,
				Action: func(c *cli.Context) error { return p.changeMember(c, false) }},
		},
	}
}

func (p *program) addGroup(c *cli.Context) error {
	name, by, err := named(c, "NAME")
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		id, err := e.AddGroup(c.Context, by, name)
		if err == nil {
			fmt.Fprintf(p.out, "made group %s, id %s\n", migrate.Plain(name), id)
		}
		return err
	})
}

func (p *program) removeGroup(c *cli.Context) error {
	name, by, err := named(c, "GROUP")
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		err := e.RemoveGroup(c.Context, by, name)
		if err == nil {
			fmt.Fprintf(p.out, "%s: removed\n", migrate.Plain(name))
		}
		return err
	})
}

func (p *program) listGroups(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		t := table(p.out)
		fmt.Fprintln(t, "GROUP\tID")
		for g, err := range e.Groups(c.Context) {
			if err != nil {
				return err
			}
			fmt.Fprintf(t, "%s\t%s\n", migrate.Plain(g.Name), g.ID)
		}
		return t.Flush()
	})
}

func (p *program) listMembers(c *cli.Context) error {
	given, err := args(c, "GROUP")
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		for id, err := range e.Members(c.Context, given[0]) {
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(p.out, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// changeMember puts a user or a group into a group, or takes it out.
func (p *program) changeMember(c *cli.Context, join bool) error {
	group, by, err := named(c, "GROUP")
	if err != nil {
		return err
	}
	user, inner := c.String("user"), c.String("group")
	if (user == "") == (inner == "") {
		return usage("say who: one of --user and --group", "e.g. --user ada@contoso.example")
	}
	return p.administer(c, func(e administrator) error {
		kind, member := engine.MemberGroup, inner
		if user != "" {
			u, err := findUser(c, e, user)
			if err != nil {
				return err
			}
			kind, member = engine.MemberUser, string(u.ID)
		}
		switch {
		case !join:
			err = e.RemoveFromGroup(c.Context, by, group, kind, member)
		case kind == engine.MemberUser:
			err = e.AddUserToGroup(c.Context, by, group, cloud.UserID(member))
		default:
			err = e.AddGroupToGroup(c.Context, by, group, member)
		}
		if err == nil {
			fmt.Fprintf(p.out, "%s: %s, done\n", migrate.Plain(group), c.Command.Name)
		}
		return err
	})
}

func (p *program) policyCommand() *cli.Command {
	var words []string
	for _, m := range engine.PolicyMethods() {
		words = append(words, string(m))
	}
	return &cli.Command{
		Name:  "policy",
		Usage: "who may use which method, and which sign-ins need a second factor",
		Subcommands: append([]*cli.Command{
			{Name: "show", Usage: "show the method policy", Flags: adminFlags(), Action: p.showPolicy},
			{Name: "set", Usage: "set one line of the policy, whole", ArgsUsage: "METHOD",
				Description: "METHOD is one of " + strings.Join(words, ", ") + ". What is not given is off: without --include everybody may\n" +
					"use the method, without --sign-in nobody signs in by text. It holds for the next login.",
				Flags: slices.Concat(adminFlags(), []cli.Flag{
					&cli.StringFlag{Name: "state", Usage: "`STATE`: enabled or disabled"},
					&cli.StringSliceFlag{Name: "include", Usage: "only for this `GROUP` (name or id) and the groups within it"},
					&cli.StringSliceFlag{Name: "exclude", Usage: "not for this `GROUP`, whatever else its members are in"},
					&cli.BoolFlag{Name: "sign-in", Usage: "sms only: let people sign in with their mobile number instead of a password"},
					reasonFlag(),
				}), Action: p.setPolicy},
		}, p.accessCommands()...),
	}
}

func (p *program) showPolicy(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		policy, err := e.Policy(c.Context)
		if err != nil {
			return err
		}
		names := map[string]string{}
		for g, err := range e.Groups(c.Context) {
			if err != nil {
				return err
			}
			names[g.ID] = g.Name
		}
		list := func(ids []string, none string) string {
			var out []string
			for _, id := range ids {
				out = append(out, migrate.Plain(names[id]))
			}
			if len(out) == 0 {
				return none
			}
			return strings.Join(out, ", ")
		}
		t := table(p.out)
		fmt.Fprintln(t, "METHOD\tSTATE\tFOR\tNOT FOR\tSIGN-IN")
		for _, method := range engine.PolicyMethods() {
			m := policy[method]
			state, signIn := "disabled", "no"
			if m.Enabled {
				state = "enabled"
			}
			if m.SignIn {
				signIn = "yes"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", method, state, list(m.Include, "everybody"), list(m.Exclude, "nobody"), signIn)
		}
		return t.Flush()
	})
}

func (p *program) setPolicy(c *cli.Context) error {
	method, by, err := named(c, "METHOD")
	if err != nil {
		return err
	}
	state := c.String("state")
	if state != "enabled" && state != "disabled" {
		return usage("--state must be enabled or disabled", "e.g. --state enabled --include Pilots")
	}
	if !slices.Contains(engine.PolicyMethods(), engine.PolicyMethod(method)) {
		return usage(fmt.Sprintf("the policy has no method %q", migrate.Plain(method)), "mfabridge engine policy show lists them")
	}
	return p.administer(c, func(e administrator) error {
		err := e.SetPolicy(c.Context, by, engine.PolicyMethod(method), engine.MethodPolicy{Enabled: state == "enabled",
			Include: c.StringSlice("include"), Exclude: c.StringSlice("exclude"), SignIn: c.Bool("sign-in")})
		if err == nil {
			fmt.Fprintf(p.out, "%s: %s\n", method, state)
		}
		return err
	})
}
