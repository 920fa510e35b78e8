package engine_test

import (
	"context"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
)

// twoWays is a router that takes everything and delivers nothing.
type twoWays struct{}

func (twoWays) Send(context.Context, engine.Message) error { return nil }
func (twoWays) Delivers() bool                             { return true }
func (twoWays) Legs(cloud.UserID, string) []string {
	return []string{engine.ChannelWhatsApp, engine.ChannelSMS}
}

// A text that waits for its next channel is sent although the key was changed
// meanwhile.
func TestMessagesSurviveKeyRotation(t *testing.T) {
	h := build(t)
	h.Engine, _ = enginetest.Open(t, h.path, engine.Config{Now: h.Now, Senders: map[cloud.Preference]engine.Sender{cloud.SMS: twoWays{}}})
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.Value{Text: "+1 4255550100"}})
	c := h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.SMS })
	if c.State != cloud.Pending {
		t.Fatalf("%+v", c)
	}
	if _, err := h.Logged(t.Context(), engine.Leg{Flight: c.ID, Status: engine.LegTaken, Wait: 20 * time.Second}); err != nil {
		t.Fatal(err)
	}
	h.Advance(5 * time.Second)
	file := promoted(t, h)
	if before := keyUse(t, h.Engine); before.Of(file.Keys()[0]) < 3 {
		t.Errorf("the message is not counted: %+v", before)
	}
	if _, err := h.Reseal(t.Context(), operator, func(int) {}); err != nil {
		t.Fatal(err)
	}
	gone, err := h.RetireKeys(t.Context(), operator)
	if err != nil || len(gone) != 1 {
		t.Fatalf("%v, %v", gone, err)
	}
	if err := file.Remove(gone); err != nil {
		t.Fatal(err)
	}
	h.Advance(21 * time.Second)
	b, ok, err := h.Board(t.Context(), c.ID, func(string) bool { return true })
	if err != nil || !ok || b.Message.To != "+1 4255550100" || b.At != 1 {
		t.Errorf("the next channel: %+v, %t, %v", b, ok, err)
	}
}
