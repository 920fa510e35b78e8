package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"mfabridge/legacy"
	"mfabridge/migrate"
)

// Findings of each code that reports for people list.
const (
	listedText = 10
	listedHTML = 200
)

func (p *program) inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "read and check EXPORT; changes nothing",
		ArgsUsage: "EXPORT",
		Description: "Reads all tables of an export and says what is in it, what is wrong with it and what could not move to\n" +
			"any target: the outlook first, then counts, then the findings by severity, each with its place. Ends with 2 if\n" +
			"there are findings of severity error that --accept does not name. docs/reports.md explains the report.",
		Flags: slices.Concat(exportFlags(), inspectFlags(), gateFlags(), []cli.Flag{
			&cli.StringFlag{Name: "format", Value: "text", Usage: "text; json: one object a line; or html: one page"},
			&cli.BoolFlag{Name: "all", Usage: fmt.Sprintf("list all findings, not the first %d of each code", listedText)},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the report to `FILE`, not to the standard output"},
			&cli.BoolFlag{Name: "overwrite", Usage: "replace FILE if it is a report"},
		}),
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
	return &cli.StringFlag{Name: "format", Value: "text", Usage: "text, or json: one object a line"}
}

// format tells whether JSON is wanted.
func format(c *cli.Context) (asJSON bool, err error) {
	switch v := c.String("format"); v {
	case "text":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, usage(fmt.Sprintf("--format cannot be %q", v), "use text or json")
	}
}

func (p *program) inspect(c *cli.Context) (err error) {
	defer bulk(readingGC)()
	given, err := args(c, "EXPORT")
	if err != nil {
		return err
	}
	report, err := p.inspection(c)
	if err != nil {
		return err
	}
	gate, err := p.parseGate(c)
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
	gate.rules(&opt, export)
	summary, err := p.report(c, func(w io.Writer) (migrate.Summary, error) { return report(w, export, opt) })
	if err != nil {
		return err
	}
	p.warnUnmet(opt.Accepted)
	if err := gate.check(summary); err != nil {
		return err
	}
	if summary.Unaccepted(migrate.SeverityError) > 0 {
		return &exit{code: exitPending}
	}
	return nil
}

// inspection is how an export is inspected and reported in the format that was
// asked for.
func (p *program) inspection(c *cli.Context) (func(io.Writer, *legacy.Export, migrate.Options) (migrate.Summary, error), error) {
	format, all := c.String("format"), c.Bool("all")
	most := listedText
	switch {
	case !slices.Contains([]string{"text", "json", "html"}, format):
		return nil, usage(fmt.Sprintf("--format cannot be %q", format), "use text, json or html")
	case all && format != "text":
		return nil, usage("--all goes with --format text", fmt.Sprintf("json lists all findings anyway; html lists %d of each code", listedHTML))
	case format == "json":
		return func(w io.Writer, export *legacy.Export, opt migrate.Options) (migrate.Summary, error) {
			report := migrate.NewInspectionJSON(w)
			summary, err := p.inspected(c, export, opt, report)
			if err != nil {
				return summary, err
			}
			return summary, report.Overview(overview(summary, export))
		}, nil
	case format == "html":
		most = listedHTML
	case all:
		most = 0
	}
	write := func(w io.Writer, o migrate.Overview, l *migrate.Listing) error {
		if format == "html" {
			return migrate.InspectionHTML(w, o, l, migrate.HTMLOptions{Made: p.now(), Version: version()})
		}
		return migrate.InspectionText(w, o, l)
	}
	return func(w io.Writer, export *legacy.Export, opt migrate.Options) (s migrate.Summary, err error) {
		listing := migrate.NewListing(most, opt.TempDir)
		defer func() { err = errors.Join(err, listing.Close()) }()
		if s, err = p.inspected(c, export, opt, listing); err != nil {
			return s, err
		}
		return s, write(w, overview(s, export), listing)
	}, nil
}

func overview(s migrate.Summary, export *legacy.Export) migrate.Overview {
	return migrate.Overview{Summary: s, Export: export.Summary(), Settings: export.Settings()}
}

func (p *program) inspected(c *cli.Context, export *legacy.Export, opt migrate.Options, sink migrate.Sink) (migrate.Summary, error) {
	bar := p.progress("checking", export.Summary().Users)
	defer bar.end()
	return migrate.Inspect(c.Context, export, opt, &counted{Sink: sink, tell: func(n int64) { bar.at(n, 0) }})
}
