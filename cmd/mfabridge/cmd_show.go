package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/migrate"
	"mfabridge/migrate/board"
)

func (p *program) showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "the dry-run report of the plan F",
		ArgsUsage: "F",
		Description: "Says for each user what the plan does and why. Telephone numbers and addresses are masked. Without\n" +
			"the plan's key (F.key) the report can be read, but nothing tells whether F was altered.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Value: "text", Usage: "text; json: one object a line; csv: one row a finding; or html: one page for a change board"},
			&cli.BoolFlag{Name: "users", Usage: "with csv: one row a user, with what has to be done, for a mail merge"},
			&cli.StringFlag{Name: "wave", Usage: "only the users of the wave `NAME`, and their counts"},
			planKeyFlag(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the report to `FILE`, not to the standard output"},
			&cli.BoolFlag{Name: "overwrite", Usage: "replace FILE if it is a report"},
			&cli.BoolFlag{Name: "reveal", Usage: "show telephone numbers and addresses in full; needs the plan's key"},
		},
		Action: p.show,
	}
}

func (p *program) show(c *cli.Context) (err error) {
	defer bulk(readingGC)()
	given, err := args(c, "F")
	if err != nil {
		return err
	}
	show, err := p.shower(c)
	if err != nil {
		return err
	}
	plan, err := openPlan(c, given[0], true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	if !plan.Sealed() {
		if c.Bool("reveal") {
			return hint.New("full values are sealed, and the key of the plan is not here", "say where it is with --plan-key file:PATH")
		}
		fmt.Fprintln(p.err, "mfabridge: warning: without the plan's key the seal was not checked")
	}
	var shown migrate.PlanReader = plan
	if name := c.String("wave"); name != "" {
		if shown, err = migrate.InWave(plan, name); err != nil {
			return err
		}
	}
	_, err = p.report(c, func(w io.Writer) (migrate.Summary, error) { return shown.Summary(), show(w, shown) })
	return err
}

// shower is how a plan is shown in the format that was asked for.
func (p *program) shower(c *cli.Context) (func(io.Writer, migrate.PlanReader) error, error) {
	format, reveal, users := c.String("format"), c.Bool("reveal"), c.Bool("users")
	switch {
	case users && format != "csv":
		return nil, usage("--users goes with --format csv", "the other formats list users anyway")
	case reveal && format == "csv":
		return nil, usage("--reveal does not go with --format csv", "tables for spreadsheets never hold full values")
	}
	switch format {
	case "text":
		options := migrate.ShowOptions{Reveal: reveal, Color: p.color && c.String("out") == ""}
		return func(w io.Writer, plan migrate.PlanReader) error { return migrate.ShowText(c.Context, w, plan, options) }, nil
	case "json":
		return func(w io.Writer, plan migrate.PlanReader) error { return migrate.ShowJSON(c.Context, w, plan, reveal) }, nil
	case "csv":
		write := migrate.ShowCSV
		if users {
			write = migrate.ShowUsersCSV
		}
		return func(w io.Writer, plan migrate.PlanReader) error { return write(c.Context, w, plan) }, nil
	case "html":
		options := board.Options{Made: p.now(), Version: version(), Reveal: reveal, Wave: c.String("wave")}
		return func(w io.Writer, plan migrate.PlanReader) error { return board.Write(c.Context, w, plan, options) }, nil
	default:
		return nil, usage(fmt.Sprintf("--format cannot be %q", format), "use text, json, csv or html")
	}
}
