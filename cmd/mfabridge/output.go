package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// report has write make a report: on the standard output, or in the file that
// --out names. A file is there whole or not at all, and readable by its owner
// only: it names people.
func (p *program) report(c *cli.Context, write func(io.Writer) (migrate.Summary, error)) (s migrate.Summary, err error) {
	path := c.String("out")
	if path == "" {
		return write(p.out)
	}
	replace := c.Bool("overwrite")
	if _, err := os.Lstat(path); err == nil && !replace {
		return s, taken(path)
	}
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return s, hint.Wrap(fmt.Errorf("the report cannot be written: %w", err), "name a file in a folder that you may write to")
	}
	defer func() {
		if err != nil { // what went wrong first is what counts
			_ = part.Close()
			_ = os.Remove(part.Name())
		}
	}()
	if s, err = write(unnamed{part, path}); err != nil {
		return s, err
	}
	if err = errors.Join(part.Sync(), part.Close()); err != nil {
		return s, called(err, path)
	}
	if err = rename(part.Name(), path, replace); err != nil {
		return s, err
	}
	fmt.Fprintf(p.err, "mfabridge: report written to %s\n", path)
	return s, nil
}

// unnamed writes to a file that gets its name when it is whole.
type unnamed struct {
	f    *os.File
	path string // its name then
}

func (u unnamed) Write(b []byte) (int, error) {
	n, err := u.f.Write(b)
	if err != nil {
		err = called(err, u.path)
	}
	return n, err
}

// called tells why a file cannot be written by the name that was asked for.
func called(err error, path string) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return hint.Wrap(fmt.Errorf("%s cannot be written: %w", path, err), "make room on the disk, or name a file elsewhere")
}

// rename gives a file its name, and takes none that is taken unless it may.
func rename(from, to string, replace bool) error {
	if replace {
		return os.Rename(from, to)
	}
	switch err := os.Link(from, to); {
	case err == nil:
		return os.Remove(from)
	case errors.Is(err, os.ErrExist):
		return taken(to)
	default: // no hard links in this folder; nobody was there a moment ago
		return os.Rename(from, to)
	}
}

func taken(path string) error {
	return hint.New(path+" exists already", "choose another file, or say --overwrite")
}
