package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"mfabridge/internal/durable"
)

// holds checks that a folder has one file, with that content, for its owner alone.
func holds(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("the file holds %q, %v; want %q", got, err, want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestCreateReplacesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := durable.Create(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "one")
	if err := durable.Create(path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
	holds(t, path, "one")
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts")
	for _, content := range []string{"one", "two", ""} {
		if err := durable.Replace(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		holds(t, path, content)
	}
}

func TestNothingIsLeftWhereItFails(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "taken")
	if err := os.MkdirAll(filepath.Join(path, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(string, []byte) error{"Create": durable.Create, "Replace": durable.Replace} {
		if err := write(path, []byte("x")); err == nil {
			t.Errorf("%s: in the place of a folder", name)
		}
		if err := write(filepath.Join(folder, "none", "x"), []byte("x")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: in a folder that is not there: %v", name, err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
	if err := durable.SyncFolder(filepath.Join(folder, "none")); err == nil {
		t.Error("a folder that is not there is synced")
	}
}

func TestPlaceReplacesNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "plan")
	for _, content := range []string{"one", "two"} {
		f, err := durable.Beside(path)
		if err == nil {
			_, err = f.WriteString(content)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if err := durable.Place(f.Name(), path); errors.Is(err, fs.ErrExist) != (content == "two") || err != nil && content == "one" {
			t.Errorf("%s: %v", content, err)
		}
	}
	if err := durable.Create(filepath.Join(folder, "another"), nil); err != nil {
		t.Fatal(err)
	}
	durable.Sweep(path) // of what the second one wrote
	if err := os.Remove(filepath.Join(folder, "another")); err != nil {
		t.Error(err)
	}
	holds(t, path, "one")
}
