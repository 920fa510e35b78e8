package shim

import (
	"slices"
	"testing"
	"time"

	"mfabridge/cloud"
)

// Legs leave the table once, by their challenge or by their time, and it has
// drained once all of them are answered.
func TestTableOfLegs(t *testing.T) {
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	after := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	tab := newTable(4)
	drained := func(want bool) {
		t.Helper()
		select {
		case <-tab.drained():
			if !want {
				t.Error("drained too early")
			}
		default:
			if want {
				t.Error("not drained")
			}
		}
	}
	size := func(legs, challenges int) {
		t.Helper()
		if l, c := tab.size(); l != legs || c != challenges {
			t.Errorf("%d legs on %d challenges, want %d on %d", l, c, legs, challenges)
		}
	}
	add := func(id cloud.ChallengeID, seconds int) *leg {
		t.Helper()
		g := &leg{held: held{challenge: id}, deadline: after(seconds)}
		if !tab.add(g) {
			t.Fatal("too many wait")
		}
		return g
	}
	drained(true)
	late := add("a", 9)
	waiter := tab.drained()
	soon, twin, other := add("b", 3), add("a", 5), add("c", 7)
	if tab.add(&leg{}) {
		t.Error("more wait than may")
	}
	drained(false)
	size(4, 3)
	if over, next := tab.due(after(2)); len(over) != 0 || next != after(3) {
		t.Errorf("%v, %v", over, next)
	}
	if over, next := tab.due(after(5)); !slices.Equal(over, []*leg{soon, twin}) || next != after(7) {
		t.Errorf("%v, %v", over, next)
	}
	size(2, 2) // one of "a" waits on
	if got := tab.take("b"); len(got) != 0 {
		t.Errorf("taken twice: %v", got)
	}
	if got := tab.take("a"); !slices.Equal(got, []*leg{late}) {
		t.Errorf("taken: %v", got)
	}
	for range 3 {
		tab.answered()
	}
	drained(false)
	if got := tab.all(); !slices.Equal(got, []*leg{other}) {
		t.Errorf("all: %v", got)
	}
	size(0, 0)
	drained(false)
	tab.answered()
	drained(true)
	<-waiter // whoever has waited all the while hears of it
	if over, next := tab.due(after(99)); len(over) != 0 || !next.IsZero() {
		t.Errorf("%v, %v", over, next)
	}
	add("d", 1)
	drained(false)
	tab.take("d")
	waiter = tab.drained()
	again := add("d", 2) // before the first was answered
	tab.answered()
	drained(false)
	if over, _ := tab.due(after(2)); !slices.Equal(over, []*leg{again}) {
		t.Errorf("%v", over)
	}
	tab.answered()
	drained(true)
	<-waiter
}

// Every challenge that waits has its turn to be looked at, also one that waits
// once more.
func TestTurnsToBeLookedAt(t *testing.T) {
	tab := newTable(9)
	add := func(ids ...cloud.ChallengeID) {
		for _, id := range ids {
			tab.add(&leg{held: held{challenge: id}})
		}
	}
	next := func(n int, want ...cloud.ChallengeID) {
		t.Helper()
		if got := tab.next(n); !slices.Equal(got, want) {
			t.Errorf("looked at %v, want %v", got, want)
		}
	}
	next(2)
	add("a", "b", "a", "c")
	next(2, "a", "b")
	next(2, "c", "a")
	tab.take("b")
	next(3, "c", "a")
	add("b")
	next(9, "c", "a", "b")
	tab.take("c")
	add("c") // it has not been missed
	next(9, "c", "a", "b")
	for _, id := range []cloud.ChallengeID{"a", "b", "c"} {
		for range tab.take(id) {
			tab.answered()
		}
	}
	for range 2 { // of those that came and went
		tab.answered()
	}
	next(9)
	add("c", "a")
	next(9, "c", "a")
}
