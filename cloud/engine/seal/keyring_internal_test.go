package seal

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The key file of before is kept where a folder has no hard links, too, as
// private as it was.
func TestSecondNameWithoutHardLinks(t *testing.T) {
	folder := t.TempDir()
	path, name := filepath.Join(folder, "key"), filepath.Join(folder, "key.before")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	noLinks := func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM} }
	if err := second(path, name, noLinks); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	info, _ := os.Stat(name)
	if err != nil || string(got) != "content" || info.Mode() != 0o600 {
		t.Errorf("the copy holds %q, %v", got, err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 2 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	exists := func(string, string) error { return fs.ErrExist }
	if err := second(path, name, exists); err == nil {
		t.Error("a file that is there was taken for a copy")
	}
}
