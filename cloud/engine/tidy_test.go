package engine_test

import (
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
)

// What is remembered of a number ends, and goes: when something is remembered of
// another one, and where the channel is not used any more.
func TestWhatIsKnownOfNumbersIsForgotten(t *testing.T) {
	h := build(t)
	h.Engine, _ = enginetest.Open(t, h.path, engine.Config{Now: h.Now, Senders: map[cloud.Preference]engine.Sender{cloud.SMS: twoWays{}}})
	ada, bob := h.user(t, 1), h.user(t, 2)
	arrives := func(id cloud.UserID, number string) {
		t.Helper()
		if len(h.read(t, id).Mobile) == 0 {
			h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue(number)})
		}
		c := h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.SMS })
		name := engine.ReceiptName(engine.ChannelWhatsApp, "wa", string(c.ID))
		if _, err := h.Logged(t.Context(), engine.Leg{Flight: c.ID, Status: engine.LegTaken, Receipts: []string{name}, Wait: 20 * time.Second}); err != nil {
			t.Fatal(err)
		}
		if _, known, err := h.Land(t.Context(), name, engine.LegDelivered); err != nil || !known {
			t.Fatalf("the receipt: %v, %v", known, err)
		}
	}
	arrives(ada, "+1 4255550100")
	if n := h.slips(t, ada); n != 2 { // it is on WhatsApp, and its owner was told so
		t.Fatalf("%d slips", n)
	}
	h.Advance(29 * 24 * time.Hour)
	arrives(bob, "+1 4255550101")
	if n := h.slips(t, ada); n != 2 {
		t.Errorf("%d slips after 29 days", n)
	}
	h.Advance(2 * 24 * time.Hour)
	arrives(bob, "+1 4255550101")
	if n := h.slips(t, ada); n != 1 { // that its owner was told holds for a year
		t.Errorf("%d slips after 31 days", n)
	}
	h.Advance(32 * 24 * time.Hour)
	if n := h.slips(t, bob); n != 2 {
		t.Errorf("%d slips before anybody looks", n)
	}
	if err := h.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b := h.slips(t, ada), h.slips(t, bob); a != 1 || b != 1 {
		t.Errorf("%d and %d slips after tidying", a, b)
	}
	h.Advance(366 * 24 * time.Hour)
	if err := h.Tidy(t.Context()); err != nil || h.slips(t, ada)+h.slips(t, bob) != 0 {
		t.Errorf("after a year %d and %d are left, %v", h.slips(t, ada), h.slips(t, bob), err)
	}
}
