package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A folder without hard links takes new files, too, and keeps those it has.
func TestPlaceWithoutHardLinks(t *testing.T) {
	noLinks := func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM} }
	folder := t.TempDir()
	from, to := filepath.Join(folder, "new"), filepath.Join(folder, "name")
	for _, content := range []string{"one", "two"} {
		if err := os.WriteFile(from, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := place(from, to, noLinks); errors.Is(err, fs.ErrExist) != (content == "two") || err != nil && content == "one" {
			t.Errorf("%s: %v", content, err)
		}
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != "one" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}
