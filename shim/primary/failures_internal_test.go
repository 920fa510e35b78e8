package primary

import (
	"strconv"
	"testing"
	"time"
)

// Names that somebody makes up do not fill the memory: the entry that failed
// longest ago goes, none that is at work, and all that have expired.
func TestBoundOfFailures(t *testing.T) {
	f := newFailures(2, time.Hour)
	now := time.Unix(1_900_000_000, 0)
	fail := func(name string, at time.Time) {
		if !f.begin(name, at) {
			t.Fatalf("%s is shut", name)
		}
		f.end(name, false, true, at)
	}
	if !f.begin("at work", now) {
		t.Fatal("the first is shut")
	}
	for n := range maxCounted - 1 {
		fail(strconv.Itoa(n), now.Add(time.Duration(n+1)))
	}
	later := now.Add(time.Minute)
	fail("one more", later)
	if len(f.counts) != maxCounted || f.counts["at work"] == nil || f.counts["0"] != nil || f.counts["1"] == nil {
		t.Errorf("%d entries; at work %v, oldest %v", len(f.counts), f.counts["at work"], f.counts["0"])
	}
	fail("much later", later.Add(time.Hour-1))
	if len(f.counts) != 3 || f.counts["one more"] == nil || f.counts["at work"] == nil {
		t.Errorf("%d entries are kept of those that expired", len(f.counts)-3)
	}
}

// A right password ends the count of an entry, and not the binds that are at
// work meanwhile.
func TestBindsAtWorkCountOn(t *testing.T) {
	f := newFailures(2, time.Hour)
	now := time.Unix(1_900_000_000, 0)
	begins := func(want bool) {
		t.Helper()
		if got := f.begin("cn=Ada", now); got != want {
			t.Errorf("begins: %t", got)
		}
	}
	begins(true)
	begins(true)
	begins(false)
	f.end("CN=ada", true, false, now)
	begins(true)
	begins(false) // two are at work
	f.end("cn=ada", false, true, now)
	begins(false) // one is, and one was wrong
	f.end("cn=ada", true, false, now)
	if len(f.counts) != 0 {
		t.Errorf("%d counts of nothing are kept", len(f.counts))
	}
	f.end("cn=ada", false, true, now) // whose count has gone meanwhile
	if len(f.counts) != 0 {
		t.Errorf("%d counts of nobody", len(f.counts))
	}
}
