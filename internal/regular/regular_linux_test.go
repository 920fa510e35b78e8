package regular_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/internal/regular"
)

// What is no regular file is refused at once, also a pipe that nobody writes to.
func TestNothingElseIsRead(t *testing.T) {
	folder := t.TempDir()
	pipe, file, link := filepath.Join(folder, "pipe"), filepath.Join(folder, "file"), filepath.Join(folder, "link")
	if err := errors.Join(unix.Mkfifo(pipe, 0o600), os.WriteFile(file, []byte("text"), 0o600), os.Symlink(pipe, link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, link, folder, "/dev/null"} {
		if _, err := regular.Read(path); !errors.Is(err, regular.ErrOther) || err.Error() != "open "+path+": not a regular file" {
			t.Errorf("%s: %v", path, err)
		}
		for _, pair := range [][2]string{{path, file}, {file, path}} {
			if _, err := regular.Pair(pair[0], pair[1]); !errors.Is(err, regular.ErrOther) {
				t.Errorf("%q: %v", pair, err)
			}
		}
	}
	if b, err := regular.Read(file); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := regular.Read(filepath.Join(folder, "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := os.Truncate(file, regular.Most+1); err != nil {
		t.Fatal(err)
	}
	if _, err := regular.Read(file); err == nil {
		t.Error("a file of any size is read")
	}
}
