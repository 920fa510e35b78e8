package main

import (
	"bufio"
	"crypto/x509"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine/audit"
	"mfabridge/migrate"
)

func (p *program) auditCommand() *cli.Command {
	out := func(what string) cli.Flag {
		return &cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write " + what + " to a new `FILE`"}
	}
	return &cli.Command{
		Name:  "audit",
		Usage: "verify, export, sign and shorten the record of who did what",
		Subcommands: []*cli.Command{
			{Name: "verify", Usage: "tell whether the audit is as it was written", ArgsUsage: "[EXPORT.jsonl]",
				Description: "Reads the audit of a store, or with --public-key one that was exported, and names every entry that was altered,\n" +
					"moved or appended by hand, and what is missing. Exit code 1 if there is any. That the newest entries were cut off\n" +
					"together with all traces of them shows only against a checkpoint that was kept elsewhere (--checkpoint).",
				Flags: slices.Concat(storeFlags(), []cli.Flag{
					&cli.StringFlag{Name: "checkpoint", Usage: "`FILE` of audit checkpoint: what it signed must be there"},
					&cli.StringFlag{Name: "public-key", Usage: "`FILE` of audit key: verify an export without the store"},
					formatFlag(),
				}), Action: p.auditVerify},
			{Name: "export", Usage: "write entries as JSON or CSV, oldest first", Flags: slices.Concat(auditFlags(), []cli.Flag{
				&cli.StringFlag{Name: "since", Usage: "from this `TIME` on: 2006-01-02 (UTC), RFC 3339, or 24h for that long ago"},
				&cli.StringFlag{Name: "until", Usage: "before this `TIME`"},
				&cli.StringFlag{Name: "format", Value: "jsonl", Usage: "jsonl, which can be verified (json is the same), or csv"},
				out("it"),
			}), Action: p.auditExport},
			{Name: "checkpoint", Usage: "sign how far the audit has come; engine serve does so by itself",
				Description: "Of an engine elsewhere it writes the checkpoints that were signed last.",
				Flags:       append(auditFlags(), out("the signed checkpoints")), Action: p.auditCheckpoint},
			{Name: "key", Usage: "write the public key that verifies exports and checkpoints", Flags: append(auditFlags(), out("it")), Action: p.auditKey},
			{Name: "prune", Usage: "remove old entries; what stays can still be verified", Flags: slices.Concat(storeFlags(), []cli.Flag{
				&cli.StringFlag{Name: "before", Usage: "remove what was written before this `TIME`, e.g. 8760h for a year ago (required)"},
				reasonFlag(),
			}), Action: p.auditPrune},
		},
	}
}

// moment is a time of --since and the like; empty: none.
func (p *program) moment(c *cli.Context, option string) (time.Time, error) {
	text := c.String(option)
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return p.now().Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage(fmt.Sprintf("--%s cannot be %q", option, text), "write 2026-11-01, 2026-11-01T12:00:00Z, or 24h for that long ago")
}

func (p *program) auditExport(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	since, err := p.moment(c, "since")
	if err != nil {
		return err
	}
	until, err := p.moment(c, "until")
	if err != nil {
		return err
	}
	if !until.IsZero() && !since.Before(until) { // nothing would be written, as if nothing had been done
		return usage(fmt.Sprintf("--since %s is not before --until %s", stamp(since), stamp(until)), "24h is a day ago, 48h two days: the longer one is --since")
	}
	form := c.String("format")
	if form != "jsonl" && form != "json" && form != "csv" { // json: what MFABRIDGE_FORMAT says to all commands
		return usage(fmt.Sprintf("--format cannot be %q", form), "use jsonl or csv")
	}
	return p.readAudit(c, func(e auditReader) error {
		return p.toFile(c.String("out"), func(w io.Writer) error {
			entries := e.AuditBetween(c.Context, since, until)
			if form == "csv" {
				return auditCSV(w, entries)
			}
			return auditLines(w, entries)
		})
	})
}

func auditLines(w io.Writer, entries iter.Seq2[audit.Entry, error]) error {
	b := bufio.NewWriter(w)
	for e, err := range entries {
		if err != nil {
			return err
		}
		text, err := e.Line()
		if err != nil {
			return err
		}
		b.Write(text)
		if err := b.WriteByte('\n'); err != nil {
			return err
		}
	}
	return b.Flush()
}

// auditCSV writes a table for people; cells that a spreadsheet would run are
// made text.
func auditCSV(w io.Writer, entries iter.Seq2[audit.Entry, error]) error {
	table := csv.NewWriter(w)
	if err := table.Write([]string{"seq", "time", "node", "number", "actor", "action", "subject", "detail", "reason", "link"}); err != nil {
		return err
	}
	for e, err := range entries {
		if err != nil {
			return err
		}
		row := []string{strconv.FormatInt(e.Seq, 10), e.Time.UTC().Format(time.RFC3339Nano), e.Node, strconv.FormatInt(e.Number, 10),
			e.Actor, e.Action, e.Subject, e.Detail, e.Reason, base64.StdEncoding.EncodeToString(e.Link)}
		for i, cell := range row {
			row[i] = migrate.Cell(cell)
		}
		if err := table.Write(row); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

func (p *program) auditCheckpoint(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	return p.readAudit(c, func(e auditReader) error {
		var made []audit.Checkpoint
		var err error
		if signer, here := e.(auditHere); here {
			if made, err = signer.Checkpoint(c.Context); err != nil {
				return err
			}
		}
		if len(made) == 0 {
			if made, err = e.Checkpoints(c.Context); err != nil {
				return err
			}
		}
		return p.toFile(c.String("out"), func(w io.Writer) error {
			lines := json.NewEncoder(w)
			for _, p := range made {
				if err := lines.Encode(p); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (p *program) auditKey(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	return p.readAudit(c, func(e auditReader) error {
		public, err := e.AuditKey(c.Context)
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return err
		}
		return p.toFile(c.String("out"), func(w io.Writer) error { return pem.Encode(w, &pem.Block{Type: "PUBLIC KEY", Bytes: der}) })
	})
}

func (p *program) auditPrune(c *cli.Context) error {
	if _, err := args(c); err != nil {
		return err
	}
	by, err := actor(c)
	if err != nil {
		return err
	}
	before, err := p.moment(c, "before")
	if err != nil {
		return err
	}
	switch {
	case before.IsZero():
		return usage("--before is missing", "e.g. --before 8760h: what is older than a year goes")
	case before.After(p.now()): // a year mistyped would take the whole audit
		return usage("--before cannot be in the future: "+stamp(before), "e.g. --before 8760h: what is older than a year goes")
	}
	return p.withEngine(c, func(e *embedded) error {
		n, err := e.PruneAudit(c.Context, by, before)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "removed %s\n", migrate.Number(n, "entry", "entries"))
		return nil
	})
}

// toFile writes to the standard output, or into a new file that is there whole
// or not at all, readable by its owner only.
func (p *program) toFile(path string, write func(io.Writer) error) error {
	if path == "" {
		return write(p.out)
	}
	return writePart(path, write)
}
