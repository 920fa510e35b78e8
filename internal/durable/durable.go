// Package durable writes small files so that a crash, of the program or of the
// machine, leaves them whole or not there.
//
//	err := durable.Create(path, content)     // never replaces a file: [fs.ErrExist]
//	err := durable.Replace(path, content)    // the file before, or this one
//
// A file is written beside its place, under the hidden name .NAME.new-*, where a
// kill may leave it; only its owner can read it. When the function returns, file
// and name are on the disk.
package durable

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Create writes a file that is not there yet.
func Create(path string, content []byte) error { return write(path, content, os.Link) }

// Replace writes a file in the place of one that may be there.
func Replace(path string, content []byte) error { return write(path, content, os.Rename) }

func write(path string, content []byte, name func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*") // mode 0600
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
	if err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
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
