package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/hint"
	"mfabridge/legacy"
	"mfabridge/legacy/phone"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

func (p *program) planCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "compare EXPORT with a target, decide, and write the plan file; changes nothing in the target",
		ArgsUsage: "EXPORT",
		Description: "Reads the export and what the target holds, and writes into the plan file what would be done for\n" +
			"each user and why. Look at it with \"mfabridge show\", do it with \"mfabridge apply\".\n" +
			"The plan file can be passed around; FILE.key, made beside it, must be kept private.",
		Flags: slices.Concat(targetFlags("to", "plan for", clouds), []cli.Flag{engineConfigFlag()}, reachFlags(), activationFlag(), kindFlags(), exportFlags(), ruleFlags(), matchFlags(), ldapFlags(), scopeFlags(), gateFlags(), []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the plan to `FILE`"},
			sealFlag(),
			&cli.BoolFlag{Name: "overwrite", Usage: "replace a plan that has not been applied"},
			&cli.StringSliceFlag{Name: "domain", Usage: "mail `DOMAIN` of the organisation, for a target that does not exist yet"},
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "end with 2 if there are changes to make"},
		}),
		Action: onTarget(p.plan),
	}
}

func (p *program) plan(c *cli.Context) (err error) {
	defer bulk(writingGC)()
	given, err := args(c, "EXPORT")
	if err != nil {
		return err
	}
	out, to, err := planPlaces(c)
	if err != nil {
		return err
	}
	gate, err := p.parseGate(c)
	if err != nil {
		return err
	}
	opt, closeDirectory, err := p.planOptions(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDirectory()) }()
	export, err := p.openExport(c, given[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, export.Close()) }()
	if read := export.Summary(); read.Users == 0 {
		return hint.New(fmt.Sprintf("there is nobody to plan for: of %d rows of users none can be used", read.Rows),
			"mfabridge inspect says what is wrong with each of them")
	}
	gate.rules(&opt, export)
	target, err := p.planTarget(c, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.close()) }()
	if err := p.warnIdle(c, target); err != nil {
		return err
	}
	if opt.Preflight, err = p.beforePlan(c, target); err != nil {
		return err
	}
	summary, err := p.writePlan(c, export, target, opt, out)
	if err != nil {
		return err
	}
	p.warnUnmet(opt.Accepted)
	if err := gate.check(summary); err != nil {
		return err
	}
	if c.Bool("detailed-exitcode") && changes(summary) > 0 {
		return &exit{code: exitPending}
	}
	return nil
}

// planPlaces reads where a plan goes, and what it is for.
func planPlaces(c *cli.Context) (out string, to place, err error) {
	if out = c.String("out"); out == "" {
		return "", to, usage("--out is missing", "say where the plan goes, e.g. -o move.plan")
	}
	if to, err = parseTarget("--to", clouds, c.String("to"), c.String("engine-key")); err != nil {
		return "", to, err
	}
	to.activates = c.Bool("oath-activation")
	if filepath.Clean(out) == filepath.Clean(to.path) {
		return "", to, usage("--out and --to name the same file", "the plan stands beside the store, e.g. -o move.plan")
	}
	return out, to, nil
}

// planOptions reads what decides about users: the rules, whom the plan is about,
// and how they are matched. end closes the directory that they are matched by.
func (p *program) planOptions(c *cli.Context) (opt migrate.Options, end func() error, err error) {
	if opt, err = p.rules(c); err != nil {
		return opt, nil, err
	}
	if err := selections(c, &opt); err != nil {
		return opt, nil, err
	}
	end, err = matching(c, &opt)
	return opt, end, err
}

// planTarget is what a plan looks at.
type planTarget struct {
	cloud.DirectoryReader
	migrate.Target
	close func() error
}

func (p *program) planTarget(c *cli.Context, to place) (*planTarget, error) {
	var t planTarget
	with, err := kindOf(c)
	if err != nil {
		return nil, err
	}
	if to.exists() {
		e, err := p.connect(c, to, sqlite.Options{})
		if err != nil {
			return nil, err
		}
		t = planTarget{DirectoryReader: e, close: e.Close}
		t.Existed, t.Kind = true, kindOfTarget(e)
		if err := sameKind(c, with, e); err != nil {
			return nil, errors.Join(err, t.close())
		}
	} else {
		if err := p.makeable(c.Context, to); err != nil {
			return nil, err
		}
		with.Domains = c.StringSlice("domain")
		e, end, err := p.imagine(c.Context, with, c.String("engine-config"))
		if err != nil {
			return nil, err
		}
		t = planTarget{DirectoryReader: unmade{e}, close: end}
		t.Kind, t.Assumed = string(with.Kind), with.Assumed.Words()
	}
	caps, err := t.Capabilities(c.Context)
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	t.Given, t.Instance, t.Product = to.given, caps.Instance, caps.Product
	return &t, nil
}

// unmade is a target that does not exist yet. What it takes the empty store
// says; that nobody is there needs no store to be asked for every name.
type unmade struct{ *embedded }

// Find implements [cloud.DirectoryReader].
func (unmade) Find(_ context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	return make([][]cloud.UserID, len(keys)), nil
}

// Read implements [cloud.DirectoryReader].
func (unmade) Read(_ context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	return make([]cloud.User, len(ids)), nil
}

// kindOfTarget is the kind of a store; an engine elsewhere does not say, its
// capabilities do.
func kindOfTarget(t openTarget) string {
	if e, ok := t.(*embedded); ok {
		return string(e.Kind())
	}
	return ""
}

// sameKind refuses a plan that asks for another kind of store than there is.
func sameKind(c *cli.Context, with engine.Setup, t openTarget) error {
	e, ok := t.(*embedded)
	if !ok {
		if c.IsSet("as") || c.IsSet("assume") {
			return usage("--as and --assume are for stores, and this target is an engine elsewhere", "leave them out: it is what it was made as")
		}
		return nil
	}
	if c.IsSet("as") && with.Kind != e.Kind() {
		return usage(fmt.Sprintf("the store that is there is of kind %s, not %s", e.Kind(), with.Kind),
			"leave --as out, or name a path that does not exist yet")
	}
	if len(c.StringSlice("assume")) > 0 && with.Assumed != e.Assumed() {
		return usage("the store that is there assumes something else than --assume", "leave --assume out: a store keeps what it was made with")
	}
	return nil
}

// writePlan makes the plan file, and says what stands in it.
func (p *program) writePlan(c *cli.Context, export *legacy.Export, target *planTarget, opt migrate.Options, out string) (migrate.Summary, error) {
	caps, err := target.Capabilities(c.Context)
	if err != nil {
		return migrate.Summary{}, err
	}
	recipients, err := sealTo(c)
	if err != nil {
		return migrate.Summary{}, err
	}
	w, err := planfile.Create(out, migrate.Header{
		ToolVersion: version(), Created: p.now(), Target: target.Target, Inputs: planInputs(export, opt), Options: inForce(c),
		Capabilities: caps, PhoneMetadata: phone.MetadataVersion(), Accepted: opt.Accepted.Entries(),
		Scope: opt.Scope.Chosen(""), Waves: chosen(opt.Waves), Preflight: opt.Preflight,
	}, planfile.Options{Overwrite: c.Bool("overwrite"), Recipients: recipients})
	if err != nil {
		return migrate.Summary{}, err
	}
	defer w.Abort()
	summary, err := p.decide(c.Context, export, target, opt, w)
	if err != nil {
		return migrate.Summary{}, err
	}
	digest, err := w.Finish(summary)
	if err != nil {
		return migrate.Summary{}, err
	}
	migrate.WriteOutlook(p.out, summary)
	if unread := migrate.UnreadText(summary); unread != "" {
		fmt.Fprintf(p.out, "%s (show lists them)\n\n", unread)
	}
	key := planfile.KeyPath(out)
	if len(recipients) > 0 {
		key = planfile.SealedKeyPath(out)
	}
	fmt.Fprintf(p.out, "plan written to %s, key in %s\ndigest %s\nnext: mfabridge show %s\n", out, key, digest, out)
	return summary, nil
}

// planInputs are the files that a plan is made from.
func planInputs(export *legacy.Export, opt migrate.Options) (inputs []migrate.Input) {
	for _, f := range export.Summary().Files {
		inputs = append(inputs, migrate.Input{Name: f.Name, SHA256: f.SHA256})
	}
	if opt.Privileged != nil {
		inputs = append(inputs, migrate.Input{Name: opt.Privileged.File, SHA256: opt.Privileged.SHA256})
	}
	if opt.Deadlines != nil {
		inputs = append(inputs, migrate.Input{Name: opt.Deadlines.File, SHA256: opt.Deadlines.SHA256})
	}
	if opt.MatchFile != nil {
		inputs = append(inputs, opt.MatchFile.Input())
	}
	return inputs
}

// decide decides on every user, and shows how far that is.
func (p *program) decide(ctx context.Context, export *legacy.Export, target *planTarget, opt migrate.Options, out migrate.Sink) (migrate.Summary, error) {
	users := int64(export.Summary().Users)
	asking, bar := p.progress("asking the target", users), p.progress("planning", users)
	defer bar.end()
	defer asking.end()
	opt.Sleep, opt.Waiting = p.sleep, waiting(asking)
	opt.Asked = func(rows int) {
		if asking.at(int64(rows), 0); int64(rows) == users {
			asking.end()
		}
	}
	sink := &counted{Sink: out, tell: func(n int64) { bar.at(n, 0) }}
	return migrate.Plan(ctx, export, target.DirectoryReader, opt, sink)
}

// counted tells how many decisions have gone by.
type counted struct {
	migrate.Sink
	n    int64
	tell func(int64)
}

func (s *counted) Add(d migrate.Decision) error {
	s.n++
	if s.n%512 == 0 {
		s.tell(s.n)
	}
	return s.Sink.Add(d)
}

func changes(s migrate.Summary) int {
	n := 0
	for _, count := range s.Changes {
		n += count
	}
	return n
}
