package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud/engine/audit"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// maxAuditLine bounds a line of an exported audit, and a kept checkpoint.
const maxAuditLine = 64 << 10

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
func readCheckpoints(path string) (all []audit.Checkpoint, err error) {
	if path == "" {
		return nil, nil
	}
	for text, err := range fileLines(path) {
		if err != nil {
			return nil, err
		}
		if len(text) == 0 {
			continue
		}
		var p audit.Checkpoint
		if err := json.Unmarshal(text, &p); err != nil {
			return nil, hint.New(path+" holds no checkpoints", "name a file of: mfabridge engine audit checkpoint -o FILE")
		}
		all = append(all, p)
	}
	return all, nil
}

// fileLines yields the lines of a file without the blanks around them; each is
// overwritten by the next.
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
			if !yield(bytes.TrimSpace(lines.Bytes()), nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("%s cannot be read to its end: %w", path, err))
		}
	}
}

// verifyExport verifies an exported audit.
func verifyExport(ctx context.Context, path, key string, kept []audit.Checkpoint) (audit.Result, error) {
	text, err := os.ReadFile(key)
	if err != nil {
		return audit.Result{}, hint.Wrap(err, "name a file of: mfabridge engine audit key -o FILE")
	}
	var public ed25519.PublicKey
	if block, _ := pem.Decode(text); block != nil {
		parsed, _ := x509.ParsePKIXPublicKey(block.Bytes)
		public, _ = parsed.(ed25519.PublicKey)
	}
	if public == nil {
		return audit.Result{}, hint.New(key+" is not an audit's public key", "name a file of: mfabridge engine audit key -o FILE")
	}
	a, row := audit.NewAuditor(public, kept...), 0
	for text, err := range fileLines(path) {
		row++
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return audit.Result{}, err
		}
		if len(text) == 0 {
			continue
		}
		entry, err := audit.ParseEntry(text)
		if err != nil {
			return audit.Result{}, hint.Wrap(fmt.Errorf("%s:%d: %w", path, row, err), "name a file of: mfabridge engine audit export --format jsonl")
		}
		a.Check(&entry)
	}
	return a.Finish(), nil
}

// audited prints what came out; flaws are exit code 1.
func (p *program) audited(r audit.Result, asJSON bool) error {
	if asJSON {
		for _, f := range r.Flaws {
			if err := p.jsonLine(struct {
				Type string `json:"type"`
				audit.Flaw
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

func chainForms(chains []audit.Chained) []chainForm {
	forms := []chainForm{}
	for _, c := range chains {
		if c.Signed == 0 {
			c.At = time.Time{}
		}
		forms = append(forms, chainForm{c.Node, c.From, c.To, c.Signed, orNull(c.At)})
	}
	return forms
}

func (p *program) auditedText(r audit.Result) {
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
