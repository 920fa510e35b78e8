package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// stamp is a moment in what people read.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// report has write make a report: on the standard output, or in the file that
// --out names. A file is there whole or not at all, and readable by its owner
// only: it names people.
func (p *program) report(c *cli.Context, write func(io.Writer) (migrate.Summary, error)) (s migrate.Summary, err error) {
	path, replace := c.String("out"), c.Bool("overwrite")
	if path == "" {
		return write(p.out)
	}
	if info, err := os.Lstat(path); err == nil {
		switch {
		case !replace:
			return s, hint.Wrap(taken(path), "choose another file, or say --overwrite")
		case !isReport(path, info):
			return s, hint.New(path+" is there, and is no report", "choose another file; --overwrite replaces reports only")
		}
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

// isReport reports whether a file begins as a report does. A plan, its key or
// its journal, or a table of the export, is written over by no slip of the
// hand, nor by a variable that was meant for another command.
func isReport(path string, info fs.FileInfo) bool {
	if !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	begin := make([]byte, 64)
	n, err := io.ReadFull(f, begin)
	if err := f.Close(); err != nil || n == 0 {
		return err == nil
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	for _, first := range []string{"devices with a usable code secret: ", `{"type":"`, "<!DOCTYPE html>", "wave,username,upn,"} {
		if bytes.HasPrefix(begin[:n], []byte(first)) {
			return true
		}
	}
	return false
}

// jsonLine writes one object of --format json. Characters that a terminal obeys
// are escaped, as in text.
func (p *program) jsonLine(object any) error {
	line, err := json.Marshal(object)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.out, migrate.Plain(string(line)))
	return err
}
