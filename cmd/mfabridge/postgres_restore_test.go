package main

import (
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/internal/peer"
)

// What docs/operations.md says to do with a store in PostgreSQL: pg_dump,
// pg_restore, and a command that makes it safe, without which it does not open.
func TestDatabaseIsBroughtBack(t *testing.T) {
	cluster := peer.Postgres(t)
	address, schema := cluster.Address(t)
	key := "file:" + filepath.Join(t.TempDir(), "engine.key")
	on := func(words ...string) []string {
		return append(append([]string{"engine"}, words...), "--store", address, "--engine-key", key)
	}
	must(t, exitDone, on("init", "--domain", "contoso.example")...)
	must(t, exitDone, on("user", "add", "ada@contoso.example", "--reason", "test")...)
	if r := must(t, exitUsage, on("backup", "nightly.db")...); !strings.Contains(r.err, "pg_dump") || !strings.Contains(r.err, "docs/operations.md") {
		t.Errorf("engine backup: %s", r.err)
	}
	dump, err := cluster.Dump(schema)
	if err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, on("user", "add", "bob@contoso.example", "--reason", "test")...)
	if err := cluster.Restore(dump); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"user", "list"}, {"audit", "verify"}, {"key", "check"}} {
		if r := must(t, exitFailed, on(words...)...); !strings.Contains(r.err, "brought back from a copy") || !strings.Contains(r.err, "restore --in-place") {
			t.Errorf("%v: %s", words, r.err)
		}
	}
	if r := must(t, exitDone, on("restore", "--in-place", "--reason", "the disk broke")...); !strings.Contains(r.out, "codes of before") || strings.Contains(r.out, "\n holds") {
		t.Errorf("restore: %s", r.out)
	}
	if r := must(t, exitDone, on("user", "list")...); !strings.Contains(r.out, "ada@") || strings.Contains(r.out, "bob@") {
		t.Errorf("users: %s", r.out)
	}
	must(t, exitDone, on("audit", "verify")...)
	must(t, exitDone, on("key", "check")...)
}
