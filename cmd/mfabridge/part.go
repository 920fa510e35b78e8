package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mfabridge/internal/hint"
)

// part is a file that is being written beside its place, with mode 0600.
type part struct {
	*os.File
	path string
	done bool
}

// newPart begins a new file. A path that exists is refused.
func newPart(path string) (*part, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, hint.New(path+" exists already", "choose another file: none is replaced")
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("%s cannot be written: %w", path, err), "name a file in a folder that you may write to")
	}
	return &part{File: f, path: path}, nil
}

// publish gives the file its name, once it is on the disk.
func (f *part) publish() error {
	if err := errors.Join(f.Sync(), f.File.Close()); err != nil {
		return called(err, f.path)
	}
	f.done = true
	if err := rename(f.Name(), f.path, false); err != nil {
		return err
	}
	sweep(f.path)
	return nil
}

// sweep removes what runs have left that were killed while they wrote a file
// that is there now: who is still writing it will not get its place anyway.
// What cannot be removed is in nobody's way.
func sweep(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "."+filepath.Base(path)+".new-") {
			_ = os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// end closes and removes what was not published, and returns err.
func (f *part) end(err error) error {
	if f.done && err == nil {
		return nil
	}
	if !f.done {
		_ = f.File.Close()
	}
	if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		return errors.Join(err, gone)
	}
	return err
}
