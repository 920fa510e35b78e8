package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

// scopeFlags say whom a plan is about, and in which parts it is applied.
func scopeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "scope", Value: "all", Usage: "plan for all, users:`FILE` (a Username or UPN a line) or group:ID of the target"},
		&cli.StringSliceFlag{Name: "wave", Usage: "a part to apply by itself: `NAME=WHO`, WHO being users:FILE, group:ID or N%; the first that names a user takes him"},
	}
}

// selections reads --scope and --wave.
func selections(c *cli.Context, opt *migrate.Options) error {
	open := func(path string) (io.ReadCloser, error) {
		f, err := os.Open(path)
		if e, ok := err.(*fs.PathError); ok {
			return nil, e.Err
		}
		return f, err
	}
	var err error
	if opt.Scope, err = migrate.ParseSelection(c.String("scope"), open); err != nil {
		return &exit{code: exitUsage, err: fmt.Errorf("--scope: %w", err)}
	}
	if opt.Scope.Share > 0 {
		return usage("--scope cannot be a share", "make a wave of it: --wave pilot="+opt.Scope.Given)
	}
	for _, given := range c.StringSlice("wave") {
		w, err := migrate.ParseWave(given, open)
		if err != nil {
			return &exit{code: exitUsage, err: fmt.Errorf("--wave: %w", err)}
		}
		opt.Waves = append(opt.Waves, w)
	}
	if err := migrate.CheckWaves(opt.Waves); err != nil {
		return &exit{code: exitUsage, err: fmt.Errorf("--wave: %w", err)}
	}
	return nil
}

// chosen is what a plan records of its waves.
func chosen(waves []migrate.Wave) []migrate.Chosen {
	out := make([]migrate.Chosen, len(waves))
	for i, w := range waves {
		out[i] = w.Chosen(w.Name)
	}
	return out
}

// warnIdle names the options that were given and mean nothing to this target.
func (p *program) warnIdle(c *cli.Context, target *planTarget) error {
	caps, err := target.Capabilities(c.Context)
	if err != nil {
		return err
	}
	for _, o := range []struct {
		option string
		idle   bool
		why    string
	}{
		{"create-users", !caps.CreateUsers, "this target creates no users"},
		{"reinvite", !caps.Methods[cloud.Authenticator].Update, "this target sends no invitations"},
		{"telephony-provider", !caps.RetiresTelephony, "this target does not end its own texts and calls"},
		{"deadlines", !caps.RetiresTelephony, "this target does not end its own texts and calls"},
		{"domain", target.Existed, "the target is there, and has the domains that it was made with"},
	} {
		if c.IsSet(o.option) && o.idle {
			fmt.Fprintf(p.err, "mfabridge: warning: --%s does nothing here: %s\n", o.option, o.why)
		}
	}
	return nil
}

// beforePlan asks a target that exists whether it is ready, and warns of what
// is not: the plan can be made all the same, and its gate says no.
func (p *program) beforePlan(c *cli.Context, target *planTarget) ([]cloud.Check, error) {
	if !target.Existed {
		return nil, nil
	}
	checks, err := migrate.Preflight(c.Context, target.DirectoryReader)
	if err != nil {
		return nil, err
	}
	for _, check := range migrate.Blockers(checks) {
		fmt.Fprintf(p.err, "mfabridge: warning: apply would fail: %s\n", migrate.CheckText(check))
	}
	return checks, nil
}
