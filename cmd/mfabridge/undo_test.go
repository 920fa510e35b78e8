package main

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/fixtures"
	"mfabridge/fixtures/gen"
)

// onto plans a generated export of n users for a store that holds the sample's
// users already, of whom some are in the export too.
func onto(t testing.TB, n int) (s story, before map[string]string) {
	t.Helper()
	s = newStory(t)
	if err := os.CopyFS(s.path("contoso"), fixtures.ContosoSecrets()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.path("export"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := gen.Write(s.path("export"), gen.Options{Users: n, Seed: 7, Unsorted: true, DeviceSecrets: true}); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, "engine", "init", "--store", s.store, "--domain", "contoso.example")
	must(t, exitDone, "plan", s.path("contoso"), "--to", s.store, "-o", s.path("base.plan"), "--create-users", "--default-country", "US")
	must(t, exitDone, "apply", s.path("base.plan"))
	must(t, exitDone, "plan", s.path("export"), "--to", s.store, "-o", s.plan, "--create-users", "--default-country", "US", "--existing", "replace")
	return s, s.listing(t)
}

// Undo is killed at random instants and run again until it is done; the store
// then holds what it held before apply.
func TestUndoSurvivesKills(t *testing.T) {
	kills := 20
	if os.Getenv("MFABRIDGE_SOAK") != "" {
		kills = 300
	}
	s, before := onto(t, killUsers)
	must(t, exitDone, "apply", s.plan)
	after := s.listing(t)
	at := undisturbed(t, 7, "undo", s.plan)
	for done := 0; done < kills; {
		must(t, exitDone, "apply", s.plan)
		if got := s.listing(t); !maps.Equal(withoutInvitations(got), withoutInvitations(after)) {
			t.Fatalf("after %d kills apply ends otherwise: %d users, want %d", done, len(got), len(after))
		}
		for killed := true; killed; {
			killed = cutShort(t, at.next(), "undo", s.plan)
			at.told(killed)
			if killed {
				done++
			}
		}
		if got := s.listing(t); !maps.Equal(got, before) {
			t.Fatalf("after %d kills the store differs from before: %d users, want %d", done, len(got), len(before))
		}
		if r := must(t, exitDone, "check", s.plan); !strings.HasPrefix(r.out, "nothing is due") {
			t.Fatalf("after undo something is due: %s", r.out)
		}
	}
}

// withoutInvitations leaves out when an invitation ends.
func withoutInvitations(listing map[string]string) map[string]string {
	rest := map[string]string{}
	for upn, text := range listing {
		var u map[string]any
		if json.Unmarshal([]byte(text), &u) == nil {
			delete(u, "until")
			b, _ := json.Marshal(u) // of what was JSON it cannot fail
			text = string(b)
		}
		rest[upn] = text
	}
	return rest
}

// Of an undo and an apply at once, one works and the other says who does.
func TestUndoAndApplyAtOnce(t *testing.T) {
	s, before := onto(t, killUsers)
	must(t, exitDone, "apply", s.plan)
	ctx, cancel := context.WithTimeout(context.Background(), giveUp)
	defer cancel()
	codes := make(chan int, 2)
	for range 2 {
		go func() {
			cmd := child(ctx, "undo", s.plan)
			_ = cmd.Run() // its exit code says what came of it
			codes <- cmd.ProcessState.ExitCode()
		}()
	}
	for range 2 {
		if code := <-codes; code != exitDone && code != exitNotNow {
			t.Errorf("exit code %d", code)
		}
	}
	must(t, exitDone, "undo", s.plan)
	if got := s.listing(t); !maps.Equal(got, before) {
		t.Error("the store differs from before")
	}
}

// A store that takes only what Entra ID takes (no user is made, secrets are
// not shown, no default can be unset) is undone as well, and one that
// misbehaves is worn down.
func TestUndoAsEntra(t *testing.T) {
	s := newStory(t)
	if err := os.CopyFS(s.path("contoso"), fixtures.ContosoSecrets()); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, "engine", "init", "--store", s.store, "--as", "entra")
	for _, name := range []string{"ada", "grace", "tim", "vera", "omar", "petra"} {
		must(t, exitDone, "engine", "user", "add", name+"@contoso.example", "--store", s.store, "--reason", "test")
	}
	before := s.listing(t)
	must(t, exitDone, "plan", s.path("contoso"), "--to", s.store, "-o", s.plan, "--default-country", "US")
	must(t, exitDone, "apply", s.plan)
	if maps.Equal(s.listing(t), before) {
		t.Fatal("apply did nothing")
	}
	must(t, exitDone, "undo", s.plan)
	if got := s.listing(t); !maps.Equal(got, before) {
		t.Errorf("after undo:\n%v\nwant\n%v", got, before)
	}
	must(t, exitDone, "apply", s.plan)
	must(t, exitDone, "check", s.plan)
}

// What a user registered since apply stays, on a plan of thousands.
func TestUndoKeepsWhatUsersDid(t *testing.T) {
	s := moved(t)
	must(t, exitDone, "engine", "user", "block", "ada@contoso.example", "--for", "24h", "--store", s.store, "--reason", "lost her phone")
	r := must(t, exitPartly, "undo", s.plan)
	if !strings.Contains(r.out, "! ada@contoso.example: remove user left alone: ") || !strings.Contains(r.out, "52 put back, 1 of whom something stays") {
		t.Errorf("%s%s", r.out, r.err)
	}
	if got := s.listing(t); len(got) != 1 || !strings.Contains(got["ada@contoso.example"], "blocked") {
		t.Errorf("left: %v", got)
	}
	if left, err := filepath.Glob(s.path("*.journal")); err != nil || len(left) != 1 {
		t.Errorf("journals: %v, %v", left, err)
	}
}

// The helpdesk asks while apply and undo are at work, as often as it likes.
func TestExplainBesideRuns(t *testing.T) {
	s, _ := onto(t, killUsers)
	for _, command := range []string{"apply", "undo"} {
		ctx, cancel := context.WithTimeout(context.Background(), giveUp)
		cmd := child(ctx, command, s.plan)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for asked := 0; ; asked++ {
			must(t, exitDone, "explain", s.path("base.plan"), "ada@contoso.example")
			r := must(t, exitDone, "explain", s.plan, someone(t, s))
			if !strings.Contains(r.out, "target now") {
				t.Fatal(r.out)
			}
			select {
			case err := <-ended:
				if err != nil || asked < 1 {
					t.Errorf("%s: %v, %d questions beside it", command, err, asked)
				}
			default:
				continue
			}
			break
		}
		cancel()
	}
}

// someone is a user of the plan, far behind the first.
func someone(t *testing.T, s story) string {
	t.Helper()
	users, err := os.ReadFile(s.path("export/users.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(users), "\n")
	name, _, _ := strings.Cut(lines[300], ",")
	return strings.Trim(name, `"`)
}
