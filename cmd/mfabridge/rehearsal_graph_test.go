package main

import (
	"context"
	"maps"
	"os"
	"path/filepath"
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
	certify(t, dir, 1)
	config := "store: sqlite:cloud.db\nlisteners:\n  api: {listen: \"127.0.0.1:0\", tls: {cert: engine.crt, key: engine.key}}\n" +
		"  ops: {listen: \"127.0.0.1:0\"}\n  graph: {listen: \"127.0.0.1:0\", tls: {cert: engine.crt, key: engine.key}, assume: [" + strings.Join(assume, ", ") + "]}\n"
	r.write(t, "engine.yaml", config)
	r.cmd = child(context.WithoutCancel(t.Context()), "engine", "serve", "--config", filepath.Join(dir, "engine.yaml"))
	r.begin(t)
	t.Cleanup(r.kill)
	url := listening(t, r.line, "graph")
	r.flags = append(r.app(t, "migration", "migrate"), "--graph-url", url, "--authority-url", url)
	return r
}

// to is a command with the flags of the rehearsed tenant.
func (r *rehearsed) to(words ...string) []string { return append(words, r.flags...) }

// The driver goes the whole way against the rehearsal of Graph, and back.
func TestContosoOverGraph(t *testing.T) {
	r := rehearseGraph(t, nil, nil)
	before := r.listing(t)
	must(t, exitDone, r.to("preflight", "--to", "entra:contoso.example")...)
	must(t, exitDone, r.to("plan", r.path("export"), "--to", "entra:contoso.example", "-o", r.plan, "--default-country", "US")...)
	must(t, exitDone, r.to("apply", r.plan)...)
	must(t, exitDone, r.to("check", r.plan, "--all")...)
	if maps.Equal(r.listing(t), before) {
		t.Error("nothing was moved")
	}
	must(t, exitDone, r.to("undo", r.plan)...)
	if got := r.listing(t); !maps.Equal(got, before) {
		t.Errorf("undo leaves: %s", firstDifference(got, before))
	}
}
