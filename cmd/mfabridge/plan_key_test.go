package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// The whole way of a plan whose key only the holder of an identity has.
func TestSealTo(t *testing.T) {
	t.Chdir(t.TempDir())
	keep := func(name string) string {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(id.String()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return id.Recipient().String()
	}
	mine, hers := keep("me.txt"), keep("her.txt")
	keep("stranger.txt")
	if err := os.WriteFile("users.csv", []byte("Username,CountryCode,Phone\nada@contoso.example,1,425-555-0101\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plan := []string{"plan", "users.csv", "--to", "sqlite:cloud.db", "--create-users", "-o", "f.plan"}
	must(t, exitUsage, append(plan, "--seal-to", "age1nobody")...)
	r := must(t, exitDone, append(plan, "--seal-to", mine, "--seal-to", hers)...)
	if !strings.Contains(r.out, "key in f.plan.key.age") {
		t.Error(r.out)
	}
	if _, err := os.Lstat("f.plan.key"); err == nil {
		t.Error("the key lies there in the clear")
	}
	r = must(t, exitDone, "show", "f.plan")
	if !strings.Contains(r.err, "the seal was not checked") || strings.Contains(r.out, "4255550101") {
		t.Errorf("without the identity: %s%s", r.err, r.out)
	}
	r = must(t, exitFailed, "apply", "f.plan")
	if !strings.Contains(r.err, "--plan-key age:IDENTITYFILE") {
		t.Error(r.err)
	}
	r = must(t, exitFailed, "apply", "f.plan", "--plan-key", "age:stranger.txt")
	if !strings.Contains(r.err, "sealed to somebody else") {
		t.Error(r.err)
	}
	must(t, exitFailed, "apply", "f.plan", "--plan-key", "age:users.csv")
	must(t, exitUsage, "apply", "f.plan", "--plan-key", "age:")
	if left, _ := filepath.Glob("cloud.db*"); len(left) > 0 {
		t.Errorf("something was made: %v", left)
	}
	r = must(t, exitDone, "show", "f.plan", "--reveal", "--plan-key", "age:her.txt")
	if !strings.Contains(r.out, "4255550101") || !strings.Contains(r.out, "seal    holds") {
		t.Error(r.out)
	}
	must(t, exitDone, "apply", "f.plan", "--plan-key", "age:me.txt")
	must(t, exitDone, "check", "f.plan", "--plan-key", "age:her.txt")
}
