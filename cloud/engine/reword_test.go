package engine_test

import (
	"context"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/internal/secret"
)

// word gives a user a password a moment from now.
func (h *house) word(t *testing.T, id cloud.UserID, word string) {
	t.Helper()
	h.Advance(time.Second)
	if err := h.SetPassword(t.Context(), operator, id, secret.FromString(word)); err != nil {
		t.Fatal(err)
	}
	h.Advance(time.Second)
}

// A login that waits for its second factor, and may have been begun by somebody
// who knows the old password, ends with that: approved by a tired thumb, by a
// code, or by a call. What is begun afterwards goes on.
func TestAnotherPasswordEndsLoginsThatWait(t *testing.T) {
	h := build(t)
	e, _ := enginetest.Open(t, h.path, engine.Config{Now: h.Now, Senders: map[cloud.Preference]engine.Sender{cloud.VoiceMobile: swallowing{}}})
	id := h.texted(t, 1, "+1 4255550142")
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}})
	device := h.activate(t, id)
	call := func() (c cloud.Challenge) {
		t.Helper()
		c, err := e.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3, Method: cloud.VoiceMobile})
		if err != nil || c.State != cloud.Pending {
			t.Fatalf("a call: %+v, %v", c, err)
		}
		return c
	}
	finish := func(state cloud.State, push, code, ring cloud.Challenge) {
		t.Helper()
		_, pressed := h.press(t, engine.Response{User: id, Device: device, Challenge: push.ID, Answer: engine.PushApprove})
		_, answered := h.Answer(t.Context(), cloud.Answer{Challenge: code.ID, Code: cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now())})
		_, keyed := e.Keyed(t.Context(), engine.NoteName(engine.ChannelVoice, engine.PublicID(string(ring.ID))), engine.CallConfirmed)
		ds, err := h.Look(t.Context(), []cloud.ChallengeID{push.ID, code.ID, ring.ID})
		if pressed != nil || answered != nil || keyed != nil || err != nil {
			t.Fatal(pressed, answered, keyed, err)
		}
		for i, way := range []string{"push", "code", "call"} {
			if ds[i].State != state {
				t.Errorf("the login by %s: %+v", way, ds[i])
			}
		}
	}
	begin := func() (push, code, ring cloud.Challenge) {
		return h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.Push }), h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.OATHCode }), call()
	}

	push, code, ring := begin()
	h.word(t, id, "the first password") // with which nothing can have been begun
	finish(cloud.Approved, push, code, ring)

	push, code, ring = begin()
	h.word(t, id, "another password")
	if waiting, _, err := h.Pushes(t.Context(), id, device); err != nil || len(waiting) != 0 {
		t.Errorf("the device is still asked: %+v, %v", waiting, err)
	}
	finish(cloud.Expired, push, code, ring)

	h.Advance(10 * time.Minute)
	push, code, ring = begin()
	finish(cloud.Approved, push, code, ring)
}

// A password that was changed by a clock which has been set back since locks
// nobody out until the clock gets there.
func TestAnotherPasswordOfALaterClock(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	h.word(t, id, "the first password")
	h.Advance(time.Hour)
	h.word(t, id, "another password")
	h.Advance(-time.Hour)
	c := h.ask(t, id, nil)
	d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now())})
	if err != nil || d.State != cloud.Approved {
		t.Errorf("%+v, %v", d, err)
	}
}

// Whoever waits for the verdict hears at once that there is none to come.
func TestAnotherPasswordIsToldToWhoWaits(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	h.activate(t, id)
	h.word(t, id, "the first password")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream := h.Decisions(ctx)
	c := h.ask(t, id, nil)
	h.word(t, id, "another password")
	for d, err := range stream {
		if err != nil || d.Challenge != c.ID || d.State != cloud.Expired {
			t.Errorf("%+v, %v", d, err)
		}
		break
	}
}
