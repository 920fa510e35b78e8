package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/migrate/shimconf"
)

// An import that fails in the middle takes back what it wrote, and nothing else.
func TestFailedImportLeavesNoSecret(t *testing.T) {
	one := shimconf.File{Name: "one.secret", Value: secret.FromString("synthetic")}
	fails := []shimconf.File{one, {Name: "two.secret", Value: one.Value}, one} // the third is there when it comes to it
	folder := filepath.Join(t.TempDir(), "made")
	err := writeImported(folder, fails)
	if err == nil || !strings.Contains(err.Error(), "one.secret is there already") || hint.Of(err) == "" {
		t.Errorf("says %v", err)
	}
	if _, err := os.Lstat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}

	folder = t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "mine"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeImported(folder, fails); err == nil {
		t.Error("no error")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 || left[0].Name() != "mine" {
		t.Errorf("left are %v, %v", left, err)
	}
}
