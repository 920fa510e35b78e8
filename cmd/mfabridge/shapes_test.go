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

// placeOf is where something stands, which differs from shape to shape.
var placeOf = regexp.MustCompile(`[a-z0-9-]+\.(csv|jsonl|xml):\d+(:\d+)?`)

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

// counts is what stands above the single findings.
func counts(report string) string {
	report = placeOf.ReplaceAllString(report, "PLACE")
	head, _, _ := strings.Cut(report, "COLUMN_UNKNOWN")
	return head
}
