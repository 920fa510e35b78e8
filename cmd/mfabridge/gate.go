package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// gateFlags turn findings into a refusal.
func gateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "strict", Usage: "end with 8 if there are findings of severity error"},
		&cli.StringFlag{Name: "strict-codes", Usage: "end with 8 if there are findings of these `CODE,…`"},
		&cli.StringFlag{Name: "accept", Usage: "count no finding that `FILE` (CSV: code,user,reason,approver) names"},
	}
}

// gate is what --strict and --strict-codes ask for, and what --accept lets
// pass.
type gate struct {
	errors   bool
	codes    []migrate.Code
	accepted *migrate.Accepted
}

func (p *program) parseGate(c *cli.Context) (gate, error) {
	g := gate{errors: c.Bool("strict")}
	if list := c.String("strict-codes"); list != "" {
		known := map[migrate.Code]bool{}
		for _, entry := range migrate.Catalogue() {
			known[entry.Code] = true
		}
		for _, word := range strings.Split(list, ",") {
			code := migrate.Code(strings.ToUpper(strings.TrimSpace(word)))
			if !known[code] {
				return g, usage(fmt.Sprintf("--strict-codes: there is no finding %q", word), "docs/findings.md lists them all")
			}
			g.codes = append(g.codes, code)
		}
	}
	var err error
	if path := c.String("accept"); path != "" {
		g.accepted, err = readAccepted(path)
	}
	return g, err
}

func readAccepted(path string) (a *migrate.Accepted, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("the acceptances cannot be read: %w", err), "--accept names a CSV file with code, user, reason and approver")
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return migrate.ReadAccepted(f, filepath.Base(path))
}

// rules adds to the rules of a plan what the export says of itself, and the
// acceptances.
func (g gate) rules(opt *migrate.Options, export *legacy.Export) {
	e, settings := export.Summary(), export.Settings()
	opt.ExportTime = e.Created
	opt.CompanyMode = settings.Defaults.Mode
	opt.Settings = settings
	opt.Unread = int(e.SkippedOwn + e.DuplicateRows())
	opt.Activity = e.Activity.Attempts > 0
	opt.Accepted = g.accepted
}

// warnUnmet says which acceptances were of no use.
func (p *program) warnUnmet(a *migrate.Accepted) {
	const most = 20
	unmet := a.Unmet()
	for _, line := range unmet[:min(len(unmet), most)] {
		fmt.Fprintf(p.err, "mfabridge: warning: %s\n", line)
	}
	if more := len(unmet) - most; more > 0 {
		fmt.Fprintf(p.err, "mfabridge: warning: and %s that no finding was met by\n", migrate.Number(more, "more acceptance", "more acceptances"))
	}
}

// check says no where a gate is not met.
func (g gate) check(s migrate.Summary) error {
	if n := s.Unaccepted(migrate.SeverityError); g.errors && n > 0 {
		return &exit{code: exitGate, err: hint.New("the gate --strict is not met: "+migrate.Number(n, "finding", "findings")+" of severity error",
			"mfabridge show or inspect lists them; --accept FILE takes named ones out")}
	}
	for _, code := range g.codes {
		if n := s.Findings[code] - s.Accepted[code]; n > 0 {
			return &exit{code: exitGate, err: hint.New(fmt.Sprintf("the gate --strict-codes is not met: %s %s", migrate.Number(n, "time", "times"), code),
				"docs/findings.md says what to do about it")}
		}
	}
	return nil
}
