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
			&cli.StringFlag{Name: "format", EnvVars: env("format"), Value: "text", Usage: "text, json: one object a line, or csv: one row a finding"},
			&cli.BoolFlag{Name: "users", EnvVars: env("users"), Usage: "with csv: one row a user, with what has to be done, for a mail merge"},
			&cli.StringFlag{Name: "wave", EnvVars: env("wave"), Usage: "only the users of the wave `NAME`, and their counts"},
			planKeyFlag(),
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
	show, err := p.shower(c)
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
	if name := c.String("wave"); name != "" {
		part, err := migrate.InWave(plan, name)
		if err != nil {
			return err
		}
		return show(part)
	}
	return show(plan)
}

// shower is how a plan is shown in the format that was asked for.
func (p *program) shower(c *cli.Context) (func(migrate.PlanReader) error, error) {
	reveal, users := c.Bool("reveal"), c.Bool("users")
	if c.String("format") == "csv" {
		switch {
		case reveal:
			return nil, usage("--reveal does not go with --format csv", "tables for spreadsheets never hold full values")
		case users:
			return func(plan migrate.PlanReader) error { return migrate.ShowUsersCSV(c.Context, p.out, plan) }, nil
		default:
			return func(plan migrate.PlanReader) error { return migrate.ShowCSV(c.Context, p.out, plan) }, nil
		}
	}
	asJSON, err := format(c)
	switch {
	case err != nil:
		return nil, err
	case users:
		return nil, usage("--users goes with --format csv", "the other formats list users anyway")
	case asJSON:
		return func(plan migrate.PlanReader) error { return migrate.ShowJSON(c.Context, p.out, plan, reveal) }, nil
	default:
		return func(plan migrate.PlanReader) error {
			return migrate.ShowText(c.Context, p.out, plan, migrate.ShowOptions{Reveal: reveal, Color: p.color})
		}, nil
	}
}
