package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/fixtures"
	"mfabridge/shim/config"
)

// A shim on a store may be the only program on it, and few people may log in:
// what has ended of them goes all the same.
func TestShimClearsItsStore(t *testing.T) {
	s := moved(t)
	s.write(t, "vpn.secret", sharedSecret)
	before := &program{streams: streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard}, now: func() time.Time { return time.Now().Add(-time.Hour) }}
	e, err := before.storeEngine(t.Context(), &config.Engine{Store: s.store}, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: fixtures.Ada}, Client: cloud.Client{App: "vpn", Station: "02-00-00-00-00-01"}, Method: cloud.OATHCode, Tries: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	kept := func() bool {
		out := s.path("person.jsonl")
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
		must(t, exitDone, "engine", "user", "export", fixtures.Ada, "--store", s.store, "-o", out, "--reason", "test")
		return strings.Contains(readFile(t, out), `"type":"challenge"`)
	}
	if !kept() {
		t.Fatal("the store never knew of the login")
	}
	shim := startShim(t, s.write(t, "shim.yaml", radclientYAML))
	await(t, func() bool { return !kept() }, func() string { return "a login of an hour ago is kept" })
	shim.stop()
}
