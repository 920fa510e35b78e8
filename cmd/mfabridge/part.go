package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
)

// part is a file that is being written beside its place, with mode 0600: at its
// place it is there whole or not at all.
type part struct {
	file    *os.File // not embedded: its other ways to write would name it by its hidden name
	path    string
	replace bool // what is at its place goes
	done    bool
}

// newPart begins a new file. A path that exists is refused.
func newPart(path string) (*part, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, hint.Wrap(taken(path), "choose another file: none is replaced")
	}
	return newPartOver(path, false)
}

// newPartFor begins the new file that an option asks for.
func newPartFor(option, path, what string) (*part, error) {
	f, err := newPart(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("%s cannot be made: %w", what, err), "give --"+option+" a name that does not exist yet, in a folder that does")
	}
	return f, nil
}

// writePart writes a new file.
func writePart(path string, write func(io.Writer) error) (err error) {
	f, err := newPart(path)
	if err != nil {
		return err
	}
	defer func() { err = f.end(err) }()
	if err := write(f); err != nil {
		return err
	}
	return f.publish()
}

// newPartOver begins a file; with replace it takes the place of one that is
// there.
func newPartOver(path string, replace bool) (*part, error) {
	if path == "-" {
		return nil, usage("- is not the standard output here", "what can go there does so where no file is named; ./- is a file of that name")
	}
	f, err := durable.Beside(path)
	if err != nil {
		return nil, hint.Wrap(called(err, path), "name a file in a folder that you may write to")
	}
	return &part{file: f, path: path, replace: replace}, nil
}

// Name is where the file is until it is published.
func (f *part) Name() string { return f.file.Name() }

// Write names the file as it was asked for when it cannot be written.
func (f *part) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	if err != nil {
		err = called(err, f.path)
	}
	return n, err
}

// publish gives the file its name, once it is on the disk.
func (f *part) publish() error {
	if err := f.close(); err != nil {
		return called(err, f.path)
	}
	f.done = true
	if err := f.place(); err != nil {
		return hint.Default(err, "choose another file")
	}
	if !f.replace { // else another run may still write its own
		durable.Sweep(f.path) // who is still writing it will not get its place anyway
	}
	return nil
}

// close closes the file once it is on the disk.
func (f *part) close() error { return errors.Join(f.file.Sync(), f.file.Close()) }

// place gives the file its name, and takes none that is taken unless it may.
func (f *part) place() error {
	if f.replace {
		return os.Rename(f.Name(), f.path)
	}
	err := durable.Place(f.Name(), f.path)
	if errors.Is(err, fs.ErrExist) {
		return taken(f.path)
	}
	return err
}

// end closes and removes what was not published, and returns err.
func (f *part) end(err error) error {
	if f.done && err == nil {
		return nil
	}
	if !f.done {
		_ = f.file.Close()
	}
	if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		return errors.Join(err, gone)
	}
	return err
}

// called tells why a file cannot be written by the name that was asked for.
func called(err error, path string) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return hint.Wrap(fmt.Errorf("%s cannot be written: %w", path, err), "make room on the disk, or name a file elsewhere")
}

func taken(path string) error { return errors.New(path + " exists already") }
