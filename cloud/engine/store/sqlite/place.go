package sqlite

import (
	"errors"
	"io/fs"
	"os"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
)

// files are those of a store as they were when it was opened: its own and its
// log. What SQLite writes goes into them wherever they are by now.
type files [2]struct {
	path string
	info fs.FileInfo
}

// lookedAt returns the files of an open store, which may have been given by a link
// that leads to path.
func lookedAt(given, path string) (files, error) {
	all := files{{path: given}, {path: path + "-wal"}}
	for i := range all {
		info, err := os.Stat(all[i].path)
		if err != nil {
			return all, unavailable("the store cannot be looked at", err)
		}
		all[i].info = info
	}
	return all, nil
}

// stand refuses to write where one of the files is gone or another one has its
// name. Whoever opens the store now has another one: what we recorded they would
// not know, codes that were used here and all, nor we their blocks.
func (all *files) stand() error {
	for _, f := range all {
		info, err := os.Stat(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return unavailable("the store cannot be looked at", err)
		case os.SameFile(f.info, info):
			continue
		}
		return hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Lasting: true, Message: f.path + " was moved away or replaced while the store is open"},
			"put it back, or start again whatever has the store open")
	}
	return nil
}
