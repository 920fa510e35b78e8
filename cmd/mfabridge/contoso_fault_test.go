//go:build unix

package main

import (
	"io/fs"
	"maps"
	"os"
	"strings"
	"syscall"
	"testing"

	"mfabridge/fixtures"
)

// The samples go through every fault there and back: after each, apply comes
// to the end of an undisturbed run, and undo leaves an empty store.
func TestContosoUnderFaults(t *testing.T) {
	for name, sample := range map[string]fs.FS{"contoso": fixtures.Contoso(), "contoso-secrets": fixtures.ContosoSecrets()} {
		s := story{folder: t.TempDir()}
		s.plan, s.store = s.path("move.plan"), "sqlite:"+s.path("cloud.db")
		if err := os.CopyFS(s.path("export"), sample); err != nil {
			t.Fatal(err)
		}
		must(t, exitDone, "engine", "init", "--store", s.store, "--domain", "contoso.example")
		must(t, exitDone, "plan", s.path("export"), "--to", s.store, "-o", s.plan, "--create-users", "--default-country", "US")
		must(t, exitDone, "apply", s.plan)
		want := withoutInvitations(s.listing(t))
		must(t, exitDone, "undo", s.plan)
		for _, fault := range []struct {
			spec string
			code int // of the run that meets it; -1: it is killed
		}{
			{"die@1", -1},
			{"die-after@1", -1},
			{"throttle@1:11m", exitUnavailable},
			{"read-only", exitFailed},
			{"denied=30%,seed=3", exitPartly},
			{"lost@1,throttle@2-3:1ms,partial@4", exitDone},
			{"late:100ms,throttle@1:1ms", exitDone},
		} {
			for _, command := range []string{"apply", "undo"} {
				r := stopped(t, giveUp, syscall.SIGKILL, command, s.plan, "--rehearse-faults", fault.spec)
				if r.code != fault.code || r.code > exitDone && !strings.Contains(r.err, "mfabridge: error: ") {
					t.Errorf("%s: %s under %s: exit code %d, %s", name, command, fault.spec, r.code, r.err)
				}
				must(t, exitDone, command, s.plan)
				got := s.listing(t)
				if command == "apply" {
					must(t, exitDone, "check", s.plan, "--all")
					if got := withoutInvitations(got); !maps.Equal(got, want) {
						t.Errorf("%s: after %s: %s", name, fault.spec, firstDifference(got, want))
					}
				} else if len(got) > 0 {
					t.Errorf("%s: undo under %s leaves %d users", name, fault.spec, len(got))
				}
			}
		}
	}
}
