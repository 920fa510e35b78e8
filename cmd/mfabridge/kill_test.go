package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/fixtures/gen"
)

// killUsers is the size of the export that apply is killed on: enough for
// several batches.
const killUsers = 4000

// generated plans for a generated export of n users and a store that does not
// exist yet.
func generated(t testing.TB, n int) story {
	t.Helper()
	s := newStory(t)
	if err := os.Mkdir(s.path("export"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := gen.Write(s.path("export"), gen.Options{Users: n, Seed: 7, Unsorted: true, DeviceSecrets: true}); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, "plan", s.path("export"), "--to", s.store, "-o", s.plan, "--create-users", "--default-country", "US")
	return s
}

// startOver takes the target and the journal away; the plan stays.
func (s story) startOver(t testing.TB) {
	t.Helper()
	for _, pattern := range []string{"cloud.db*", "move.plan.journal*"} {
		names, err := filepath.Glob(s.path(pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := os.RemoveAll(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// listing is what the store holds, by user, without the ids that it gave.
func (s story) listing(t testing.TB) map[string]string {
	t.Helper()
	r := must(t, exitDone, "engine", "user", "list", "--store", s.store, "--format", "json")
	users := map[string]string{}
	for line := range strings.Lines(r.out) {
		var u userForm
		if err := json.Unmarshal([]byte(line), &u); err != nil {
			t.Fatal(err)
		}
		u.ID = ""
		for i := range u.Methods {
			u.Methods[i].ID, u.Methods[i].Until = "", nil // which each run makes anew
		}
		slices.SortFunc(u.Methods, func(a, b methodForm) int {
			if a.Method != b.Method {
				return strings.Compare(string(a.Method), string(b.Method))
			}
			return bytes.Compare(a.Value, b.Value)
		})
		text, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		users[u.UPN] = string(text)
	}
	return users
}

// cutShort runs a command as a process of its own and kills it after a while; it
// may kill itself before that. It reports whether it was killed: a command that
// ends has to end well.
func cutShort(t *testing.T, after time.Duration, args ...string) bool {
	t.Helper()
	r := stopped(t, after, syscall.SIGKILL, args...)
	if !r.killed && r.code != exitDone {
		t.Fatalf("%v: exit code %d: %s", args, r.code, r.err)
	}
	return r.killed
}

// moments are when to kill runs of which one is to come to its end at last: at
// random within the time that a run takes. How long that is follows what else the
// machine does: were it measured once, in a quiet moment, no run might ever end
// in a busy one, and after a busy one none would be killed.
type moments struct {
	whole  time.Duration
	random *rand.Rand
}

// undisturbed lets a command end, and takes the time.
func undisturbed(t *testing.T, seed uint64, args ...string) moments {
	t.Helper()
	return moments{took(t, args...), rand.New(rand.NewPCG(seed, seed))}
}

func (m *moments) next() time.Duration { return time.Duration(m.random.Int64N(int64(m.whole))) }

// told is called with what came of the last moment.
func (m *moments) told(killed bool) {
	if killed {
		m.whole += m.whole / 8
	} else {
		m.whole -= m.whole / 4
	}
}

// Apply is killed and run again until it is done; the end state is that of an
// undisturbed run. Half of the kills come at random instants, half right
// behind a write, before its results are durable.
func TestApplySurvivesKills(t *testing.T) {
	kills := 20
	if os.Getenv("MFABRIDGE_SOAK") != "" {
		kills = 300
	}
	s := generated(t, killUsers)
	at := undisturbed(t, 1, "apply", s.plan)
	want := s.listing(t)
	if len(want) < killUsers/2 {
		t.Fatalf("only %d users moved", len(want))
	}
	done, rounds := 0, 0
	for done < kills {
		s.startOver(t)
		rounds++
		for {
			var killed bool
			if done%2 == 0 {
				killed = cutShort(t, at.next(), "apply", s.plan)
				at.told(killed)
			} else {
				killed = cutShort(t, giveUp, "apply", s.plan, "--rehearse-faults", fmt.Sprintf("die-after@%d", 1+at.random.IntN(5)))
			}
			if !killed {
				break
			}
			done++
		}
		if got := s.listing(t); !maps.Equal(got, want) {
			t.Fatalf("after %d kills the store differs: %d users, want %d", done, len(got), len(want))
		}
		must(t, exitDone, "check", s.plan, "--all")
		must(t, exitDone, "apply", s.plan) // nothing is left to do
	}
	t.Logf("%d kills in %d rounds; at last a run took some %v", done, rounds, at.whole)
}

// Of two runs at once one works and the other says who does.
func TestTwoRunsAtOnce(t *testing.T) {
	s := generated(t, killUsers)
	ctx, cancel := context.WithTimeout(context.Background(), giveUp)
	defer cancel()
	type end struct {
		code int
		text string
	}
	ends := make(chan end, 2)
	for range 2 {
		go func() {
			cmd := child(ctx, "apply", s.plan)
			out, _ := cmd.CombinedOutput()
			ends <- end{cmd.ProcessState.ExitCode(), string(out)}
		}()
	}
	first, second := <-ends, <-ends
	if first.code != exitDone && second.code != exitDone {
		t.Fatalf("no run finished: %+v %+v", first, second)
	}
	for _, e := range []end{first, second} {
		if e.code != exitDone && e.code != exitNotNow {
			t.Errorf("exit code %d, want %d or %d:\n%s", e.code, exitDone, exitNotNow, e.text)
		}
	}
	must(t, exitDone, "check", s.plan, "--all")
}
