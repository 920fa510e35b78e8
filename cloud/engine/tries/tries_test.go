package tries_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/tries"
)

// desk checks tries with counts that are kept in a map.
type desk struct {
	limits tries.Limits
	counts map[tries.Counter]tries.Failures
	now    time.Time
	broken error // what each question ends with
}

func open() *desk {
	return &desk{limits: tries.Limits{}.Filled(), counts: map[tries.Counter]tries.Failures{}, now: time.Unix(1_800_000_000, 0)}
}

func (d *desk) Failures(c tries.Counter) (tries.Failures, error) { return d.counts[c], d.broken }

func (d *desk) PutFailures(c tries.Counter, f tries.Failures) error {
	if d.counts[c] = f; f.Count == 0 {
		delete(d.counts, c)
	}
	return d.broken
}

func (d *desk) shut(t *testing.T, w tries.Where) bool {
	t.Helper()
	g, err := d.limits.Gate(d, w, d.now)
	if err != nil {
		t.Fatal(err)
	}
	return g.Shut
}

// try is a check that is made whether or not it is shut.
func (d *desk) try(t *testing.T, w tries.Where, passed bool) {
	t.Helper()
	g, err := d.limits.Gate(d, w, d.now)
	if err == nil {
		err = g.Count(d, passed, d.now)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var (
	guess  = tries.Where{User: "ada", Way: "oath", Place: "station:laptop"}
	proven = tries.Where{User: "ada", Way: "oath", Place: "station:laptop", Proven: true}
)

func at(w tries.Where, place string) tries.Where { w.Place = place; return w }

func TestDelaysGrow(t *testing.T) {
	d := open()
	for n := 1; n <= 30; n++ {
		d.try(t, guess, false)
		want := time.Duration(0)
		if n >= 5 {
			want = min(5*time.Second<<(n-5), 15*time.Minute)
		}
		failed := d.now
		if d.now = failed.Add(want - 1); d.shut(t, guess) != (want > 0) {
			t.Errorf("%d failures: shut %v just before %v", n, want == 0, want)
		}
		if d.now = failed.Add(want); d.shut(t, guess) {
			t.Errorf("%d failures: still shut after %v", n, want)
		}
	}
	d.try(t, guess, true)
	if d.try(t, guess, false); d.shut(t, guess) || len(d.counts) != 1 {
		t.Errorf("a success left %v", d.counts)
	}
}

// What counts against one user, way or place shuts no other; against a user as
// a whole only what was tried after a proof counts.
func TestWhatCountsWhere(t *testing.T) {
	d := open()
	for n := range 500 {
		d.try(t, at(guess, fmt.Sprint("station:", n)), false)
	}
	for range 5 {
		d.try(t, guess, false)
	}
	for name, w := range map[string]tries.Where{"another place": at(guess, "station:phone"), "another way": {User: "ada", Way: "sms", Place: guess.Place},
		"another user": {User: "eve", Way: "oath", Place: guess.Place}, "a proof elsewhere": at(proven, "station:phone")} {
		if d.shut(t, w) {
			t.Errorf("%s is shut", name)
		}
	}
	if !d.shut(t, guess) || !d.shut(t, proven) {
		t.Error("the place is open")
	}
	for n := range 50 {
		if d.shut(t, at(proven, "station:phone")) {
			t.Fatalf("shut everywhere after %d", n)
		}
		d.try(t, at(proven, fmt.Sprint("station:", n)), false)
	}
	if !d.shut(t, at(proven, "station:phone")) || d.shut(t, at(guess, "station:phone")) {
		t.Error("ten times the bar shuts whoever has proven something, and nobody else")
	}
}

// A success takes its own mistakes off the count of all places, and no others.
func TestSuccessPaysForItsOwn(t *testing.T) {
	d := open()
	for n := range 49 {
		d.try(t, at(proven, fmt.Sprint("station:", n)), false)
	}
	for range 20 {
		d.try(t, proven, false)
		d.try(t, proven, true)
	}
	if d.shut(t, at(proven, "station:phone")) {
		t.Error("mistakes that were made good add up")
	}
	if d.try(t, at(proven, "station:49"), false); !d.shut(t, at(proven, "station:phone")) {
		t.Error("a success paid for others")
	}
}

// From the network where a user came in within a month the user goes on while
// everybody else is shut out.
func TestKnownNetworkStaysOpen(t *testing.T) {
	const month = 30 * 24 * time.Hour
	for _, c := range []struct {
		home, from string
		later      time.Duration
		open       bool
	}{
		{"address:192.0.2.7", "address:192.0.2.200", month - time.Second, true},
		{"address:192.0.2.7", "address:192.0.2.7", month, false},
		{"address:192.0.2.7", "address:192.0.3.7", 0, false},
		{"address:2001:db8:1:2::/64", "address:2001:db8:1:9::/64", 0, true},
		{"address:2001:db8:2:2::/64", "address:2001:db8:3:2::/64", 0, false},
		{"station:laptop", "station:laptop", 0, true},
		{"station:laptop", "station:laptop2", 0, false},
		{"unknown", "unknown", 0, true},
		{"address:192.0.2.7", "address:192.0.2.7", -48 * time.Hour, false},
	} {
		d := open()
		d.try(t, at(proven, c.home), true)
		d.now = d.now.Add(c.later)
		for n := range 50 {
			d.try(t, at(proven, fmt.Sprint("station:", n)), false)
		}
		if d.shut(t, at(proven, c.from)) == c.open {
			t.Errorf("%+v: open %v", c, !c.open)
		}
	}
}

// That a network is known opens what others have shut, never what was tried too
// often from there.
func TestKnownNetworkHasItsOwnLimit(t *testing.T) {
	d := open()
	d.try(t, proven, true)
	for n := range 50 {
		d.try(t, at(proven, fmt.Sprint("station:", n)), false)
	}
	for n := range 5 {
		if d.shut(t, proven) {
			t.Fatalf("shut after %d", n)
		}
		d.try(t, proven, false)
	}
	if !d.shut(t, proven) {
		t.Error("whoever is in a known network may guess on")
	}
}

// A network that was known is written down again twice a day at the most.
func TestKnownNetworkIsSeldomWritten(t *testing.T) {
	d := open()
	d.try(t, proven, true)
	first := fmt.Sprint(d.counts)
	d.now = d.now.Add(12*time.Hour - 1)
	if d.try(t, proven, true); fmt.Sprint(d.counts) != first {
		t.Error("written again within 12 hours")
	}
	d.now = d.now.Add(1)
	if d.try(t, proven, true); fmt.Sprint(d.counts) == first {
		t.Error("not written after 12 hours")
	}
}

// What was counted before the clock was set back shuts for no longer than the
// longest delay, and counts on.
func TestClockSetBack(t *testing.T) {
	d := open()
	for range 30 {
		d.try(t, guess, false)
	}
	d.now = d.now.AddDate(-1, 0, 0)
	if d.shut(t, guess) {
		t.Error("shut by a failure of next year")
	}
	if d.try(t, guess, false); !d.shut(t, guess) {
		t.Error("what was counted is forgotten")
	}
}

func TestForgotten(t *testing.T) {
	d := open()
	for range 4 {
		d.try(t, guess, false)
	}
	for later, counts := range map[time.Duration]bool{24*time.Hour - 1: true, 24 * time.Hour: false} {
		then := &desk{limits: d.limits, counts: map[tries.Counter]tries.Failures{}, now: d.now.Add(later)}
		for c, f := range d.counts {
			then.counts[c] = f
		}
		if then.try(t, guess, false); then.shut(t, guess) != counts {
			t.Errorf("%v later: counted %v", later, !counts)
		}
	}
	if kept := (tries.Limits{Forget: time.Hour}).Kept(); kept != 24*time.Hour {
		t.Errorf("kept for %v", kept)
	}
	if kept := (tries.Limits{Forget: 48 * time.Hour}).Kept(); kept != 48*time.Hour {
		t.Errorf("kept for %v", kept)
	}
}

func TestStrangers(t *testing.T) {
	d := open()
	try := func(place string) tries.Strangers {
		t.Helper()
		s, err := d.limits.Strangers(d, "password", place, d.now)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Shut {
			if err := s.Count(d, d.now); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	for n := range 50 {
		if s := try(fmt.Sprint("address:192.0.2.", n)); s.Shut || s.Crowded() {
			t.Fatalf("name %d: %+v", n, s)
		}
	}
	before := fmt.Sprint(d.counts)
	if s := try("address:192.0.2.99"); !s.Shut || !s.Crowded() || fmt.Sprint(d.counts) != before {
		t.Errorf("beyond the bar: %+v", s)
	}
	if s := try("address:192.0.3.99"); s.Shut {
		t.Error("another network is shut")
	}
	d.now = d.now.Add(5 * time.Second)
	if s := try("address:192.0.2.99"); s.Shut || !s.Crowded() {
		t.Errorf("later: %+v", s)
	}
}

func TestPlace(t *testing.T) {
	long := strings.Repeat("x", 64)
	address := netip.MustParseAddr
	for want, c := range map[string]cloud.Client{
		"station:laptop":            {Station: "laptop", Address: address("192.0.2.7")},
		"station:" + long:           {Station: long},
		"address:192.0.2.7":         {Address: address("::ffff:192.0.2.7")},
		"address:2001:db8:1:2::/64": {Address: address("2001:db8:1:2:3:4:5:6")},
		"address:fe80::/64":         {Address: address("fe80::1%eth0")},
		"unknown":                   {App: "vpn"},
	} {
		if got := tries.Place(c); got != want {
			t.Errorf("%+v is %q, want %q", c, got, want)
		}
	}
	one, other := tries.Place(cloud.Client{Station: long + "1"}), tries.Place(cloud.Client{Station: long + "2"})
	if one == other || len(one) != len("station:")+32 {
		t.Errorf("long stations: %q, %q", one, other)
	}
}

// What the store says is said on, and nothing is open by it.
func TestBrokenStore(t *testing.T) {
	d := open()
	d.broken = errors.New("no disk")
	g, gateErr := d.limits.Gate(d, proven, d.now)
	s, strangersErr := d.limits.Strangers(d, "oath", "unknown", d.now)
	for i, err := range []error{gateErr, strangersErr, g.Count(d, true, d.now), g.Count(d, false, d.now), s.Count(d, d.now)} {
		if !errors.Is(err, d.broken) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
