package main

import (
	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// numberCommands say who signs in with a mobile number and a code in place of a
// password.
func (p *program) numberCommands(change changer) []*cli.Command {
	return []*cli.Command{{Name: "number", Usage: "let a user sign in with the mobile number and a code in place of a password",
		Description: "A first factor for people who have no password. It needs the policy too: mfabridge engine policy set textSignIn. Texts and calls to\n" +
			"the number are no second factor of the user any more, whatever they sign in to.",
		Subcommands: []*cli.Command{
			change("open", "let a user sign in with their mobile number; not if somebody else does, and never who has an administrative role", nil,
				func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
					return e.SetNumberSignIn(c.Context, by, u.ID, true)
				}),
			change("close", "let a user sign in with their number no more; another number closes it too", nil,
				func(c *cli.Context, e administrator, by engine.Actor, u cloud.User) error {
					return e.SetNumberSignIn(c.Context, by, u.ID, false)
				}),
		}}}
}
