package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

func (p *program) explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say everything that is known of one user: plan, journal, target now",
		ArgsUsage: "F USER",
		Description: "For the question \"why did Ada not get her phone?\". USER is the Username of the old server or the user\n" +
			"principal name. Values are masked; the target is asked if it can be opened.",
		Flags: append(reachFlags(),
			planKeyFlag(), keyFlag(), formatFlag(),
			&cli.BoolFlag{Name: "reveal", Usage: "show telephone numbers and addresses in full; needs the plan's key"},
		),
		Action: p.explain,
	}
}

func (p *program) explain(c *cli.Context) (err error) {
	given, err := args(c, "F", "USER")
	if err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	plan, err := openPlan(c, given[0], !c.Bool("reveal"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	journal, end, err := readJournal(plan, planfile.JournalPath(given[0]))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	var dir cloud.DirectoryReader
	target, unreachable := p.planned(c, plan, false)
	if unreachable == nil {
		defer func() { err = errors.Join(err, target.Close()) }()
		dir = target
	}
	found, err := migrate.Explain(c.Context, plan, journal, dir, given[1])
	if err != nil {
		return err
	}
	notYet := !plan.Header().Target.Existed && unreachable != nil && cloud.KindOf(unreachable) == cloud.NotFound
	if unreachable != nil && !notYet {
		found.NowErr = unreachable
	}
	if asJSON {
		report := migrate.NewReport(p.out, c.Bool("reveal"))
		return errors.Join(report.Explained(&found), report.Flush())
	}
	return found.Text(p.out, migrate.ShowOptions{Reveal: c.Bool("reveal"), Color: p.color})
}
