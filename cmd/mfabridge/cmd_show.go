package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

func (p *program) showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "the dry-run report of the plan F",
		ArgsUsage: "F",
		Description: "Says for each user what the plan does and why. Telephone numbers and addresses are masked. Without\n" +
			"the plan's key (F.key) the report can be read, but nothing tells whether F was altered.",
		Flags: []cli.Flag{
			formatFlag(), planKeyFlag(),
			&cli.BoolFlag{Name: "reveal", EnvVars: env("reveal"), Usage: "show telephone numbers and addresses in full; needs the plan's key"},
		},
		Action: p.show,
	}
}

func (p *program) show(c *cli.Context) (err error) {
	given, err := args(c, "F")
	if err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	plan, err := openPlan(c, given[0], true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	if !plan.Sealed() {
		if c.Bool("reveal") {
			return hint.New("full values are sealed, and the key of the plan is not here", "say where it is with --plan-key file:PATH")
		}
		fmt.Fprintln(p.err, "mfabridge: warning: without the plan's key the seal was not checked")
	}
	if asJSON {
		return migrate.ShowJSON(c.Context, p.out, plan, c.Bool("reveal"))
	}
	return migrate.ShowText(c.Context, p.out, plan, migrate.ShowOptions{Reveal: c.Bool("reveal"), Color: p.color})
}
