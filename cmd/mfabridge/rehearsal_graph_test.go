package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mfabridge/fixtures"
)

// rehearsed is a rehearsal of Graph as a process of its own, and what a
// command line needs to reach it.
type rehearsed struct {
	*served
	story
	flags []string
}

// rehearseGraph serves a store of kind entra that holds Contoso's people; assume
// are the switches of the listener, made those of the store.
func rehearseGraph(t testing.TB, made, assume []string) *rehearsed {
	t.Helper()
	dir := t.TempDir()
	r := &rehearsed{served: &served{dir: dir}, story: story{folder: dir}}
	r.tenant(t, made, assume)
	r.cmd = child(context.WithoutCancel(t.Context()), "engine", "serve", "--config", filepath.Join(dir, "engine.yaml"))
	r.begin(t)
	t.Cleanup(r.kill)
	url := listening(t, r.line, "graph")
	r.flags = append(r.app(t, "migration", "migrate"), "--graph-url", url, "--authority-url", url)
	return r
}

// tenant makes the store, its certificate and its configuration.
func (r *rehearsed) tenant(t testing.TB, made, assume []string) {
	t.Helper()
	r.plan, r.store = r.path("move.plan"), "sqlite:"+r.path("cloud.db")
	init := []string{"engine", "init", "--store", r.store, "--as", "entra", "--domain", "contoso.example"}
	for _, word := range made {
		init = append(init, "--assume", word)
	}
	must(t, exitDone, init...)
	people := r.write(t, "people.csv", string(fixtures.Tenant()))
	must(t, exitDone, "engine", "user", "import", people, "--to", r.store, "--reason", "rehearsal")
	if err := os.CopyFS(r.path("export"), fixtures.Contoso()); err != nil {
		t.Fatal(err)
	}
	certify(t, r.dir, 1)
	r.write(t, "engine.yaml", "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\", tls: {cert: engine.crt, key: engine.key}}\n"+
		"  ops: {listen: \"127.0.0.1:0\"}\n  graph: {listen: \"127.0.0.1:0\", tls: {cert: engine.crt, key: engine.key}, assume: ["+strings.Join(assume, ", ")+"]}\n")
}

// to is a command with the flags of the rehearsed tenant.
func (r *rehearsed) to(words ...string) []string { return slices.Concat(words, r.flags) }

// wayThere is preflight, plan, apply and check of the sample.
func (r *hurriedRun) wayThere(t *testing.T, options ...string) {
	t.Helper()
	to := []string{"--to", "entra:contoso.example"}
	r.must(t, exitDone, r.to(slices.Concat([]string{"preflight"}, to, options)...)...)
	r.must(t, exitDone, r.to(slices.Concat([]string{"plan", r.path("export"), "-o", r.plan, "--default-country", "US"}, to, options)...)...)
	applied := r.must(t, exitDone, r.to("apply", r.plan)...)
	if !strings.Contains(applied.out, " 0 failed, 0 stale, 0 left") {
		t.Errorf("apply: %s", applied.out)
	}
}

// The driver goes the whole way against the rehearsal of Graph, and back, under
// every switch by itself and under all at once.
func TestContosoOverGraph(t *testing.T) {
	activates := []string{"oath-activation=yes"}
	for _, c := range []struct{ made, assume []string }{
		{nil, nil},
		{nil, []string{"throttle=5"}},
		{nil, []string{"throttle=8", "retry-after=no"}},
		{nil, []string{"busy=12"}}, // all six tries of a request meet it once in three million: then a user is left, and rightly
		{activates, []string{"lost=4", "wrong-code=403"}},
		{activates, []string{"batch-partial=4", "second=409", "page=3"}},
		{nil, []string{"late=5s", "phone-taken=shared", "unregistered-default=take", "leak=yes"}},
		{activates, []string{"retry-after=no", "throttle=30", "busy=30", "lost=12", "batch-partial=30", "late=3s", "phone-taken=always", "second=409",
			"wrong-code=403", "unregistered-default=take", "leak=yes", "page=7", "policy-migration=migrationInProgress",
			"office-phones=no", "system-preferred=enabled", "campaign=enabled"}},
	} {
		t.Run(strings.Join(c.assume, ","), func(t *testing.T) {
			r := hurried(t, c.made, c.assume)
			before := r.listing(t)
			if c.made == nil {
				r.wayThere(t)
			} else {
				r.wayThere(t, "--oath-activation")
			}
			r.must(t, exitDone, r.to("check", r.plan, "--all")...)
			if maps.Equal(r.listing(t), before) {
				t.Error("nothing was moved")
			}
			r.must(t, exitDone, r.to("undo", r.plan)...)
			if got := r.listing(t); !maps.Equal(got, before) {
				t.Errorf("undo leaves: %s", firstDifference(got, before))
			}
		})
	}
}

// Numbers that are shown masked cannot be compared: nothing is taken for equal
// or different, and nothing is put back by guess.
func TestContosoWithMaskedNumbers(t *testing.T) {
	r := hurried(t, nil, []string{"masked=yes"})
	r.wayThere(t)
	moved := r.listing(t)
	for _, command := range []string{"check", "undo"} {
		if got := r.must(t, exitFailed, r.to(command, r.plan)...); !strings.Contains(got.err, "masked") {
			t.Errorf("%s does not say why: %s", command, got.err)
		}
	}
	if got := r.listing(t); !maps.Equal(got, moved) {
		t.Errorf("undo changed: %s", firstDifference(got, moved))
	}
}

// One whom Graph does not tell of, one at whom it fails, and one who may become
// an administrator are left out, each with the reason; everybody else moves.
func TestContosoWithSomebodyWhoIsNotTold(t *testing.T) {
	r := hurried(t, nil, []string{"unreadable=tim@contoso.example", "unreadable=grace@contoso.example/500", "eligible=vera@contoso.example"})
	before := r.listing(t)
	r.wayThere(t)
	shown := r.must(t, exitDone, "show", r.plan, "--format", "json").out
	for who, want := range map[string]string{"tim@": "USER_UNREADABLE.*403", "grace@": "USER_UNREADABLE.*500", "vera@": "USER_PRIVILEGED"} {
		if !regexp.MustCompile(`(?m)^{"type":"user".*"upn":"` + who + `contoso.example".*"action":"skip","changes":\[\].*` + want).MatchString(shown) {
			t.Errorf("%s is not left out for %s:\n%s", who, want, shown)
		}
	}
	r.must(t, exitDone, r.to("check", r.plan, "--all")...)
	r.must(t, exitDone, r.to("undo", r.plan)...)
	if got := r.listing(t); !maps.Equal(got, before) {
		t.Errorf("undo leaves: %s", firstDifference(got, before))
	}
	again := r.must(t, exitDone, r.to("plan", r.path("export"), "-o", r.path("again.plan"), "--default-country", "US", "--to", "entra:contoso.example")...)
	if !strings.Contains(again.err, "asking the target: ") { // it waits for who is not told
		t.Errorf("a plan that takes long says nothing meanwhile: %s", again.err)
	}
}
