package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// maxAuditLine bounds a line of an exported audit, and a kept checkpoint.
const maxAuditLine = 64 << 10

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
				&cli.StringFlag{Name: "format", Value: "jsonl", Usage: "jsonl, which can be verified, or csv"},
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

func (p *program) auditVerify(c *cli.Context) error {
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	kept, err := readCheckpoints(c.String("checkpoint"))
	if err != nil {
		return err
	}
	if c.String("public-key") != "" {
		given, err := args(c, "EXPORT.jsonl")
		if err != nil {
			return err
		}
		result, err := verifyExport(c.Context, given[0], c.String("public-key"), kept)
		if err != nil {
			return err
		}
		return p.audited(result, asJSON)
	}
	if c.NArg() > 0 {
		return usage("--public-key is missing", "an export is verified with the key that mfabridge engine audit key wrote; without an export the store's own audit is")
	}
	return p.withEngine(c, func(e *embedded) error {
		result, err := e.VerifyAudit(c.Context, kept...)
		if err != nil {
			return err
		}
		return p.audited(result, asJSON)
	})
}

// readCheckpoints reads what audit checkpoint wrote.
func readCheckpoints(path string) (all []engine.Checkpoint, err error) {
	if path == "" {
		return nil, nil
	}
	for text, err := range fileLines(path) {
		if err != nil {
			return nil, err
		}
		var p engine.Checkpoint
		if err := json.Unmarshal(text, &p); err != nil {
			return nil, hint.New(path+" holds no checkpoints", "name a file of: mfabridge engine audit checkpoint -o FILE")
		}
		all = append(all, p)
	}
	return all, nil
}

// fileLines yields the lines of a file; they are overwritten by the next.
func fileLines(path string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(nil, hint.Wrap(err, "name a file that is there"))
			return
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, maxAuditLine)
		for lines.Scan() {
			if text := bytes.TrimSpace(lines.Bytes()); len(text) > 0 && !yield(text, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("%s cannot be read to its end: %w", path, err))
		}
	}
}

// verifyExport verifies an exported audit.
func verifyExport(ctx context.Context, path, key string, kept []engine.Checkpoint) (engine.Audited, error) {
	text, err := os.ReadFile(key)
	if err != nil {
		return engine.Audited{}, hint.Wrap(err, "name a file of: mfabridge engine audit key -o FILE")
	}
	var public ed25519.PublicKey
	if block, _ := pem.Decode(text); block != nil {
		parsed, _ := x509.ParsePKIXPublicKey(block.Bytes)
		public, _ = parsed.(ed25519.PublicKey)
	}
	if public == nil {
		return engine.Audited{}, hint.New(key+" is not an audit's public key", "name a file of: mfabridge engine audit key -o FILE")
	}
	a, row := engine.NewAuditor(public, kept...), 0
	for text, err := range fileLines(path) {
		row++
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return engine.Audited{}, err
		}
		entry, err := engine.ParseEntry(text)
		if err != nil {
			return engine.Audited{}, hint.Wrap(fmt.Errorf("%s:%d: %w", path, row, err), "name a file of: mfabridge engine audit export --format jsonl")
		}
		a.Check(&entry)
	}
	return a.Finish(), nil
}

// audited prints what came out; flaws are exit code 1.
func (p *program) audited(r engine.Audited, asJSON bool) error {
	if asJSON {
		for _, f := range r.Flaws {
			if err := p.jsonLine(struct {
				Type string `json:"type"`
				engine.Flaw
			}{"flaw", f}); err != nil {
				return err
			}
		}
		if err := p.jsonLine(map[string]any{"type": "summary", "entries": r.Entries, "unchained": r.Before, "erased": r.Erased,
			"floor": r.Floor, "chains": chainForms(r.Chains), "flaws": len(r.Flaws) + r.More}); err != nil {
			return err
		}
	} else {
		p.auditedText(r)
	}
	if n := len(r.Flaws) + r.More; n > 0 {
		return &exit{code: exitFailed, err: hint.New(fmt.Sprintf("the audit is not as it was written: flaws: %d", n),
			"keep the store and its backups as they are, and find out who could write to the file")}
	}
	return nil
}

// chainForm is what was found of one node, in JSON.
type chainForm struct {
	Node   string     `json:"node"`
	From   int64      `json:"from"`
	To     int64      `json:"to"`
	Signed int64      `json:"signed"` // the last entry that a checkpoint covers; 0: none
	At     *time.Time `json:"at"`     // of that checkpoint
}

func chainForms(chains []engine.Chained) []chainForm {
	forms := []chainForm{}
	for _, c := range chains {
		form := chainForm{c.Node, c.From, c.To, c.Signed, nil}
		if at := c.At.UTC(); c.Signed > 0 {
			form.At = &at
		}
		forms = append(forms, form)
	}
	return forms
}

func (p *program) auditedText(r engine.Audited) {
	for _, f := range r.Flaws {
		switch {
		case f.Seq > 0:
			fmt.Fprintf(p.out, "! entry %d (node %s, number %d) %s\n", f.Seq, migrate.Plain(f.Node), f.Number, migrate.Plain(f.What))
		default:
			fmt.Fprintf(p.out, "! %s\n", migrate.Plain(f.What))
		}
	}
	t := table(p.out)
	for _, c := range r.Chains {
		signed := "none signed"
		if c.Signed > 0 {
			signed = fmt.Sprintf("signed up to %d at %s", c.Signed, stamp(c.At))
		}
		fmt.Fprintf(t, "node %s\tentries %d to %d\t%s\n", migrate.Plain(c.Node), c.From, c.To, signed)
	}
	t.Flush()
	fmt.Fprintf(p.out, "entries %d, erased %d", r.Entries, r.Erased)
	if r.Before > 0 {
		fmt.Fprintf(p.out, ", from before there were chains %d", r.Before)
	}
	if r.Floor > 0 {
		fmt.Fprintf(p.out, ", removed by retention up to %d", r.Floor)
	}
	fmt.Fprintf(p.out, ", flaws %d\n", len(r.Flaws)+r.More)
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
	if form != "jsonl" && form != "csv" {
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

func auditLines(w io.Writer, entries iter.Seq2[engine.Entry, error]) error {
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
func auditCSV(w io.Writer, entries iter.Seq2[engine.Entry, error]) error {
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
		var made []engine.Checkpoint
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
