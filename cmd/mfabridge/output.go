package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// report has write make a report: on the standard output, or in the file that
// --out names. A file is there whole or not at all, and readable by its owner
// only: it names people.
func (p *program) report(c *cli.Context, write func(io.Writer) (migrate.Summary, error)) (s migrate.Summary, err error) {
	path, replace := c.String("out"), c.Bool("overwrite")
	if path == "" {
		return write(p.out)
	}
	if _, err := os.Lstat(path); err == nil && !replace {
		return s, hint.Wrap(taken(path), "choose another file, or say --overwrite")
	}
	f, err := newPartOver(path, replace)
	if err != nil {
		return s, err
	}
	defer func() { err = f.end(err) }()
	if s, err = write(f); err != nil {
		return s, err
	}
	if err := f.publish(); err != nil {
		return s, err
	}
	fmt.Fprintf(p.err, "mfabridge: report written to %s\n", path)
	return s, nil
}
