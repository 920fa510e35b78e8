package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

func (p *program) checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "read back what the plan F should have done, and compare",
		ArgsUsage: "F",
		Description: "Reads the target, not the journal, for the users that apply has come to. Lists who differs; ends with 2\n" +
			"if anybody does.\n\n" +
			"SYMBOLS\n   =  same        +  something is missing in the target\n   *  differs     -  something is there that should not be\n   !  error",
		Flags: append(reachFlags(),
			planKeyFlag(), keyFlag(), formatFlag(),
			&cli.StringFlag{Name: "wave", Usage: "check only the users of the wave `NAME`"},
			&cli.BoolFlag{Name: "all", Usage: "check the whole plan, not only what was applied"},
			&cli.BoolFlag{Name: "combined", Usage: "list every user with one symbol, those that are the same too"},
		),
		Action: onTarget(p.check),
	}
}

func (p *program) check(c *cli.Context) (err error) {
	defer bulk(writingGC)()
	given, err := args(c, "F")
	if err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	plan, err := openPlan(c, given[0], false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	part, err := wavePart(c, plan)
	if err != nil {
		return err
	}
	journal, end, err := readJournal(plan, planfile.JournalPath(given[0]))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if journal == nil && !c.Bool("all") {
		return p.nothingDue(asJSON)
	}
	target, err := p.planned(c, plan, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	report := migrate.NewReport(p.out, false)
	opt := migrate.CheckOptions{All: c.Bool("all"), Each: p.eachChecked(report, asJSON, c.Bool("combined")), Sleep: p.sleep}
	result, err := migrate.Check(c.Context, part, journal, target, opt)
	switch {
	case asJSON:
		err = errors.Join(err, report.CheckSummary(result), report.Flush())
	case err == nil && result.Total() == 0:
		return p.nothingDue(asJSON)
	case err == nil:
		p.printChecked(result)
	}
	return checked(result, err)
}

// wavePart is the plan, or only what it says of the wave that --wave names.
func wavePart(c *cli.Context, plan *planfile.Plan) (migrate.PlanReader, error) {
	if name := c.String("wave"); name != "" {
		return migrate.InWave(plan, name)
	}
	return plan, nil
}

// wasApplied tells by the path of its journal whether a plan was ever applied
// from here.
func wasApplied(journal string) bool {
	_, err := os.Lstat(journal)
	return !errors.Is(err, fs.ErrNotExist)
}

// readJournal opens the journal of a plan, or returns nil where it was never
// applied.
func readJournal(plan *planfile.Plan, path string) (migrate.JournalReader, func() error, error) {
	if !wasApplied(path) {
		return nil, func() error { return nil }, nil
	}
	j, err := planfile.ReadJournal(plan, path)
	if err != nil {
		return nil, nil, err
	}
	return j, j.Close, nil
}

func (p *program) nothingDue(asJSON bool) error {
	if asJSON {
		report := migrate.NewReport(p.out, false)
		return errors.Join(report.CheckSummary(migrate.CheckResult{}), report.Flush())
	}
	fmt.Fprintln(p.out, "nothing is due: by its journal nothing of this plan was applied, or all of it was put back (--all checks the whole plan)")
	return nil
}

func (p *program) eachChecked(report *migrate.Report, asJSON, combined bool) func(migrate.UserCheck) error {
	if asJSON {
		return report.Checked
	}
	return func(u migrate.UserCheck) error {
		if u.Symbol == migrate.Same && !combined {
			return nil
		}
		fmt.Fprintf(p.out, "%s %s\n", u.Symbol, migrate.Plain(u.Username))
		if u.Err != nil {
			fmt.Fprintf(p.out, "    %s\n", migrate.Plain(u.Err.Error()))
		}
		for _, d := range u.Differences {
			expected, err := migrate.ValueText(d.Method, d.Expected, false)
			if err != nil {
				return err
			}
			found, err := migrate.ValueText(d.Method, d.Found, false)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.out, "    %s: expected %s, found %s\n", d.Method, expected, found)
		}
		return nil
	}
}

func (p *program) printChecked(r migrate.CheckResult) {
	fmt.Fprintf(p.out, "checked %s:", users(r.Total()))
	for _, symbol := range migrate.Symbols {
		fmt.Fprintf(p.out, "  %s %d", symbol, r.Users[symbol])
	}
	fmt.Fprintln(p.out)
}

// checked is the table from what check found, to exit codes.
func checked(r migrate.CheckResult, err error) error {
	if _, ok := errors.AsType[*migrate.WrongTargetError](err); ok {
		return &exit{code: exitStale, err: hint.Wrap(err, "compare the plan with the target that it was made for")}
	}
	switch {
	case err != nil:
		return err
	case r.Failed():
		return &exit{code: exitFailed, err: errors.New("some users could not be read")}
	case r.Different():
		return &exit{code: exitPending}
	default:
		return nil
	}
}
