package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

func (p *program) undoCommand() *cli.Command {
	return &cli.Command{
		Name:      "undo",
		Usage:     "put back what apply changed, where it is still as apply left it",
		ArgsUsage: "F",
		Description: "Takes back, in reverse, what the journal says this plan made; never what was there before it. What was changed\n" +
			"since is reported and left alone: whatever users registered themselves stays. A user whom the plan created is\n" +
			"removed last, and only if nothing was added to them since. --show tells what would be put back and writes\n" +
			"nothing. A run that was stopped can be run again; after undo the same plan can be applied again.\n\n" +
			"Ends with 3 if something stays: it was changed since, nobody could put it back, or the target refused.",
		Flags: slices.Concat(reachFlags(), runFlags(), []cli.Flag{
			planKeyFlag(), keyFlag(), formatFlag(),
			&cli.BoolFlag{Name: "show", Usage: "list what would be put back, and change nothing"},
			&cli.StringFlag{Name: "wave", Usage: "undo only the users of the wave `NAME`"},
			&cli.BoolFlag{Name: "allow-irreversible",
				Usage: "take away as well what stands for something that nobody could put back"},
		}),
		Action: onTarget(p.undo),
	}
}

func (p *program) undo(c *cli.Context) (err error) {
	defer bulk(writingGC)()
	given, err := args(c, "F")
	if err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	limits, err := p.applyOptions(c)
	if err != nil {
		return err
	}
	faults, err := rehearsal(c)
	if err != nil {
		return err
	}
	opt := migrate.UndoOptions{ApplyOptions: limits}
	plan, err := openPlan(c, given[0], false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	if err := expected(c, plan, given[0]); err != nil {
		return err
	}
	part, err := wavePart(c, plan)
	if err != nil {
		return err
	}
	path := planfile.JournalPath(given[0])
	switch {
	case !wasApplied(path):
		return p.nothingToUndo(asJSON, plan.Digest(), path)
	case c.Bool("show"):
		return p.previewUndo(c, plan, part, path, opt, asJSON)
	}
	journal, err := planfile.OpenJournal(plan, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	target, err := p.planned(c, plan, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	dir, err := p.writable(target, faults, migrate.PhaseUndo, plan, &opt.ApplyOptions)
	if err != nil {
		return err
	}
	return p.runUndo(part, opt, asJSON, false, func(o migrate.UndoOptions) (migrate.UndoResult, error) {
		return migrate.Undo(c.Context, part, journal, dir, o)
	})
}

// previewUndo says what undo would do. It has nothing that could write.
func (p *program) previewUndo(c *cli.Context, plan *planfile.Plan, part migrate.PlanReader, path string, opt migrate.UndoOptions, asJSON bool) (err error) {
	journal, end, err := readJournal(plan, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	target, err := p.planned(c, plan, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	return p.runUndo(part, opt, asJSON, true, func(o migrate.UndoOptions) (migrate.UndoResult, error) {
		return migrate.PreviewUndo(c.Context, part, journal, target, o)
	})
}

// runUndo undoes, or looks what undo would do, and says what came of it.
func (p *program) runUndo(plan migrate.PlanReader, opt migrate.UndoOptions, asJSON, preview bool, work func(migrate.UndoOptions) (migrate.UndoResult, error)) error {
	report := migrate.NewReport(p.out, false)
	summary := plan.Summary()
	bar := p.progress("undoing", int64(summary.Users[migrate.Create]+summary.Users[migrate.Modify]))
	opt.Progress = func(g migrate.Progress) { bar.at(int64(g.Users), int64(g.Failures)) }
	opt.Each = p.eachUndone(report, asJSON)
	stop := p.follow(&opt.ApplyOptions, bar, report, asJSON)
	defer stop()
	result, err := work(opt)
	bar.end()
	switch {
	case asJSON:
		err = errors.Join(err, report.UndoSummary(result, plan.Digest()), report.Flush())
	case result.Run > 0 || preview && err == nil:
		p.printUndone(result, plan.Digest())
	}
	if preview && err == nil {
		return nil
	}
	return undone(result, err)
}

func (p *program) nothingToUndo(asJSON bool, digest, journal string) error {
	if asJSON {
		report := migrate.NewReport(p.out, false)
		return errors.Join(report.UndoSummary(migrate.UndoResult{}, digest), report.Flush())
	}
	fmt.Fprintf(p.out, "nothing to undo: there is no %s, so this plan was never applied from here\n", journal)
	return nil
}

// eachUndone reports every change for programs; for people what stays, and in
// a preview what would be put back.
func (p *program) eachUndone(report *migrate.Report, asJSON bool) func(migrate.ChangeEvent) error {
	if asJSON {
		return report.Changed
	}
	return func(e migrate.ChangeEvent) error {
		who, what := migrate.Plain(e.Username), fmt.Sprintf("%s %s", e.Change.Op, e.Change.Method)
		var err error
		switch e.Result.Outcome {
		case cloud.Done, cloud.Already:
		case migrate.Pending:
			_, err = fmt.Fprintf(p.out, "%s: would %s%s\n", who, what, defaultOf(e.Change))
		case cloud.Outdated:
			_, err = fmt.Fprintf(p.out, "! %s: %s left alone: %s\n", who, what, migrate.Plain(e.Result.Message))
		default:
			_, err = fmt.Fprintf(p.out, "! %s: %s %s: %s\n", who, what, e.Result.Outcome, migrate.Plain(e.Result.Message))
		}
		return err
	}
}

// defaultOf says which method a user would be asked by first: of all values it
// alone is nobody's secret, and it may be another than there was before.
func defaultOf(c migrate.PlannedChange) string {
	switch {
	case c.Method != cloud.DefaultMethod:
		return ""
	case c.After.IsZero():
		return " to none"
	}
	return " to " + migrate.Plain(c.After.Text)
}

func (p *program) printUndone(r migrate.UndoResult, digest string) {
	made, did, change := "put back", r.Done, r.Changes[cloud.Done]
	if r.Users+r.Left == 0 {
		fmt.Fprintln(p.out, "nothing to undo: nothing stands any more that this plan made")
		return
	}
	if r.Run == 0 {
		made, did, change = "to put back", r.Open+r.Done, r.Changes[migrate.Pending]
	}
	left := ""
	if r.Left > 0 {
		left = fmt.Sprintf("%d left, ", r.Left)
	}
	fmt.Fprintf(p.out, "users    %d %s, %d of whom something stays, %d failed, %sof %d\n", did, made, r.Kept, r.Failed, left, r.Users+r.Left)
	fmt.Fprintf(p.out, "changes  %d %s, %d were back already, %d changed since, %d failed\n",
		change, made, r.Changes[cloud.Already], r.Changes[cloud.Outdated], r.Changes[cloud.Failed])
	fmt.Fprintf(p.out, "digest   %s\n", digest)
}

// undone is the table from what undo came to, to exit codes.
func undone(r migrate.UndoResult, err error) error {
	switch {
	case err != nil:
		return stoppedRun(err, r.Run > 0)
	case r.Failed > 0:
		return &exit{code: exitPartly, err: hint.New(users(r.Failed)+" failed", "mend the cause and run the same command again")}
	case r.Kept > 0:
		return &exit{code: exitPartly, err: hint.New("of "+users(r.Kept)+" something stays that this plan made",
			"it was changed since, or nobody could put it back: look at the lines above, and decide with mfabridge explain")}
	}
	return nil
}
