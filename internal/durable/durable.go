// Package durable writes small files so that a crash, of the program or of the
// machine, leaves them whole or not there.
//
//	err := durable.Create(path, content)     // never replaces a file: [fs.ErrExist]
//	err := durable.Replace(path, content)    // the file before, or this one
//
// A file is written beside its place, under the hidden name .NAME.new-*, where a
// kill may leave it; only its owner can read it. When the function returns, file
// and name are on the disk.
//
// Files that are too large for that, or are there only if more succeeds, take the
// same steps one by one: [Beside], [Place], [SyncFolder], and [Sweep] for what was
// left.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// Create writes a file that is not there yet. In a folder without hard links it
// is as careful as [Place].
func Create(path string, content []byte) error { return write(path, content, Place) }

// Replace writes a file in the place of one that may be there.
func Replace(path string, content []byte) error { return write(path, content, os.Rename) }

func write(path string, content []byte, name func(from, to string) error) error {
	f, err := Beside(path)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = name(f.Name(), path)
	}
	_ = os.Remove(f.Name()) // gone where it was renamed
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		e.Path = path // nobody knows the other name
	}
	if err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// Beside makes the file, of mode 0600, in which path is written before it is there.
// Whoever calls renames it, or removes it.
func Beside(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), newName(path)+"*")
}

// newName begins the names of files that are written beside path.
func newName(path string) string { return "." + filepath.Base(path) + ".new-" }

// Sweep removes what was left beside path by those who were killed while they
// wrote it, and by those who still do. What cannot be removed stays.
func Sweep(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newName(path)) {
			_ = os.Remove(filepath.Join(filepath.Dir(path), e.Name())) // in nobody's way
		}
	}
}

// Place renames a file and never replaces one: [fs.ErrExist]. In a folder without
// hard links (FAT, some network folders) it looks before it renames, and may
// replace what appears in that moment.
func Place(from, to string) error { return place(from, to, os.Link) }

func place(from, to string, link func(from, to string) error) error {
	err := link(from, to)
	switch {
	case err == nil:
		return os.Remove(from)
	case errors.Is(err, fs.ErrExist):
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}

// SyncFolder makes the names in a folder durable, where that can be asked for:
// Windows has no such thing, nor have some file systems.
func SyncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
