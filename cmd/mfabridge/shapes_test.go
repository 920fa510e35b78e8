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
