package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

func (p *program) preflightCommand() *cli.Command {
	return &cli.Command{
		Name:  "preflight",
		Usage: "ask a target whether it would take a plan; changes nothing",
		Description: "Looks at permissions, policy, capabilities and clock of the target. Ends with 8 if an apply would fail.\n" +
			"Only --canary writes: to one test user, and takes it back.\n" +
			"mfabridge plan does the same and keeps the answers in the plan.",
		Flags: slices.Concat(targetFlags("to", "ask", clouds), []cli.Flag{engineConfigFlag()}, reachFlags(), activationFlag(), []cli.Flag{formatFlag(),
			&cli.StringFlag{Name: "canary", Usage: "write a telephone number and a token to the test user `UPN` of an entra: target, and take them back"}}),
		Action: onTarget(p.preflight),
	}
}

func (p *program) preflight(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	to, err := parseTarget("--to", clouds, c.String("to"), c.String("engine-key"))
	if err != nil {
		return err
	}
	to.activates = c.Bool("oath-activation")
	target, checks, err := p.ready(c, to)
	if err != nil {
		return err
	}
	if asJSON {
		err = migrate.ShowChecks(p.out, target, checks)
	} else {
		about := target.Product
		if target.Instance != "" {
			about += ", instance " + target.Instance
		}
		fmt.Fprintf(p.out, "%s\n", migrate.Plain(fmt.Sprintf("%s (%s)", target.Given, about)))
		for _, check := range checks {
			fmt.Fprintf(p.out, "  %s\n", migrate.CheckText(check))
		}
	}
	if n := len(migrate.Blockers(checks)); n > 0 && err == nil {
		return &exit{code: exitGate, err: hint.New("the target is not ready: "+migrate.Number(n, "blocker", "blockers"), "mend what is listed and ask again")}
	}
	return err
}

// ready asks a target. One that does not exist yet is asked only whether it
// could be made.
func (p *program) ready(c *cli.Context, to place) (target migrate.Target, checks []cloud.Check, err error) {
	target.Given = to.given
	if !to.exists() {
		if err := p.makeable(c.Context, to); err != nil {
			return target, []cloud.Check{{Name: "exists", Result: cloud.CheckBlocker, Detail: err.Error(), Action: hint.Of(err)}}, nil
		}
		target.Product = "not there yet"
		return target, []cloud.Check{{Name: "exists", Result: cloud.CheckWarning,
			Detail: "there is no store at " + to.path + "; apply makes it", Action: "Check the path if there should be one."}}, nil
	}
	e, err := p.connect(c, to, sqlite.Options{})
	if err != nil {
		return target, nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	caps, err := e.Capabilities(c.Context)
	if err != nil {
		return target, nil, err
	}
	target.Existed, target.Instance, target.Product, target.Kind = true, caps.Instance, caps.Product, kindOfTarget(e)
	checks, err = migrate.Preflight(c.Context, e)
	if upn := c.String("canary"); upn != "" && err == nil {
		written, failed := canary(c.Context, e, upn, len(migrate.Blockers(checks)) > 0)
		checks, err = append(checks, written...), failed
	}
	return target, checks, err
}

// canary tries a write on a test user, where nothing is known to be in the way.
func canary(ctx context.Context, e openTarget, upn string, hopeless bool) ([]cloud.Check, error) {
	t, ok := e.(tenant)
	switch {
	case !ok:
		return nil, usage("--canary is for entra: targets", "an engine says by itself what it takes")
	case hopeless:
		return []cloud.Check{{Name: "canary", Result: cloud.CheckUnknown, Detail: "nothing was written: something is in the way already", Action: "Mend the blockers and ask again."}}, nil
	}
	return t.Canary(ctx, upn)
}
