package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// personCommands are for what a person may ask for: to see everything, and to
// be forgotten.
func (p *program) personCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "export", Usage: "write everything that is kept about a user, in the clear, into a new file", ArgsUsage: "USER",
			Description: "One JSON object a line: the user, what hangs on it, and the entries of the audit that speak of the user. No secret is in it.",
			Flags: slices.Concat(storeFlags(), []cli.Flag{
				&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "the new `FILE`, readable by you only (required)"},
				reasonFlag(),
			}), Action: p.exportPerson},
		{Name: "erase", Usage: "remove a user for good, and from the audit what it says about the user", ArgsUsage: "USER",
			Description: "This cannot be undone. The audit goes on to say what was done when, about somebody whom nobody can name, and verifies as\n" +
				"before. Do not write the person's name into --reason. Backups, plans with their journals and keys, and messages in the\n" +
				"outbox are files of their own: they have their own ends.",
			Flags: append(storeFlags(), reasonFlag()), Action: p.erasePerson},
	}
}

func (p *program) exportPerson(c *cli.Context) error {
	name, by, err := named(c, "USER")
	if err != nil {
		return err
	}
	if c.String("out") == "" {
		return usage("--out is missing", "it holds numbers and addresses in the clear: name a new file, e.g. -o ada.jsonl")
	}
	return ofUser(c, p.withEngine, name, func(e *embedded, u cloud.User) error {
		err := p.toFile(c.String("out"), func(w io.Writer) error { return e.ExportPerson(c.Context, by, u.ID, w) })
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "%s: everything that is kept is in %s\n", migrate.Plain(u.UPN), c.String("out"))
		return nil
	})
}

// scrubber is a store that can empty its log.
type scrubber interface {
	Scrub(ctx context.Context) error
}

func (p *program) erasePerson(c *cli.Context) error {
	name, by, err := named(c, "USER")
	if err != nil {
		return err
	}
	return ofUser(c, p.withEngine, name, func(e *embedded, u cloud.User) error {
		done, err := e.ErasePerson(c.Context, by, u.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.out, "erased; in %s of the audit stands %s instead\n", migrate.Number(done.Entries, "entry", "entries"), done.Pseudonym)
		if s, ok := any(e.store).(scrubber); ok {
			return hint.Wrap(s.Scrub(c.Context), "the user is erased; traces may stay in the store's log until it is written over")
		}
		return nil
	})
}
