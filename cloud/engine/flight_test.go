package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/internal/secret"
)

// router is a router that notes by which channels each message may go.
type router struct {
	ways []string
	sent []engine.Message
}

func (r *router) Send(_ context.Context, m engine.Message) error {
	m.Code, m.Text = secret.FromString(string(m.Code.Reveal())), secret.FromString(string(m.Text.Reveal())) // the engine wipes its own
	r.sent = append(r.sent, m)
	return nil
}
func (*router) Delivers() bool                       { return true }
func (r *router) Legs(cloud.UserID, string) []string { return r.ways }

// airport is a house whose texts go by channels, and a user with a mobile.
func airport(t *testing.T, ways ...string) (*house, *router, cloud.UserID) {
	t.Helper()
	h, r := build(t), &router{ways: ways}
	h.Engine, _ = enginetest.Open(t, h.path, engine.Config{Now: h.Now, Senders: map[cloud.Preference]engine.Sender{cloud.SMS: r}})
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550100")})
	return h, r, id
}

// departs asks a user by text.
func (h *house) departs(t *testing.T, id cloud.UserID) cloud.ChallengeID {
	t.Helper()
	c := h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.SMS })
	if c.State != cloud.Pending {
		t.Fatalf("%+v", c)
	}
	return c.ID
}

// logged records what became of a try, and says whether a next one is to be made
// now, and whether one is due.
func (h *house) logged(t *testing.T, l engine.Leg, next int, due bool) {
	t.Helper()
	at, err := h.Logged(t.Context(), l)
	if err != nil || at != next {
		t.Errorf("%s on channel %d: next %d, %v, want %d", l.Status, l.At, at, err, next)
	}
	if all, err := h.DueFlights(t.Context(), 10); err != nil || (len(all) == 1) != due {
		t.Errorf("%s on channel %d: due %+v, %v", l.Status, l.At, all, err)
	}
}

// land tells the engine of a receipt.
func (h *house) land(t *testing.T, id cloud.ChallengeID, channel string, s engine.LegStatus) engine.Landing {
	t.Helper()
	l, known, err := h.Land(t.Context(), engine.NoteName(channel, engine.PublicID(string(id))), s)
	if err != nil || !known {
		t.Fatalf("%s: known %t, %v", s, known, err)
	}
	return l
}

func never(string) bool { return false }

// A provider may say that a message did not arrive before it has said that it
// takes it: the next channel is asked at once all the same.
func TestReceiptBeforeItsRecord(t *testing.T) {
	for name, wait := range map[string]time.Duration{"for ever": 0, "for a while": time.Minute} {
		for _, s := range []engine.LegStatus{engine.LegFailed, engine.LegUnreachable} {
			h, _, id := airport(t, engine.ChannelSMS, engine.ChannelSpoken)
			c := h.departs(t, id)
			if l := h.land(t, c, engine.ChannelSMS, s); !l.Due || l.Channel != engine.ChannelSMS || l.Flight != c {
				t.Errorf("%s: %+v", s, l)
			}
			h.logged(t, engine.Leg{Flight: c, Status: engine.LegTaken, Wait: wait}, -1, true)
			if b, ok, err := h.Board(t.Context(), c, never); err != nil || !ok || b.At != 1 || b.Late != "" || len(b.Lost) != 0 {
				t.Errorf("%s, and it would have waited %s: %+v, %t, %v", s, name, b, ok, err)
			}
		}
	}
}

// A message goes from channel to channel as each fails, each once, and what is
// told of a channel that was left, or of a message that nobody knows, does not
// send it on.
func TestMessageGoesOnOnce(t *testing.T) {
	h, r, id := airport(t, engine.ChannelWhatsApp, engine.ChannelRCS, engine.ChannelSMS)
	waits := h.departs(t, id)
	h.logged(t, engine.Leg{Flight: waits, Status: engine.LegTaken}, -1, false) // and no receipt is waited for
	if _, ok, err := h.Board(t.Context(), waits, never); ok || err != nil {
		t.Errorf("what was taken: %t, %v", ok, err)
	}
	r.sent = nil
	c := h.departs(t, id)
	h.logged(t, engine.Leg{Flight: "none", Status: engine.LegFailed}, -1, false)
	h.logged(t, engine.Leg{Flight: c, At: 1, Status: engine.LegFailed}, -1, false)
	h.logged(t, engine.Leg{Flight: c, Status: engine.LegFailed}, 1, false)
	h.logged(t, engine.Leg{Flight: c, Status: engine.LegFailed}, -1, false)
	if l := h.land(t, c, engine.ChannelWhatsApp, engine.LegUnreachable); l.Due {
		t.Errorf("of a channel that was left: %+v", l)
	}
	h.logged(t, engine.Leg{Flight: c, At: 1, Status: engine.LegTaken, Wait: time.Minute}, -1, false)
	if _, ok, err := h.Board(t.Context(), c, never); ok || err != nil {
		t.Errorf("before its time: %t, %v", ok, err)
	}
	h.Advance(time.Minute)
	if due, err := h.DueFlights(t.Context(), 10); err != nil || len(due) != 1 ||
		due[0] != (engine.DueFlight{ID: c, Channel: engine.ChannelRCS, Next: engine.ChannelSMS}) {
		t.Errorf("due: %+v, %v", due, err)
	}
	b, ok, err := h.Board(t.Context(), c, never)
	if err != nil || !ok || b.At != 2 || b.Late != engine.ChannelRCS || b.Again || len(b.Lost) != 0 ||
		!slices.Equal(b.Message.Legs, r.ways) || string(b.Message.Code.Reveal()) != string(r.sent[0].Code.Reveal()) {
		t.Errorf("%+v, %t, %v", b, ok, err)
	}
	if m, first := b.Message, r.sent[0]; string(m.Text.Reveal()) != string(first.Text.Reveal()) || m.Text.IsZero() || m.To != first.To || m.User != id ||
		!m.Time.Equal(first.Time) || m.Way != cloud.SMS || m.Application != first.Application {
		t.Errorf("%+v, at first it was %+v", m, first)
	}
	if _, ok, err := h.Board(t.Context(), c, never); ok || err != nil {
		t.Errorf("by another node, too: %t, %v", ok, err)
	}
	h.logged(t, engine.Leg{Flight: c, At: 2, Status: engine.LegTaken}, -1, false)
	if _, ok, err := h.Board(t.Context(), c, never); ok || err != nil {
		t.Errorf("while a receipt is waited for: %t, %v", ok, err)
	}
	h.logged(t, engine.Leg{Flight: c, At: 2, Status: engine.LegFailed}, -1, false)
	h.logged(t, engine.Leg{Flight: c, At: 2, Status: engine.LegFailed}, -1, false)
	h.Advance(time.Minute)
	if _, ok, err := h.Board(t.Context(), c, never); ok || err != nil {
		t.Errorf("when there is no channel left: %t, %v", ok, err)
	}
}

// A message that was being sent when its process ended is lost where its provider
// does not tell a repeat, and whoever takes it up hears that.
func TestLostMessageIsTold(t *testing.T) {
	h, _, id := airport(t, engine.ChannelWhatsApp, engine.ChannelSMS)
	c := h.departs(t, id)
	h.Advance(20 * time.Second)
	if due, err := h.DueFlights(t.Context(), 10); err != nil || len(due) != 1 ||
		due[0] != (engine.DueFlight{ID: c, Channel: engine.ChannelWhatsApp, Lost: true, Next: engine.ChannelSMS}) {
		t.Errorf("due: %+v, %v", due, err)
	}
	b, ok, err := h.Board(t.Context(), c, never)
	if err != nil || !ok || b.At != 1 || !slices.Equal(b.Lost, []string{engine.ChannelWhatsApp}) {
		t.Errorf("%+v, %t, %v", b, ok, err)
	}
	h.Advance(20 * time.Second)
	if due, err := h.DueFlights(t.Context(), 10); err != nil || len(due) != 1 || due[0].Next != "" {
		t.Errorf("due: %+v, %v", due, err)
	}
	b, ok, err = h.Board(t.Context(), c, never)
	if err != nil || !ok || b.Message.ID != "" || !slices.Equal(b.Lost, []string{engine.ChannelSMS}) {
		t.Errorf("the last one: %+v, %t, %v", b, ok, err)
	}
}

// Nothing of a login that is over is sent, and its code is not kept any longer.
func TestMessageOfALoginThatIsOver(t *testing.T) {
	for name, over := range map[string]func(*house, cloud.UserID){
		"expired": func(h *house, _ cloud.UserID) { h.Advance(10 * time.Minute) },
		"replaced": func(h *house, id cloud.UserID) {
			h.departs(t, id)
			h.Advance(20 * time.Second)
		},
	} {
		h, _, id := airport(t, engine.ChannelWhatsApp, engine.ChannelSMS)
		c := h.departs(t, id)
		over(h, id)
		if b, ok, err := h.Board(t.Context(), c, never); ok || err != nil {
			t.Errorf("%s: %+v, %t, %v", name, b, ok, err)
		}
		err := h.store.View(t.Context(), func(r engine.Reader) error {
			f, err := r.Flight(c)
			if err == nil && (!f.Due.IsZero() || !strings.Contains(string(f.State), `"over":true`) || strings.Contains(string(f.State), "sealed")) {
				err = errors.New(string(f.State))
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// By which channels a text may go is said by policy, and by what was seen of the
// number, for as long as that counts.
func TestChannelsOfANumber(t *testing.T) {
	all := []string{engine.ChannelWhatsApp, engine.ChannelRCS, engine.ChannelSMS, engine.ChannelSpoken}
	h, r, id := airport(t, all...)
	legs := func(what string, without ...string) cloud.ChallengeID {
		t.Helper()
		c := h.departs(t, id)
		want := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(without, name) })
		if got := r.sent[len(r.sent)-1].Legs; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
		return c
	}
	legs("at first")
	for method, channel := range map[engine.PolicyMethod]string{engine.PolicyWhatsApp: engine.ChannelWhatsApp, engine.PolicyRCS: engine.ChannelRCS, engine.PolicyVoice: engine.ChannelSpoken} {
		h.policy(t, method, engine.MethodPolicy{})
		legs("where policy closes it", channel)
		h.policy(t, method, engine.MethodPolicy{Enabled: true})
	}
	c := legs("where policy opens them again")
	h.logged(t, engine.Leg{Flight: c, Status: engine.LegUnreachable}, 1, false)
	h.logged(t, engine.Leg{Flight: c, At: 1, Status: engine.LegTaken, Wait: time.Minute}, -1, false)
	h.Advance(time.Minute)
	if b, ok, err := h.Board(t.Context(), c, never); err != nil || !ok || b.At != 2 {
		t.Fatalf("%+v, %t, %v", b, ok, err)
	}
	h.logged(t, engine.Leg{Flight: c, At: 2, Status: engine.LegUnreachable}, 3, false)
	legs("not on one, and late on another", engine.ChannelWhatsApp, engine.ChannelRCS)
	h.Advance(time.Hour)
	c = legs("late an hour ago", engine.ChannelWhatsApp)
	h.land(t, c, engine.ChannelRCS, engine.LegUnreachable)
	legs("a receipt says that it is on neither", engine.ChannelWhatsApp, engine.ChannelRCS)
	h.Advance(7 * 24 * time.Hour)
	c = legs("a week later")
	if l := h.land(t, c, engine.ChannelRCS, engine.LegDelivered); l.Announce.ID != "" || l.Due {
		t.Errorf("by RCS: %+v", l)
	}
	c = legs("delivered")
	if l := h.land(t, c, engine.ChannelWhatsApp, engine.LegRead); l.Announce.To != "+1 4255550100" || l.Due {
		t.Errorf("by WhatsApp for the first time: %+v", l)
	}
	if l := h.land(t, legs("read"), engine.ChannelWhatsApp, engine.LegDelivered); l.Announce.ID != "" {
		t.Errorf("by WhatsApp once more: %+v", l)
	}
	h.Advance(20 * time.Second)
	if b, ok, err := h.Board(t.Context(), c, never); ok || err != nil {
		t.Errorf("on after it was read: %+v, %t, %v", b, ok, err)
	}
}
