package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/remote"
	"mfabridge/internal/peer"
	"mfabridge/internal/secret"
)

// nodes are engines on one database that callers know by one address.
type nodes struct {
	all   []*served
	store []string // options of commands on the store
	dir   string
}

// inDatabase and inFile say where nodes have their store.
func inDatabase(t *testing.T, _ string) string {
	address, _ := peer.Postgres(t).Address(t)
	return address
}

func inFile(_ *testing.T, dir string) string { return "sqlite:" + filepath.Join(dir, "cloud.db") }

// serveNodes makes an engine in a store and serves it by n processes.
func serveNodes(t *testing.T, n int, where func(*testing.T, string) string) *nodes {
	t.Helper()
	c := &nodes{dir: t.TempDir()}
	address := where(t, c.dir)
	key := "file:" + filepath.Join(c.dir, "cloud.db.key")
	c.store = []string{"--store", address, "--engine-key", key}
	if strings.HasPrefix(address, "sqlite:") { // its key is beside it
		must(t, exitDone, "engine", "init", "--store", address)
	} else {
		must(t, exitDone, append([]string{"engine", "init"}, c.store...)...)
	}
	config := "store: " + address + "\nkey: " + key + "\nlisteners:\n" +
		"  api: {listen: \"127.0.0.1:0\", url: \"http://engine.contoso.example\"}\n  ops: {listen: \"127.0.0.1:0\"}\n"
	path := filepath.Join(c.dir, "engine.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for range n {
		s := &served{dir: c.dir, cmd: child(context.WithoutCancel(t.Context()), "engine", "serve", "--config", path)}
		s.begin(t)
		t.Cleanup(s.kill)
		c.all = append(c.all, s)
	}
	return c
}

// run runs a command of mfabridge engine on the store.
func (c *nodes) run(t *testing.T, words ...string) {
	t.Helper()
	must(t, exitDone, append(append([]string{"engine"}, append(words, "--reason", "test")...), c.store...)...)
}

// callers are one application at each node.
func (c *nodes) callers(t *testing.T, name, role string) (all []*remote.Client) {
	t.Helper()
	file := filepath.Join(c.dir, name+".secret")
	c.run(t, "app", "add", name, "--role", role, "--for", "1h", "--secret-out", file)
	word, err := secret.Load("file:" + file)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.all {
		client, err := remote.New(remote.Options{URL: s.api, ClientID: name, Secret: word, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		all = append(all, client)
	}
	return all
}

// register makes n users with a generator each, through one of the nodes.
func (c *nodes) register(t *testing.T, n int) {
	t.Helper()
	mover := c.callers(t, "mover", "migrate")[0]
	var changes []cloud.Change
	for i := range n {
		o := cloudtest.Generator(i)
		changes = append(changes,
			cloud.Change{UPN: userName(i), Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: &cloud.Profile{UPN: userName(i), Enabled: true}}},
			cloud.Change{UPN: userName(i), Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: o}})
	}
	for i, r := range mover.Write(t.Context(), changes) {
		if r.Outcome != cloud.Done {
			t.Fatalf("change %d: %s %v", i, r.Outcome, r.Err)
		}
	}
}

func about(n int, key string) cloud.Request {
	return cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: userName(n)}, Client: cloud.Client{App: "vpn", Station: "192.0.2.7"}, Tries: 3, Key: key}
}

// approvals sends 20 of something to all nodes at the same moment and counts
// what was approved.
func approvals(t *testing.T, clients []*remote.Client, send func(*remote.Client) (cloud.State, error)) (approved int) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 20 {
		wg.Go(func() {
			<-start
			state, err := send(clients[i%len(clients)])
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if state == cloud.Approved {
				approved++
			}
		})
	}
	close(start)
	wg.Wait()
	return approved
}

// Several engines on one store behave as one to those who call over HTTP:
// a code, a bypass and a challenge are good for one login wherever they go, a
// verdict reached on one node is told on another, a block and a removed
// application hold everywhere at once, and any node may die.
func TestNodesBehaveAsOne(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("database", func(t *testing.T) { behaveAsOne(t, serveNodes(t, 2, inDatabase), host) })
	t.Run("file", func(t *testing.T) { behaveAsOne(t, serveNodes(t, 2, inFile), "local") })
}

func behaveAsOne(t *testing.T, c *nodes, node string) {
	c.register(t, 6)
	shims := c.callers(t, "vpn", "shim")
	begin := func(at *remote.Client, r cloud.Request) cloud.Challenge {
		t.Helper()
		made, err := at.Begin(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}

	told := make(chan cloud.ChallengeID, 100)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stream := shims[0].Decisions(ctx)
	go func() {
		for d, err := range stream {
			if err == nil {
				told <- d.Challenge
			}
		}
	}()
	// The codes are those of one moment: another step's is another code.
	first, second := codeNow(0), codeNow(1)
	made := begin(shims[0], about(0, ""))
	if n := approvals(t, shims, func(at *remote.Client) (cloud.State, error) {
		d, err := at.Answer(t.Context(), cloud.Answer{Challenge: made.ID, Code: secret.FromString(first)})
		return d.State, err
	}); n != 1 {
		t.Errorf("one challenge and one code at two nodes: %d approvals", n)
	}
	if n := approvals(t, shims, func(at *remote.Client) (cloud.State, error) {
		r := about(1, "")
		r.Code = secret.FromString(second)
		d, err := at.Begin(t.Context(), r)
		return d.State, err
	}); n != 1 {
		t.Errorf("one code in 20 challenges at two nodes: %d approvals", n)
	}
	c.run(t, "user", "bypass", userName(2), "--for", "10m")
	if n := approvals(t, shims, func(at *remote.Client) (cloud.State, error) {
		d, err := at.Begin(t.Context(), about(2, ""))
		return d.State, err
	}); n != 1 {
		t.Errorf("one bypass at two nodes: %d logins", n)
	}
	if a, b := begin(shims[0], about(3, "once")), begin(shims[1], about(3, "once")); a.ID != b.ID {
		t.Errorf("a repeat at the other node began another challenge")
	}

	elsewhere := begin(shims[0], about(3, ""))
	if d, err := shims[1].Answer(t.Context(), cloud.Answer{Challenge: elsewhere.ID, Code: secret.FromString(codeNow(3))}); err != nil || d.State != cloud.Approved {
		t.Errorf("begun on one node and answered on another: %s %s, %v", d.State, d.Reason, err)
	}
	for late, heard := time.After(giveUp), false; !heard; {
		select {
		case id := <-told:
			heard = id == elsewhere.ID
		case <-late:
			t.Fatal("a verdict of one node was not told on the other")
		}
	}

	open := begin(shims[0], about(4, ""))
	c.run(t, "user", "block", userName(4), "--for", "1h")
	if d, err := shims[1].Answer(t.Context(), cloud.Answer{Challenge: open.ID, Code: secret.FromString(codeNow(4))}); err != nil || d.Reason != cloud.UserBlocked {
		t.Errorf("blocked while a challenge is open: %s %s, %v", d.State, d.Reason, err)
	}

	left := begin(shims[0], about(5, ""))
	c.all[0].kill()
	if d, err := shims[1].Answer(t.Context(), cloud.Answer{Challenge: left.ID, Code: secret.FromString(codeNow(5))}); err != nil || d.State != cloud.Approved {
		t.Errorf("after the node died that began it: %s %s, %v", d.State, d.Reason, err)
	}
	if r := must(t, exitDone, append([]string{"engine", "audit", "verify"}, c.store...)...); !strings.Contains(r.out, "node "+node) || !strings.Contains(r.out, "flaws 0") {
		t.Errorf("the audit of node %s:\n%s", node, r.out)
	}
	c.run(t, "app", "remove", "vpn")
	if _, err := shims[1].Begin(t.Context(), about(5, "")); cloud.KindOf(err) != cloud.Denied {
		t.Errorf("an application that was removed: %v", err)
	}
}

// A token of one node is one of the others.
func TestTokenOfAnotherNode(t *testing.T) {
	c := serveNodes(t, 2, inDatabase)
	file := filepath.Join(c.dir, "vpn.secret")
	c.run(t, "app", "add", "vpn", "--role", "shim", "--secret-out", file)
	word, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	form := "grant_type=client_credentials&client_id=vpn&client_secret=" + strings.TrimSpace(string(word))
	answer, err := http.Post(c.all[0].api+"/oauth2/token", "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	var granted struct {
		AccessToken string `json:"access_token"`
	}
	if err := errors.Join(json.NewDecoder(answer.Body).Decode(&granted), answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	for i, s := range c.all {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.api+"/verify/v1/look", strings.NewReader(`{"ids":[]}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+granted.AccessToken)
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("at node %d: %s", i, answer.Status)
		}
	}
}
