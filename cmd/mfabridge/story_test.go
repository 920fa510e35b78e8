package main

import (
	"os"
	"path/filepath"
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

// planned writes the sample with device secrets and plans it; nothing is
// applied yet.
func planned(t testing.TB) story {
	t.Helper()
	s := story{folder: t.TempDir()}
	s.plan, s.store = s.path("move.plan"), "sqlite:"+s.path("cloud.db")
	if err := os.CopyFS(s.path("contoso"), fixtures.ContosoSecrets()); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, "plan", s.path("contoso"), "--to", s.store, "-o", s.plan, "--create-users",
		"--default-country", "US", "--domain", "contoso.example")
	return s
}

// moved is planned and applied.
func moved(t testing.TB) story {
	t.Helper()
	s := planned(t)
	must(t, exitDone, "apply", s.plan)
	return s
}

// write puts a file into the folder, readable by its owner only.
func (s story) write(t testing.TB, name, content string) string {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.path(name)
}
