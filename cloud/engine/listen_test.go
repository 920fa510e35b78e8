package engine_test

import (
	"context"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
)

func TestListenersHearOfPushes(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolled(t, id, "phone")
	ear, err := h.Listen(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer ear.Leave()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	hears := func(what string) {
		t.Helper()
		select {
		case <-ear.Rung():
		case <-ctx.Done():
			t.Fatalf("nothing was heard of %s", what)
		}
	}
	c := h.ask(t, id, nil)
	hears("the push")
	if _, err := h.Press(t.Context(), a.answer(t, c.ID, engine.PushApprove, "", h.Now())); err != nil {
		t.Fatal(err)
	}
	hears("its verdict")
}

// One user takes a part of the places where people wait, whatever their devices
// open, and nobody else's.
func TestListenersOfOneUserAreBounded(t *testing.T) {
	h := build(t)
	ada, bob := h.user(t, 1), h.user(t, 2)
	var ears []*engine.Ear
	for {
		ear, err := h.Attend(t.Context(), ada, "phone")
		if err != nil {
			if cloud.KindOf(err) != cloud.Throttled {
				t.Error(err)
			}
			break
		}
		if ears = append(ears, ear); len(ears) > 100 {
			t.Fatal("one user waits in as many places as they like")
		}
	}
	if len(ears) < 16 {
		t.Errorf("%d are few for several devices", len(ears))
	}
	for _, user := range []cloud.UserID{bob, ada} {
		ear, err := h.Listen(t.Context(), user)
		if err != nil {
			t.Fatalf("%s: %v", user, err)
		}
		ear.Leave()
		ears[0].Leave() // makes room for the next
	}
	for _, ear := range ears[1:] {
		ear.Leave()
	}
}

// What another process on the store begins and decides is heard too, however
// long the one comes after the other; and each is heard once.
func TestListenersHearOfOtherProcesses(t *testing.T) {
	h := build(t)
	ada, bob := h.user(t, 1), h.user(t, 2)
	a := h.enrolled(t, ada, "phone")
	h.enrolled(t, bob, "phone")
	other := &house{Clock: cloudtest.ClockAt(h.Now()), path: h.path, outbox: h.outbox}
	other.open(t)
	listen := func(id cloud.UserID) (changed <-chan struct{}) {
		ear, err := h.Listen(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(ear.Leave)
		return ear.Rung()
	}
	adas, bobs := listen(ada), listen(bob)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	hears := func(changed <-chan struct{}, what string) {
		t.Helper()
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("nothing was heard of %s", what)
		}
	}
	c := other.ask(t, ada, nil)
	hears(adas, "a push")
	for range 2 { // the look at each of them sees the first push again, or not any more
		other.Advance(1500 * time.Millisecond)
		other.ask(t, bob, nil)
		hears(bobs, "another's push")
	}
	select {
	case <-adas:
		t.Error("a push rang twice")
	default:
	}
	other.Advance(20 * time.Second)
	if _, err := other.Press(t.Context(), a.answer(t, c.ID, engine.PushDeny, "", other.Now())); err != nil {
		t.Fatal(err)
	}
	hears(adas, "its verdict")
}

// A push whose clock is behind that of others, or that becomes visible late, is
// heard a moment later than others; and one of a clock that runs ahead hides none.
func TestListenersHearOfLatePushes(t *testing.T) {
	h := build(t)
	ada, bob, eve := h.user(t, 1), h.user(t, 2), h.user(t, 3)
	for _, id := range []cloud.UserID{ada, bob, eve} {
		h.enrolled(t, id, "phone")
	}
	h.Advance(time.Minute)
	process := func(behind time.Duration) *house {
		other := &house{Clock: cloudtest.ClockAt(h.Now().Add(-behind)), path: h.path, outbox: h.outbox}
		other.open(t)
		return other
	}
	ahead, right, late := process(-5*time.Second), process(0), process(1500*time.Millisecond)
	listen := func(id cloud.UserID) *engine.Ear {
		ear, err := h.Listen(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(ear.Leave)
		return ear
	}
	adas, bobs, eves := listen(ada), listen(bob), listen(eve)
	hears := func(ear *engine.Ear, what string) {
		t.Helper()
		select {
		case <-ear.Rung():
		case <-time.After(time.Minute):
			t.Fatalf("nothing was heard of %s", what)
		}
	}
	ahead.ask(t, bob, nil)
	hears(bobs, "a push of a clock that is ahead")
	right.ask(t, ada, nil)
	hears(adas, "a push of a clock that is right")
	late.ask(t, eve, nil)
	hears(eves, "a push of a clock that is behind")
	for _, ear := range []*engine.Ear{adas, bobs} {
		select {
		case <-ear.Rung():
			t.Error("a push rang twice")
		default:
		}
	}
}
