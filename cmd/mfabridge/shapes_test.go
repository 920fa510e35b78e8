package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mfabridge/fixtures"
)

// inspect says the same of one export in whatever shape it comes.
func TestInspectOfEveryShape(t *testing.T) {
	for name, export := range map[string]fs.FS{"contoso": fixtures.Contoso(), "contoso-secrets": fixtures.ContosoSecrets()} {
		folder := t.TempDir()
		shapes, err := fixtures.WriteShapes(folder, export)
		if err != nil {
			t.Fatal(err)
		}
		if len(shapes) < 6 {
			t.Fatalf("only %d shapes", len(shapes))
		}
		passphrase := filepath.Join(folder, "passphrase")
		if err := os.WriteFile(passphrase, []byte(fixtures.Passphrase), 0o600); err != nil {
			t.Fatal(err)
		}
		plain := filepath.Join(folder, "plain")
		if err := os.CopyFS(plain, export); err != nil {
			t.Fatal(err)
		}
		want := counts(must(t, exitPending, "inspect", plain, "--default-country", "US").out)
		for shape, path := range shapes {
			got := counts(must(t, exitPending, "inspect", path, "--default-country", "US", "--passphrase", "file:"+passphrase).out)
			if got != want {
				t.Errorf("%s as %s:\n%s\nas a folder of CSV:\n%s", name, shape, got, want)
			}
		}
	}
}

// A plan does not say where the keys of its export lie.
func TestPlanOfASealedExport(t *testing.T) {
	s := story{folder: t.TempDir()}
	shapes, err := fixtures.WriteShapes(s.folder, fixtures.Contoso())
	if err != nil {
		t.Fatal(err)
	}
	passphrase := s.path("where-it-lies")
	if err := os.WriteFile(passphrase, []byte(fixtures.Passphrase), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range shapes {
		if !strings.HasSuffix(path, ".age") {
			continue
		}
		must(t, exitDone, "plan", path, "--to", "sqlite:"+s.path("cloud.db"), "-o", s.path("move.plan"), "--overwrite", "--passphrase", "file:"+passphrase)
		for _, format := range []string{"text", "json", "html"} {
			if r := must(t, exitDone, "show", s.path("move.plan"), "--format", format); strings.Contains(r.out, "where-it-lies") {
				t.Errorf("%s says where the pass phrase is", format)
			}
		}
		return
	}
	t.Fatal("no shape is sealed")
}

// groupLine heads the findings of one code: "  ROW_INVALID, 5".
var groupLine = regexp.MustCompile(`(?m)^  [A-Z_]+, \d+$`)

// counts is what stands above the single findings, and how many there are of
// each code.
func counts(report string) string {
	head, list, _ := strings.Cut(report, "\nERRORS: ")
	codes := strings.Join(groupLine.FindAllString(list, -1), "\n")
	codes, _, _ = strings.Cut(codes, "COLUMN_UNKNOWN")
	return head + codes
}
