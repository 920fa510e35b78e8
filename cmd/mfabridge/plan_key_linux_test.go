package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A plan that lies in a shared folder is shown to a colleague who may not read
// its key, as without the key; nothing else works for them, and they are told.
func TestKeyOfSomebodyElse(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("users.csv", []byte("Username,CountryCode,Phone\nada@contoso.example,1,425-555-0101\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, "plan", "users.csv", "--to", "sqlite:cloud.db", "--create-users", "-o", "f.plan")
	if os.Geteuid() != 0 { // it is our own
		if err := os.Chmod("f.plan.key", 0); err != nil {
			t.Fatal(err)
		}
	}
	asNobody(t)
	r := must(t, exitDone, "show", "f.plan")
	if !strings.Contains(r.err, "the seal was not checked") || !strings.Contains(r.out, "seal    not checked") {
		t.Errorf("%s%s", r.err, r.out)
	}
	for _, args := range [][]string{{"show", "f.plan", "--reveal"}, {"show", "f.plan", "--plan-key", "file:f.plan.key"}, {"apply", "f.plan"}, {"check", "f.plan"}} {
		if r := mfabridge(t, args...); r.code == exitDone || strings.Contains(r.out, "4255550101") {
			t.Errorf("%v: exit code %d\n%s", args, r.code, r.out)
		}
	}
}

// Where nothing can be written beside the journal nothing can be read from it,
// and what to do about that is said.
func TestFolderOfSomebodyElse(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("users.csv", []byte("Username,CountryCode,Phone\nada@contoso.example,1,425-555-0101\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, "plan", "users.csv", "--to", "sqlite:cloud.db", "--create-users", "-o", "f.plan")
	must(t, exitDone, "apply", "f.plan")
	if os.Geteuid() == 0 {
		for _, name := range []string{"f.plan", "f.plan.key", "f.plan.journal"} {
			if err := os.Chown(name, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	asNobody(t)
	if err := os.Chmod(".", 0o555); err != nil && os.Geteuid() != 0 {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(".", 0o755) })
	for _, args := range [][]string{{"check", "f.plan"}, {"explain", "f.plan", "ada"}, {"undo", "f.plan", "--show"}, {"undo", "f.plan"}, {"apply", "f.plan"}} {
		want := "hint: the folder must be writable, to read a journal too; or copy"
		if len(args) == 2 && args[0] != "check" {
			want = "hint: the folder must exist, be writable"
		}
		if r := must(t, exitFailed, args...); !strings.Contains(r.err, "journal f.plan.journal cannot be used") || !strings.Contains(r.err, want) {
			t.Errorf("%v: %s", args, r.err)
		}
	}
}

const nobody = 65534 // a user id that owns nothing

// asNobody takes from this thread what root may do with the files of others,
// until the test ends.
func asNobody(t *testing.T) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir := here; strings.Contains(dir, t.Name()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread()
	if err := unix.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Setfsuid(0); err != nil {
			t.Error(err)
		}
		runtime.UnlockOSThread()
	})
}
