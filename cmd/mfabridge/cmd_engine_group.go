package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/hint"
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
			{Name: "list", Usage: "list all groups", Flags: append(adminFlags(), formatFlag()), Action: p.listGroups},
			{Name: "members", Usage: "list the users of a group and of all groups within it", ArgsUsage: "GROUP", Flags: append(adminFlags(), formatFlag()), Action: p.listMembers},
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
		return groupHint(err)
	})
}

func groupHint(err error) error {
	if cloud.KindOf(err) == cloud.NotFound {
		return hint.Default(err, "mfabridge engine group list shows which there are")
	}
	return err
}

// groupForm is a group in JSON.
type groupForm struct {
	Type string `json:"type,omitempty"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (p *program) listGroups(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	l, err := p.list(c, "GROUP", "ID")
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		for g, err := range e.Groups(c.Context) {
			if err != nil {
				return err
			}
			if err := l.add(groupForm{"group", g.ID, g.Name}, g.Name, g.ID); err != nil {
				return err
			}
		}
		return l.end()
	})
}

// memberForm is a user of a group in JSON.
type memberForm struct {
	Type string       `json:"type"`
	ID   cloud.UserID `json:"id"`
	UPN  string       `json:"upn"` // empty: the user was removed meanwhile
}

func (p *program) listMembers(c *cli.Context) error {
	given, err := args(c, "GROUP")
	if err != nil {
		return err
	}
	l, err := p.list(c, "USER", "ID")
	if err != nil {
		return err
	}
	return p.administer(c, func(e administrator) error {
		err := eachMember(c.Context, e, given[0], func(id cloud.UserID, u *cloud.User) error {
			return l.add(memberForm{"member", id, u.UPN}, cmp.Or(u.UPN, "-"), string(id))
		})
		if err != nil {
			return err
		}
		return l.end()
	})
}

// memberReader tells who is in a group, and who that is.
type memberReader interface {
	Capabilities(ctx context.Context) (cloud.Capabilities, error)
	Members(ctx context.Context, group string) iter.Seq2[cloud.UserID, error]
	Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error)
}

// eachMember hands over the users of a group, and reads them in batches: over a
// network a request for each takes minutes. Who was removed meanwhile is empty.
func eachMember(ctx context.Context, e memberReader, group string, do func(cloud.UserID, *cloud.User) error) error {
	caps, err := e.Capabilities(ctx)
	if err != nil {
		return err
	}
	var ids []cloud.UserID
	flush := func() error {
		users, err := e.Read(ctx, ids)
		for i := range users {
			if err = do(ids[i], &users[i]); err != nil {
				break
			}
		}
		ids = ids[:0]
		return err
	}
	for id, err := range e.Members(ctx, group) {
		if err != nil {
			return groupHint(err)
		}
		if ids = append(ids, id); len(ids) < caps.Batch {
			continue
		}
		if err := flush(); err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return flush()
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
		return groupHint(err)
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
			{Name: "show", Usage: "show the method policy", Flags: append(adminFlags(), formatFlag()), Action: p.showPolicy},
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

// policyForm is a line of the method policy in JSON.
type policyForm struct {
	Type    string              `json:"type"`
	Method  engine.PolicyMethod `json:"method"`
	State   string              `json:"state"`
	Include []groupForm         `json:"include"` // empty: everybody
	Exclude []groupForm         `json:"exclude"`
	SignIn  bool                `json:"sign_in"`
}

func (p *program) showPolicy(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	l, err := p.list(c, "METHOD", "STATE", "FOR", "NOT FOR", "SIGN-IN")
	if err != nil {
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
		groups := func(ids []string) (forms []groupForm, called []string) {
			forms = []groupForm{}
			for _, id := range ids {
				forms, called = append(forms, groupForm{ID: id, Name: names[id]}), append(called, names[id])
			}
			return forms, called
		}
		for _, method := range engine.PolicyMethods() {
			m := policy[method]
			form := policyForm{Type: "method_policy", Method: method, State: "disabled", SignIn: m.SignIn}
			if m.Enabled {
				form.State = "enabled"
			}
			var only, never []string
			form.Include, only = groups(m.Include)
			form.Exclude, never = groups(m.Exclude)
			if err := l.add(form, string(method), form.State, orNone(only, "everybody"), orNone(never, "nobody"), yesNo(m.SignIn)); err != nil {
				return err
			}
		}
		return l.end()
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
		return groupHint(err)
	})
}
