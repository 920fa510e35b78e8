package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mfabridge/internal/hint"
)

// dataUsable says which folders under a shim's data this process cannot write,
// for want of a right most often: what was run as somebody else has made them.
// A folder that is not there yet has to be one that can be made.
func dataUsable(data string) error {
	folder := data
	for {
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) || filepath.Dir(folder) == folder {
			break
		}
		folder = filepath.Dir(folder)
	}
	advice := "run this as the user whom the shim runs as, who needs that folder and all that is in it, e.g.: chown -R mfabridge " + data
	errs := []error{hint.Wrap(writable(folder), advice)}
	for _, name := range []string{"events", "accounting", "bypass", "audit"} {
		if folder := filepath.Join(data, name); errs[0] == nil {
			if _, err := os.Lstat(folder); err == nil {
				errs = append(errs, hint.Wrap(writable(folder), advice))
			}
		}
	}
	return errors.Join(errs...)
}

// writable tries whether a file can be made in a folder.
func writable(folder string) error {
	f, err := os.CreateTemp(folder, ".check-*")
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return fmt.Errorf("data: %s cannot be written: %w", folder, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
