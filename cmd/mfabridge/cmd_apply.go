package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/rehearse"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

// applyCache is the page cache of a store while a plan is applied to it, KiB.
const applyCache = 64 << 10

func (p *program) applyCommand() *cli.Command {
	return &cli.Command{
		Name:      "apply",
		Usage:     "do exactly what the plan F says; a run that was stopped can be run again",
		ArgsUsage: "F",
		Description: "Checks the whole plan first. Before anything is written it stands in F.journal, so that a run which was\n" +
			"killed goes on where it was. What has changed in the target since the plan was made is left alone.\n\n" +
			"Ctrl-C ends the run behind the batch that is being written, a second one at once; the signal USR1 makes it\n" +
			"wait behind that batch, USR2 lets it go on.",
		Flags: slices.Concat(reachFlags(), runFlags(), []cli.Flag{
			planKeyFlag(), keyFlag(), formatFlag(),
			&cli.IntFlag{Name: "max-removals", Usage: "allow `N` methods to be removed"},
			&cli.BoolFlag{Name: "allow-irreversible", Usage: "make changes as well that take from a user what nobody could give back"},
			&cli.StringSliceFlag{Name: "wave", Usage: "apply only the wave `NAME`; several in the order given"},
			&cli.StringFlag{Name: "gate", Usage: "run `CMD` between two waves, without a shell; it must end with 0"},
		}),
		Action: onTarget(p.apply),
	}
}

func (p *program) apply(c *cli.Context) (err error) {
	defer bulk(writingGC)()
	given, err := args(c, "F")
	if err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	opt, err := p.applyOptions(c)
	if err != nil {
		return err
	}
	faults, err := rehearsal(c)
	if err != nil {
		return err
	}
	if c.IsSet("gate") && len(opt.Waves) == 1 {
		return usage("--gate is asked between two waves, and there is only one", "name several with --wave, or none for all of them")
	}
	if err := opt.Admits(p.now()); err != nil {
		return &exit{code: exitNotNow, err: err}
	}
	plan, err := openPlan(c, given[0], false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	for _, name := range opt.Waves { // before a target is made for nothing
		if _, err := migrate.InWave(plan, name); err != nil {
			return err
		}
	}
	if err := expected(c, plan, given[0]); err != nil {
		return err
	}
	journal, err := planfile.OpenJournal(plan, planfile.JournalPath(given[0]))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	target, err := p.planned(c, plan, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	dir, err := p.writable(target, faults, migrate.PhaseApply, plan, &opt)
	if err != nil {
		return err
	}
	return p.runApply(c, plan, journal, dir, opt, asJSON)
}

// runApply applies and says what came of it.
func (p *program) runApply(c *cli.Context, plan *planfile.Plan, journal *planfile.Journal, target cloud.Directory, opt migrate.ApplyOptions, asJSON bool) error {
	report := migrate.NewReport(p.out, false)
	summary := plan.Summary()
	bar := p.progress("applying", int64(summary.Users[migrate.Create]+summary.Users[migrate.Modify]))
	opt.Progress = func(g migrate.Progress) { bar.of(int64(g.Users), int64(g.Total), int64(g.Failures), int64(g.Earlier)) }
	opt.Each = p.eachChange(report, asJSON)
	stop := p.follow(&opt, bar, report, asJSON)
	defer stop()
	if err := p.gates(c, plan, &opt); err != nil {
		return err
	}
	result, err := migrate.Apply(c.Context, plan, journal, target, opt)
	bar.end()
	switch {
	case asJSON:
		err = errors.Join(err, report.ApplySummary(result, plan.Digest()), report.Flush())
	case result.Run > 0:
		p.printApplied(result, plan.Digest())
		switch {
		case err != nil:
		case result.Total == 0:
			fmt.Fprintln(p.err, "mfabridge: there was nothing to do: no user has changes")
		case result.Written == 0 && result.Verdict() == migrate.AllDone:
			fmt.Fprintln(p.err, "mfabridge: nothing was left to do; the counts are those of earlier runs")
		}
	}
	return applied(result, err)
}

// writable is a target as a run of apply or undo writes to it: with the faults
// of a rehearsal, at the rate that one of the two sides keeps, and under a name
// by which others know whose lock it is.
func (p *program) writable(target openTarget, faults *rehearse.Faults, phase migrate.Phase, plan *planfile.Plan, opt *migrate.ApplyOptions) (cloud.Directory, error) {
	if keepsRate(target) {
		opt.Rate = 0
	}
	opt.Holder = fmt.Sprintf("%s, %s of %.12s, process %d", operator(), phase, plan.Digest(), os.Getpid())
	return p.misbehave(target, faults)
}

// follow has a run tell what happens to it, and wait and go on by signals until
// stop is called.
func (p *program) follow(opt *migrate.ApplyOptions, bar *progress, report *migrate.Report, asJSON bool) (stop func()) {
	opt.Waiting = waiting(bar)
	opt.Notify = p.happened(bar, report, asJSON)
	return p.pauses(opt)
}

// waiting tells people why a job stands still.
func waiting(bar *progress) func(cause error, pause time.Duration) {
	return func(cause error, pause time.Duration) {
		bar.note(fmt.Sprintf("the target cannot go on just now: %v; trying again in %v", cause, pause.Round(time.Millisecond)))
	}
}

// happened tells of events of a run, people and programs.
func (p *program) happened(bar *progress, report *migrate.Report, asJSON bool) func(migrate.Event) {
	return func(e migrate.Event) {
		noteEvent(bar, e)
		if asJSON {
			_ = report.Happened(e) // an error of the output stays, and Flush says it
		}
	}
}

// noteEvent says to people what they would wonder about.
func noteEvent(bar *progress, e migrate.Event) {
	switch e := e.(type) {
	case migrate.PauseEvent:
		if e.Paused {
			bar.note("waiting; the signal USR2 lets the run go on, Ctrl-C ends it")
			return
		}
		bar.note("going on")
	case migrate.WaveEvent:
		name := "wave " + migrate.Plain(e.Wave)
		if e.Wave == "" {
			name = "the users of no wave"
		}
		if e.State == "begin" {
			bar.note(fmt.Sprintf("%s: %s with changes", name, users(e.Users)))
			return
		}
		bar.note(fmt.Sprintf("%s: %d done, %d failed, %d stale", name, e.Done, e.Failed, e.Stale))
	case migrate.GateEvent:
		if e.Passed {
			bar.note(fmt.Sprintf("the gate behind wave %s is passed", migrate.Plain(e.Wave)))
		}
	}
}

// eachChange reports every change for programs, and what did not work for
// people.
func (p *program) eachChange(report *migrate.Report, asJSON bool) func(migrate.ChangeEvent) error {
	if asJSON {
		return report.Changed
	}
	return func(e migrate.ChangeEvent) error {
		if e.Result.Outcome == cloud.Done || e.Result.Outcome == cloud.Already {
			return nil
		}
		_, err := fmt.Fprintf(p.out, "! %s: %s %s %s: %s\n", migrate.Plain(e.Username), e.Change.Op, e.Change.Method,
			e.Result.Outcome, migrate.Plain(e.Result.Message))
		return err
	}
}

func (p *program) printApplied(r migrate.ApplyResult, digest string) {
	fmt.Fprintf(p.out, "users    %d done, %d failed, %d stale, %d left, of %d with changes\n", r.Done, r.Failed, r.Stale, r.Left(), r.Total)
	fmt.Fprintf(p.out, "changes  %d made, %d were there already, %d stale, %d failed\n",
		r.Changes[cloud.Done], r.Changes[cloud.Already], r.Changes[cloud.Outdated], r.Changes[cloud.Failed])
	fmt.Fprintf(p.out, "digest   %s\n", digest)
}

// stoppedRun is the table from what ended a run of apply or undo early, to
// exit codes. begun: there may be something to go on with.
func stoppedRun(err error, begun bool) error {
	const goOn = "what was done is recorded; run the same command again to go on"
	if _, ok := errors.AsType[*migrate.WrongTargetError](err); ok {
		return &exit{code: exitStale, err: err}
	}
	if _, ok := errors.AsType[*migrate.LimitError](err); ok {
		return &exit{code: exitNotNow, err: hint.Default(err, goOn)}
	}
	if _, ok := errors.AsType[*migrate.QuietError](err); ok {
		return &exit{code: exitNotNow, err: err}
	}
	if unread(err) && begun {
		return &exit{code: exitPartly, err: hint.New("stopped, because nobody reads the output any more", goOn)}
	}
	switch exitCode(err) {
	case exitInterrupted, exitUnavailable:
		return hint.Default(err, goOn)
	case exitNotNow:
		return hint.Default(err, "wait until the other run has ended, then run the same command again")
	}
	return err
}

// applied is the table from what apply came to, to exit codes.
func applied(r migrate.ApplyResult, err error) error {
	if err != nil {
		return stoppedRun(err, r.Left() > 0)
	}
	switch r.Verdict() {
	case migrate.SomeLeft:
		advice := "mend the cause and run the same command again"
		if r.Stale > 0 {
			advice += "; " + users(r.Stale) + " changed in the target since the plan was made, and need a new plan"
		}
		return &exit{code: exitPartly, err: hint.New(users(r.Failed)+" failed", advice)}
	case migrate.StaleLeft:
		return &exit{code: exitStale, err: hint.New(users(r.Stale)+" changed in the target since the plan was made", "look with mfabridge check, then make a new plan: it decides by what the target holds now")}
	default:
		return nil
	}
}

// users counts users in a sentence.
func users(n int) string { return migrate.Number(n, "user", "users") }

// planned opens the target that a plan was made for. With make set, a target
// that did not exist is made now, as the plan says.
func (p *program) planned(c *cli.Context, plan *planfile.Plan, make bool) (openTarget, error) {
	header := plan.Header()
	to, err := parseTarget("--to", clouds, header.Target.Given, c.String("engine-key"))
	if err != nil {
		return nil, err
	}
	to.activates = header.Capabilities.OATH.Activates
	to.tokenless = to.tenant != "" && !header.Capabilities.Methods[cloud.HardwareOATH].Create
	if !to.exists() && (header.Target.Existed || !make) {
		advice := "apply makes it; before that there is nothing to look at"
		if header.Target.Existed {
			advice = "a relative path counts from the folder that you are in: go to where the plan was made, or make a new plan"
		}
		return nil, hint.Wrap(&cloud.Error{Kind: cloud.NotFound, Message: "the plan's target " + to.given + " is not there"}, advice)
	}
	if !to.exists() {
		assumed, err := engine.ParseAssumptions(header.Target.Assumed)
		if err != nil {
			return nil, err
		}
		err = p.create(c.Context, to, engine.Setup{Instance: header.Target.Instance, Domains: header.Capabilities.Domains,
			Kind: engine.Kind(header.Target.Kind), Assumed: assumed, Actor: engine.Actor{Who: operator(), Reason: "apply of plan " + header.PlanID}})
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(p.err, "mfabridge: made the store %s, its key is %s\n", to.path, to.keyCalled())
	}
	return p.connect(c, to, sqlite.Options{Cache: applyCache})
}
