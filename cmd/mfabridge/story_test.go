package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"mfabridge/fixtures"
)

// story is a folder in which contoso has been planned for and moved into an
// engine.
type story struct {
	folder string
	plan   string
	store  string // as --store takes it
}

func (s story) path(name string) string { return filepath.Join(s.folder, name) }

// newStory is a folder of a test's own, without anything in it.
func newStory(t testing.TB) story {
	t.Helper()
	s := story{folder: t.TempDir()}
	s.plan, s.store = s.path("move.plan"), "sqlite:"+s.path("cloud.db")
	return s
}

// planned writes the sample with device secrets and plans it; nothing is
// applied yet.
func planned(t testing.TB) story {
	t.Helper()
	s := newStory(t)
	s.planTo(t, s.store)
	return s
}

func (s story) planTo(t testing.TB, store string) {
	t.Helper()
	if err := os.CopyFS(s.path("contoso"), fixtures.ContosoSecrets()); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, "plan", s.path("contoso"), "--to", store, "-o", s.plan, "--create-users",
		"--default-country", "US", "--domain", "contoso.example")
}

// moved is planned and applied. The test works in the folder.
func moved(t testing.TB) story {
	t.Helper()
	return movedOnce.copy(t, func(s story) {
		s.planTo(t, "sqlite:cloud.db")
		must(t, exitDone, "apply", s.plan)
	})
}

var movedOnce master

// master is a story that is made once, for the first test that asks for it, and
// of which each test gets a copy.
type master struct {
	made  sync.Once
	files map[string][]byte // by their paths below the folder
}

// copy lets the master be made by fill, unless it is there, and copies it into a
// folder of the test's own. Both work in their folder: a plan names its target,
// which is another one in each, and so has to name it sqlite:cloud.db.
func (m *master) copy(t testing.TB, fill func(story)) story {
	t.Helper()
	m.made.Do(func() {
		s := newStory(t)
		t.Chdir(s.folder)
		fill(s)
		m.files = filesBelow(t, s.folder)
	})
	if m.files == nil {
		t.Fatal("what this test begins with could not be made: the first test that asked for it says why")
	}
	s := newStory(t)
	t.Chdir(s.folder)
	for name, content := range m.files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func filesBelow(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	root := os.DirFS(folder)
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files[name], err = fs.ReadFile(root, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// write puts a file into the folder, readable by its owner only.
func (s story) write(t testing.TB, name, content string) string {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.path(name)
}
