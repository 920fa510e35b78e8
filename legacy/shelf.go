package legacy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mfabridge/internal/hint"
)

// shelf is where the files of an export lie. Names are relative to the
// export, with slashes.
type shelf interface {
	// each visits what lies at the top ("") or in one folder of the export.
	each(dir string, visit func(name string, isDir bool) error) error
	// open opens a file for one reading from start to end. It refuses what has
	// no size and no end, and what is larger than MaxFile.
	open(name string) (io.ReadCloser, error)
	Close() error
}

const folderAdvice = "give the folder that holds the tables of the export, its .zip or .zip.age, or one users file (.csv, .jsonl, .xml)"

// openShelf finds out what an export is by what it is called.
func openShelf(path string, o Options) (shelf, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, hint.New("there is no export "+path, folderAdvice)
	case err != nil:
		return nil, hint.Wrap(fmt.Errorf("the export cannot be opened: %w", err), "give an export that you may read")
	case info.IsDir():
		return dirShelf(path), nil
	case !info.Mode().IsRegular():
		return nil, hint.New(path+" is neither a folder nor a regular file", folderAdvice)
	}
	lower := strings.ToLower(path)
	switch {
	case strings.HasSuffix(lower, ".age"):
		return openAge(path, info.Size(), o)
	case strings.HasSuffix(lower, ".zip"):
		return openZipFile(path, info.Size())
	}
	if formOf(lower) == formNone {
		return nil, hint.New(path+" is a file of a kind that is not read", folderAdvice)
	}
	return fileShelf(path), nil
}

// dirShelf is a folder.
type dirShelf string

func (d dirShelf) each(dir string, visit func(string, bool) error) error {
	f, err := os.Open(filepath.Join(string(d), filepath.FromSlash(dir)))
	if err != nil {
		return hint.Wrap(fmt.Errorf("the export cannot be opened: %w", err), "give a folder that you may read")
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(1000)
		for _, e := range entries {
			if err := visit(joined(dir, e.Name()), e.IsDir()); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the export cannot be listed: %w", err)
		}
	}
}

func joined(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

func (d dirShelf) open(name string) (io.ReadCloser, error) {
	return openRegular(filepath.Join(string(d), filepath.FromSlash(name)), strings.ToLower(name))
}

func (dirShelf) Close() error { return nil }

// openRegular opens a file of an export. Only a regular file has a size and
// an end.
func openRegular(path, name string) (io.ReadCloser, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, hint.Wrap(fmt.Errorf("%s cannot be read: %w", name, err), "look at the folder of the export and who may read it")
	case !info.Mode().IsRegular():
		return nil, hint.New(name+" is not a regular file", "put the file itself into the folder of the export")
	case info.Size() > MaxFile:
		return nil, hint.New(fmt.Sprintf("%s has %d bytes, %d is the limit", name, info.Size(), int64(MaxFile)), "split the export")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("%s cannot be read: %w", name, err), "look at who may read the export")
	}
	return file, nil
}

// fileShelf is one file alone.
type fileShelf string

func (f fileShelf) each(dir string, visit func(string, bool) error) error {
	if dir != "" {
		return nil
	}
	return visit(filepath.Base(string(f)), false)
}

func (f fileShelf) open(name string) (io.ReadCloser, error) { return openRegular(string(f), name) }

func (fileShelf) Close() error { return nil }
