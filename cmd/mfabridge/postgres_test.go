package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mfabridge/internal/peer"
)

// serveDatabase serves a store in PostgreSQL over TLS.
func serveDatabase(t *testing.T, dir, address, key string) *served {
	t.Helper()
	certify(t, dir, 1)
	config := "store: " + address + "\nkey: " + key + "\nlisteners:\n" +
		"  api: {listen: \"127.0.0.1:0\", tls: {cert: engine.crt, key: engine.key}}\n  ops: {listen: \"127.0.0.1:0\"}\n"
	path := filepath.Join(dir, "engine.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &served{dir: dir, cmd: child(context.WithoutCancel(t.Context()), "engine", "serve", "--config", path)}
	s.begin(t)
	t.Cleanup(s.kill)
	return s
}

// landing is what a user sees of a move that is done.
type landing struct{ apply, check, list string }

// names of this machine, of a run and of a moment differ from target to target.
var fleeting = regexp.MustCompile(`"(target_id|id|instance|at|time|digest|plan|target|serial)":"[^"]*"`)

// move plans, applies and checks the sample on a target, and lists its users.
func move(t *testing.T, export, f, target string, access, list []string) (m landing) {
	t.Helper()
	with := func(words ...string) []string { return append(words, access...) }
	must(t, exitDone, with("plan", export, "--to", target, "-o", f, "--create-users", "--default-country", "US")...)
	must(t, exitDone, with("apply", f)...)
	m.check = must(t, exitDone, with("check", f, "--all", "--format", "json")...).out
	m.list = must(t, exitDone, append([]string{"engine", "user", "list"}, list...)...).out
	again := must(t, exitDone, with("apply", f, "--format", "json")...).out
	m.apply = fleeting.ReplaceAllString(again, "")
	m.check = fleeting.ReplaceAllString(m.check, "")
	return m
}

// The same plan gives the same check and the same listing on a file, in a
// database, and on an engine elsewhere that keeps its store in a database. And
// everything is taken back.
func TestSamePlanEverywhere(t *testing.T) {
	cluster := peer.Postgres(t)
	dir := t.TempDir()
	export := contoso(t, dir)
	file := "sqlite:" + filepath.Join(dir, "cloud.db")
	must(t, exitDone, "engine", "init", "--store", file, "--domain", "contoso.example")
	want := move(t, export, filepath.Join(dir, "file.plan"), file, nil, []string{"--store", file})
	if strings.Count(want.list, "\n") < 10 || want.check == "" {
		t.Fatalf("the sample:\n%+v", want)
	}

	init := func(name string) (address string, key []string) {
		address, _ = cluster.Address(t)
		key = []string{"--engine-key", "file:" + filepath.Join(dir, name+".key")}
		made := must(t, exitDone, append([]string{"engine", "init", "--store", address, "--domain", "contoso.example"}, key...)...)
		if !strings.Contains(made.out, name+".key") {
			t.Errorf("engine init: %s", made.out)
		}
		return address, key
	}
	address, key := init("database")
	got := move(t, export, filepath.Join(dir, "database.plan"), address, key, append([]string{"--store", address}, key...))
	if got != want {
		t.Errorf("in PostgreSQL:\n%+v\nin a file:\n%+v", got, want)
	}
	must(t, exitDone, append([]string{"undo", filepath.Join(dir, "database.plan")}, key...)...)
	if left := must(t, exitDone, append([]string{"engine", "user", "list", "--store", address}, key...)...).out; strings.Contains(left, "@") {
		t.Errorf("after undo:\n%s", left)
	}

	address, key = init("served")
	s := serveDatabase(t, dir, address, key[1])
	secret := filepath.Join(dir, "mover.secret")
	must(t, exitDone, append([]string{"engine", "app", "add", "mover", "--role", "migrate", "--for", "1h", "--secret-out", secret,
		"--store", address, "--reason", "test"}, key...)...)
	access := []string{"--client-id", "mover", "--client-secret", "file:" + secret, "--ca", filepath.Join(dir, "engine.crt")}
	got = move(t, export, filepath.Join(dir, "served.plan"), s.api, access, append([]string{"--store", address}, key...))
	if got != want {
		t.Errorf("over HTTPS:\n%+v\nin a file:\n%+v", got, want)
	}
}

// What is wrong with an address is said in one sentence, and never a password.
func TestWrongDatabases(t *testing.T) {
	cluster := peer.Postgres(t)
	address, _ := cluster.Address(t)
	dir := t.TempDir()
	key := "file:" + filepath.Join(dir, "engine.key")
	for _, c := range []struct {
		name, address, key string
		code               int
		want               string
	}{
		{"no key", address, "", exitUsage, "needs --engine-key"},
		{"a password", "postgres://engine:canary@127.0.0.1/x", key, exitUsage, "holds a password"},
		{"a password behind", "postgres://engine@127.0.0.1/x?password=canary", key, exitUsage, "holds a password"},
		{"no TLS over a network", "postgres://engine@db.contoso.example/x?sslmode=disable", key, exitUsage, "without TLS"},
		{"a strange schema", "postgres://engine@127.0.0.1/x?search_path=pg_catalog", key, exitUsage, "cannot be the schema"},
		{"no such database", strings.Replace(address, "/postgres?", "/nowhere?", 1), key, exitFailed, "no such database"},
		{"nobody there", "postgres://engine@127.0.0.1:1/x", key, exitUnavailable, "cannot be reached"},
	} {
		args := []string{"engine", "init", "--store", c.address}
		if c.key != "" {
			args = append(args, "--engine-key", c.key)
		}
		r := mfabridge(t, args...)
		if r.code != c.code || !strings.Contains(r.err, c.want) || strings.Contains(r.err+r.out, "canary") {
			t.Errorf("%s: exit %d, want %d: %s", c.name, r.code, c.code, r.err)
		}
		if _, err := os.Stat(filepath.Join(dir, "engine.key")); err == nil {
			t.Errorf("%s: a key was left", c.name)
		}
	}
	if r := mfabridge(t, "engine", "user", "list", "--store", address, "--engine-key", key); r.code == exitDone || !strings.Contains(r.err, "no store") {
		t.Errorf("no store there: exit %d: %s", r.code, r.err)
	}
	must(t, exitDone, "engine", "init", "--store", address, "--engine-key", key)
	if r := mfabridge(t, "engine", "init", "--store", address, "--engine-key", key); r.code == exitDone || !strings.Contains(r.err, "already") {
		t.Errorf("made twice: exit %d: %s", r.code, r.err)
	}
	must(t, exitDone, "engine", "user", "list", "--store", address, "--engine-key", key)
}
