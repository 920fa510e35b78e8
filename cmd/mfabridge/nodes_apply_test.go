package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"mfabridge/fixtures/gen"
)

// balancer hands each request to the next node, whoever sent it; a node that
// was taken out gets none any more.
type balancer struct {
	proxies []*httputil.ReverseProxy
	asked   atomic.Int64
	out     atomic.Bool // the first node
	each    []atomic.Int64
	at      func(n int64) // before the nth request
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := b.asked.Add(1)
	b.at(n)
	i := int(n) % len(b.proxies)
	if b.out.Load() {
		i = 1
	}
	b.each[i].Add(1)
	b.proxies[i].ServeHTTP(w, r)
}

// A run goes through a balancer that sends each request to another node, and on
// when one of them is stopped in the middle: its lock is in the store.
func TestApplyOverNodes(t *testing.T) {
	c := serveNodes(t, 2, inDatabase)
	b := &balancer{each: make([]atomic.Int64, 2)}
	for _, s := range c.all {
		u, err := url.Parse(s.api)
		if err != nil {
			t.Fatal(err)
		}
		b.proxies = append(b.proxies, httputil.NewSingleHostReverseProxy(u))
	}
	applying := false
	b.at = func(n int64) {
		if applying && b.each[0].Load() > 5 && b.out.CompareAndSwap(false, true) {
			_ = c.all[0].cmd.Process.Signal(syscall.SIGTERM) // it answers what it has read
		}
	}
	front := httptest.NewServer(b)
	t.Cleanup(front.Close)
	file := filepath.Join(c.dir, "mover.secret")
	c.run(t, "app", "add", "mover", "--role", "migrate", "--for", "1h", "--secret-out", file)
	access := []string{"--client-id", "mover", "--client-secret", "file:" + file}
	f := filepath.Join(c.dir, "f.plan")
	export := filepath.Join(c.dir, "export")
	if err := os.Mkdir(export, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := gen.Write(export, gen.Options{Users: 1200, Seed: 7, DeviceSecrets: true}); err != nil {
		t.Fatal(err)
	}
	must(t, exitDone, append([]string{"plan", export, "--to", front.URL, "-o", f, "--create-users", "--default-country", "US"}, access...)...)
	applying, b.each[0], b.each[1] = true, atomic.Int64{}, atomic.Int64{}
	must(t, exitDone, append([]string{"apply", f}, access...)...)
	must(t, exitDone, append([]string{"check", f, "--all"}, access...)...)
	if !b.out.Load() || b.each[1].Load() < 5 {
		t.Errorf("the run was at one node: %d and %d requests, taken out: %v", b.each[0].Load(), b.each[1].Load(), b.out.Load())
	}
}
