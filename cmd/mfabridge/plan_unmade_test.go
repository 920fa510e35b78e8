package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
)

// A store that is not made yet is asked for nobody: every name and every id has
// an answer of its own, and that is nobody. There is no store behind it here, so
// that asking one would end the test.
func TestNobodyIsInAStoreThatIsNotMade(t *testing.T) {
	var u unmade
	found, err := u.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: "ada@contoso.example"}, {Kind: cloud.BySID, Value: "S-1-5-21-1"}, {}})
	if err != nil || len(found) != 3 || len(found[0])+len(found[1])+len(found[2]) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	users, err := u.Read(t.Context(), []cloud.UserID{"a", "b"})
	if err != nil || len(users) != 2 || users[0].ID+users[1].ID != "" {
		t.Errorf("read %+v, %v", users, err)
	}
}

// What is planned for a store that is not made yet is what is planned for an
// empty one.
func TestPlanForAStoreThatIsNotMade(t *testing.T) {
	dir := t.TempDir()
	export := contoso(t, dir)
	made, none := "sqlite:"+filepath.Join(dir, "made.db"), "sqlite:"+filepath.Join(dir, "none.db")
	must(t, exitDone, "engine", "init", "--store", made, "--domain", "contoso.example")
	decisions := func(target string, options ...string) string {
		t.Helper()
		file := filepath.Join(dir, "move.plan")
		must(t, exitDone, append([]string{"plan", export, "--to", target, "-o", file, "--overwrite", "--default-country", "US"}, options...)...)
		out := must(t, exitDone, "show", file, "--format", "json").out
		users := strings.Join(regexp.MustCompile(`(?m)^\{"type":"user".*$`).FindAllString(out, -1), "\n")
		return regexp.MustCompile(`MFB-[A-Z2-7]{16}`).ReplaceAllString(users, "MFB") // of each plan its own
	}
	for _, options := range [][]string{{"--create-users"}, {}} {
		want, got := decisions(made, options...), decisions(none, append(options, "--domain", "contoso.example")...)
		if strings.Count(want, `"username"`) < 5 || got != want {
			t.Errorf("%v: another plan for a store that is not made:\n%s", options, cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
		}
	}
}
