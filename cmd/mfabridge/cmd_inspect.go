package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"mfabridge/legacy"
	"mfabridge/migrate"
)

func (p *program) inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "read and check EXPORT; writes nothing",
		ArgsUsage: "EXPORT",
		Description: "Reads all tables of an export and says what is in it, what is wrong with it and what could not move to\n" +
			"any target. Ends with 2 if there are findings of severity error.",
		Flags:  slices.Concat(exportFlags(), inspectFlags(), gateFlags(), []cli.Flag{formatFlag()}),
		Action: p.inspect,
	}
}

// inspectFlags are the rules that matter without a target.
func inspectFlags() []cli.Flag {
	return slices.DeleteFunc(ruleFlags(), func(f cli.Flag) bool {
		return !slices.Contains([]string{"default-country", "phone-validity", "include-disabled"}, f.Names()[0])
	})
}

func formatFlag() cli.Flag {
	return &cli.StringFlag{Name: "format", EnvVars: env("format"), Value: "text", Usage: "text, or json: one object a line"}
}

// format returns whether JSON is wanted. Formats that this version does not
// have are refused by name.
func format(c *cli.Context) (asJSON bool, err error) {
	switch v := c.String("format"); v {
	case "text":
		return false, nil
	case "json":
		return true, nil
	case "csv", "html":
		return false, usage(fmt.Sprintf("--format %s is not built into this version", v), "use text or json")
	default:
		return false, usage(fmt.Sprintf("--format cannot be %q", v), "use text or json")
	}
}

func (p *program) inspect(c *cli.Context) (err error) {
	defer bulk()()
	given, err := args(c, "EXPORT")
	if err != nil {
		return err
	}
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	gate, err := parseGate(c)
	if err != nil {
		return err
	}
	opt, err := p.rules(c)
	if err != nil {
		return err
	}
	export, err := p.openExport(c, given[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, export.Close()) }()
	opt.ExportTime, opt.CompanyMode = export.Summary().Created, export.Settings().Defaults.Mode
	inspect := p.inspectText
	if asJSON {
		inspect = p.inspectJSON
	}
	summary, err := inspect(c, export, opt)
	if err != nil {
		return err
	}
	if err := gate.check(summary); err != nil {
		return err
	}
	if summary.Severity[migrate.SeverityError] > 0 {
		return &exit{code: exitPending}
	}
	return nil
}

func (p *program) inspectJSON(c *cli.Context, export *legacy.Export, opt migrate.Options) (migrate.Summary, error) {
	report := migrate.NewInspectionJSON(p.out)
	summary, err := p.inspected(c, export, opt, report)
	if err != nil {
		return summary, err
	}
	return summary, report.Summary(summary)
}

// inspectText writes the findings into a temporary file first, because the
// outlook, which is known last, stands on top.
func (p *program) inspectText(c *cli.Context, export *legacy.Export, opt migrate.Options) (s migrate.Summary, err error) {
	lines, err := os.CreateTemp("", "mfabridge-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, lines.Close(), os.Remove(lines.Name())) }()
	if s, err = p.inspected(c, export, opt, &migrate.InspectionText{W: lines}); err != nil {
		return s, err
	}
	migrate.WriteOutlook(p.out, s)
	e := export.Summary()
	fmt.Fprintf(p.out, "rows          %d of users, %d skipped, %d duplicate names\n", e.Rows, e.SkippedRows, e.Duplicates)
	fmt.Fprintf(p.out, "tokens        %d, %d with a usable secret\n", e.Tokens, e.TokensWithSecret)
	migrate.WriteCounts(p.out, s)
	fmt.Fprintln(p.out)
	if _, err := lines.Seek(0, io.SeekStart); err != nil {
		return s, err
	}
	_, err = io.Copy(p.out, lines)
	return s, err
}

func (p *program) inspected(c *cli.Context, export *legacy.Export, opt migrate.Options, sink migrate.Sink) (migrate.Summary, error) {
	bar := p.progress("checking", export.Summary().Users)
	defer bar.end()
	return migrate.Inspect(c.Context, export, opt, &counted{Sink: sink, tell: func(n int64) { bar.at(n, 0) }})
}
