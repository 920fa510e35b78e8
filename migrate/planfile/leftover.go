package planfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// partSuffix ends the names under which plan files are built.
const partSuffix = ".part"

func partPrefix(path string) string { return "." + filepath.Base(path) + "." }

// clearLeftovers removes what runs have left that were killed while they made
// a plan for path. A run holds a lock on the file that it builds, so that what
// is locked is somebody's work. What cannot be removed stays: it is in
// nobody's way.
func clearLeftovers(path string) {
	folder := filepath.Dir(path)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		name, isKey := strings.CutSuffix(e.Name(), KeyPath(""))
		if !strings.HasPrefix(name, partPrefix(path)) || !strings.HasSuffix(name, partSuffix) || !e.Type().IsRegular() {
			continue
		}
		part := filepath.Join(folder, name)
		if isKey {
			if !exists(part) {
				_ = os.Remove(KeyPath(part))
			}
			continue
		}
		clearPart(path, part)
	}
}

// clearPart removes a plan file that nobody builds any more. The key comes to
// its place before the plan does: one that was put there for this file, which
// its MAC tells, goes with it.
func clearPart(path, part string) {
	f, err := os.Open(part)
	if err != nil {
		return
	}
	held, err := tryLock(f)
	_ = f.Close()
	if held || err != nil {
		return
	}
	if !exists(path) {
		if p, err := Open(part, KeyPath(path)); err == nil {
			_ = p.Close()
			_ = os.Remove(KeyPath(path))
		}
	}
	_ = os.Remove(KeyPath(part))
	_ = os.Remove(part)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
