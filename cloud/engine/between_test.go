package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/engine/signature"
	"mfabridge/internal/secret"
)

// meddling is a store to which something happens between two transactions of a
// call.
type meddling struct {
	engine.Store
	after int    // how many transactions go before it
	do    func() // once
}

func (m *meddling) Update(ctx context.Context, change func(engine.Tx) error) error {
	if do := m.do; do != nil {
		if m.after--; m.after < 0 {
			m.do = nil
			do()
		}
	}
	return m.Store.Update(ctx, change)
}

// meddled opens an engine on h's store to which something can happen.
func meddled(t *testing.T, h *house) (*engine.Engine, *meddling) {
	t.Helper()
	m := &meddling{Store: h.store}
	e, err := engine.Open(t.Context(), engine.Config{Store: m, Key: enginetest.Key(t, h.path), Now: h.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, m
}

// What happens while a PIN is compared holds for the approval that it came with.
func TestPINChangesBeforeTheApproval(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(*testing.T, *house, *app)
		state  cloud.State
		reason cloud.Reason
		pin    engine.PINState
		kind   cloud.Kind // of the error; Internal: none
	}{
		"nothing": {do: func(*testing.T, *house, *app) {}, state: cloud.Approved},
		"another PIN": {do: func(t *testing.T, h *house, a *app) {
			if state := a.setPIN(t, h, "5182", "2739"); state != "" {
				t.Fatal(state)
			}
		}, state: cloud.Pending, pin: engine.PINNeeded},
		"no PIN any more": {do: func(t *testing.T, h *house, a *app) {
			if err := h.RequirePIN(t.Context(), operator, a.got.User, true, true); err != nil {
				t.Fatal(err)
			}
		}, state: cloud.Pending, pin: engine.PINNeeded},
		"blocked": {do: func(t *testing.T, h *house, _ *app) { h.block(t) }, state: cloud.Refused, reason: cloud.RepeatRefused}, // it has ended
		"forbidden": {do: func(t *testing.T, h *house, _ *app) {
			h.policy(t, engine.PolicyAuthenticator, engine.MethodPolicy{})
		}, state: cloud.Refused, reason: cloud.NotAllowed},
		"too late": {do: func(_ *testing.T, h *house, _ *app) { h.Advance(3 * time.Minute) }, state: cloud.Expired, reason: cloud.TimedOut},
		"removed": {do: func(t *testing.T, h *house, a *app) {
			if err := h.DismissDevice(t.Context(), engine.Owner{User: a.got.User}, a.got.Device, true); err != nil {
				t.Fatal(err)
			}
		}, kind: cloud.Denied},
		"gone": {do: func(t *testing.T, h *house, a *app) {
			if _, err := h.ErasePerson(t.Context(), operator, a.got.User); err != nil {
				t.Fatal(err)
			}
		}, kind: cloud.NotFound},
	} {
		h := build(t)
		h.set(t, func(s *engine.Settings) { s.PIN = true })
		id := h.user(t, 1)
		a := h.enrolledWith(t, id, "one", "2739")
		c0 := h.ask(t, id, nil)
		e, m := meddled(t, h)
		s := a.with(t, c0.ID, "2739", h.Now())
		m.after, m.do = 1, func() { c.do(t, h, a) }
		p, err := e.Press(t.Context(), s)
		if cloud.KindOf(err) != c.kind || c.kind == cloud.Internal && (err != nil || p.State != c.state || p.Reason != c.reason || p.PIN != c.pin) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if m.do != nil {
			t.Errorf("%s: nothing happened meanwhile", name)
		}
	}
}

// Of two who set a PIN at the same moment the later one has to know the other's.
func TestPINsAreSetAtOnce(t *testing.T) {
	for _, old := range []string{"", "2739"} {
		h := build(t)
		id := h.user(t, 1)
		a := h.enrolled(t, id, "one")
		if old != "" {
			a.setPIN(t, h, old, "")
		}
		e, m := meddled(t, h)
		n := engine.NewPIN{User: id, Device: a.got.Device, PIN: secret.FromString("8624"), Old: secret.FromString(old), At: h.Now()}
		if old == "" {
			n.Old = secret.Bytes{}
		}
		n.Signature = a.sign(t, signature.PIN(id, a.got.Device, secret.FromString("8624"), secret.FromString(old), n.At))
		m.after, m.do = 1, func() {
			if state := a.setPIN(t, h, "5182", old); state != "" {
				t.Fatal(state)
			}
		}
		if state, _, err := e.SetPIN(t.Context(), n); err != nil || state != engine.PINNeeded {
			t.Errorf("after %q: %q, %v", old, state, err)
		}
		if state := a.setPIN(t, h, "7351", "5182"); state != "" {
			t.Errorf("after %q: the PIN is not the one that was set first: %q", old, state)
		}
	}
}

// An old PIN proves nothing at a device that has none.
func TestOldPINOfADeviceWithoutOne(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolled(t, id, "one")
	if state := a.setPIN(t, h, "5182", "2739"); state != engine.PINNeeded {
		t.Errorf("%q", state)
	}
	if o, err := h.Owned(t.Context(), id); err != nil || o.Devices[0].PIN {
		t.Errorf("it has one now: %+v, %v", o, err)
	}
}

func TestWhoRequiresPINs(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	a := h.enrolledWith(t, id, "one", "2739")
	if err := h.RequirePIN(t.Context(), engine.Actor{}, id, true, true); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("somebody without a name: %v", err)
	}
	if err := h.RequirePIN(t.Context(), operator, "nobody", true, true); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("of nobody: %v", err)
	}
	for _, reset := range []bool{false, true} {
		if err := h.RequirePIN(t.Context(), operator, id, true, reset); err != nil {
			t.Fatal(err)
		}
		if last := h.lastEntry(t); last.Action != "user.pin" || (last.Detail == "required=true reset=true") != reset {
			t.Errorf("the audit says %+v", last)
		}
		if o, err := h.Owned(t.Context(), id); err != nil || o.Devices[0].PIN == reset {
			t.Errorf("reset %t: %+v, %v", reset, o, err)
		}
	}
	h.administrator(t, id)
	err := h.RequirePIN(t.Context(), engine.Actor{Who: "desk", Reason: "asked", Desk: true}, id, false, true)
	denied(t, "a helpdesk, of who administers", err)
	if state := a.setPIN(t, h, "5182", ""); state != "" {
		t.Errorf("a new PIN: %q", state)
	}
}

// swallowing is a Sender that takes everything, and calls everywhere.
type swallowing struct{}

func (swallowing) Send(context.Context, engine.Message) error { return nil }
func (swallowing) Delivers() bool                             { return true }
func (swallowing) Opens(string) bool                          { return true }

// A way that is forbidden after somebody was asked is worth nothing any more: to
// whoever asks again, and to whoever answers.
func TestForbiddenBetweenQuestionAndAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		way  cloud.Preference
		line engine.PolicyMethod
		ok   bool
	}{
		"a text":               {cloud.SMS, engine.PolicySMS, false},
		"a mail":               {cloud.EmailCode, engine.PolicyEmail, false},
		"a call":               {cloud.VoiceMobile, engine.PolicyVoice, false},
		"a push":               {cloud.Push, engine.PolicyAuthenticator, false},
		"a code":               {cloud.OATHCode, engine.PolicySoftwareOATH, false},
		"a code, no token":     {cloud.OATHCode, engine.PolicyHardwareOATH, true},
		"a text, but no calls": {cloud.SMS, engine.PolicyVoice, true},
		"a call, but no texts": {cloud.VoiceMobile, engine.PolicySMS, true},
	} {
		h := build(t)
		e, _ := enginetest.Open(t, h.path, engine.Config{Now: h.Now, Senders: map[cloud.Preference]engine.Sender{
			cloud.SMS: swallowing{}, cloud.EmailCode: swallowing{}, cloud.VoiceMobile: swallowing{}}})
		id := h.coded(t, 1)
		h.activate(t, id)
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550142")},
			cloud.Change{User: id, Op: cloud.Add, Method: cloud.Email, After: cloud.TextValue("ada@fabrikam.example")})
		if err := h.ConfirmEmail(t.Context(), operator, id); err != nil {
			t.Fatal(err)
		}
		r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3, Key: "login", Method: c.way, Client: cloud.Client{App: "vpn", Station: "a"}}
		begun, err := e.Begin(t.Context(), r)
		if err != nil || begun.State != cloud.Pending || begun.Method != c.way {
			t.Fatalf("%s: %+v, %v", name, begun, err)
		}
		other := r
		other.Key, other.Client.Station = "", "b"
		waits, err := e.Begin(t.Context(), other)
		if err != nil || waits.State != cloud.Pending {
			t.Fatalf("%s: %+v, %v", name, waits, err)
		}
		h.policy(t, c.line, engine.MethodPolicy{})
		again, err := e.Begin(t.Context(), r)
		if err != nil || again.ID != begun.ID || (again.State == cloud.Pending) != c.ok || !c.ok && again.Reason != cloud.NotAllowed {
			t.Errorf("%s: asked again: %+v, %v", name, again, err)
		}
		if c.way == cloud.Push || c.way == cloud.VoiceMobile { // nothing that is typed answers them
			continue
		}
		d, err := e.Answer(t.Context(), cloud.Answer{Challenge: waits.ID, Code: secret.FromString("x")})
		if err != nil || (d.State == cloud.Pending) != c.ok || !c.ok && (d.State != cloud.Refused || d.Reason != cloud.NotAllowed) {
			t.Errorf("%s: answered: %+v, %v", name, d, err)
		}
		if last := h.lastEntry(t); !c.ok && (last.Action != "verify.denied" || !strings.Contains(last.Detail, string(waits.ID))) {
			t.Errorf("%s: the audit says %+v", name, last)
		}
	}
}

// A call that rings at a number which the user has not any more is answered by
// somebody else, as a text that went there is.
func TestCallToANumberThatWasChanged(t *testing.T) {
	for name, c := range map[string]struct {
		change cloud.Change
		state  cloud.State
	}{
		"the number that rings": {cloud.Change{Op: cloud.Update, Method: cloud.Mobile, Before: cloud.TextValue("+1 4255550142"), After: cloud.TextValue("+1 4255550143")}, cloud.Refused},
		"no number":             {cloud.Change{Op: cloud.Remove, Method: cloud.Mobile, Before: cloud.TextValue("+1 4255550142")}, cloud.Refused},
		"another number":        {cloud.Change{Op: cloud.Add, Method: cloud.Office, After: cloud.TextValue("+1 4255550144")}, cloud.Approved},
	} {
		h := build(t)
		e, _ := enginetest.Open(t, h.path, engine.Config{Now: h.Now, Senders: map[cloud.Preference]engine.Sender{cloud.VoiceMobile: swallowing{}}})
		id := h.texted(t, 1, "+1 4255550142")
		begun, err := e.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3, Method: cloud.VoiceMobile})
		if err != nil || begun.State != cloud.Pending {
			t.Fatalf("%s: %+v, %v", name, begun, err)
		}
		c.change.User = id
		h.write(t, cloud.Change{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, Before: cloud.TextValue(string(h.read(t, id).Default))}, c.change)
		if known, err := e.Keyed(t.Context(), engine.NoteName(engine.ChannelVoice, engine.PublicID(string(begun.ID))), engine.CallConfirmed); err != nil || !known {
			t.Fatalf("%s: %t, %v", name, known, err)
		}
		ds, err := e.Look(t.Context(), []cloud.ChallengeID{begun.ID})
		if err != nil || ds[0].State != c.state {
			t.Errorf("%s was changed: %+v, %v", name, ds, err)
		}
	}
}

// An answer that was given is given again, but for an approval of somebody who
// may not verify any more.
func TestRecordedAnswers(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	c := h.ask(t, id, nil)
	answers := func(key string, code secret.Bytes, state cloud.State, reason cloud.Reason) {
		t.Helper()
		if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: code, Key: key}); err != nil || d.State != state || d.Reason != reason {
			t.Errorf("%+v, %v; want %s, %q", d, err, state, reason)
		}
	}
	answers("wrong", secret.FromString("x"), cloud.Pending, cloud.WrongCode)
	answers("right", h.shows(1, 0), cloud.Approved, "")
	h.block(t)
	answers("wrong", secret.FromString("x"), cloud.Pending, cloud.WrongCode)
	answers("right", secret.FromString("x"), cloud.Refused, cloud.UserBlocked)
	if err := h.Unblock(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	answers("right", secret.FromString("x"), cloud.Approved, "")
	h.Advance(cloud.RepeatWindow + 1)
	answers("right", secret.FromString("x"), cloud.Refused, cloud.RepeatRefused)

	h.Advance(time.Minute)
	c = h.ask(t, id, nil)
	h.Advance(3 * time.Minute)
	answers("", h.shows(1, 0), cloud.Expired, cloud.TimedOut)
	if last := h.lastEntry(t); last.Action != "verify.expired" || last.Subject != string(id) || !strings.Contains(last.Detail, string(c.ID)) {
		t.Errorf("the audit says %+v", last)
	}
}

// A caller's stream tells of what it began itself.
func TestStreamsAreApart(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream := h.As("shim-2").Decisions(ctx)
	begin := func(name string) cloud.ChallengeID {
		c, err := h.As(name).Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1, Code: secret.FromString("x")})
		if err != nil || c.State != cloud.Refused {
			t.Fatalf("%+v, %v", c, err)
		}
		return c.ID
	}
	begin("shim-1")
	mine := begin("shim-2")
	heard := false
	for d, err := range stream {
		if heard = true; err != nil || d.Challenge != mine {
			t.Errorf("%+v, %v; want %s", d, err, mine)
		}
		break
	}
	if !heard {
		t.Error("nothing is told")
	}
}

// A report of fraud ends what an administrator has allowed.
func TestFraudEndsABypass(t *testing.T) {
	h := build(t)
	h.SetFraud(engine.Fraud{Block: time.Hour})
	id := h.coded(t, 1)
	device := h.activate(t, id)
	h.bypass(t, id, "citrix")
	if last := h.lastEntry(t); last.Action != "user.bypass" || !strings.Contains(last.Detail, `app="citrix"`) {
		t.Errorf("the audit says %+v", last)
	}
	c := h.ask(t, id, nil)
	if _, err := h.press(t, engine.Response{User: id, Device: device, Challenge: c.ID, Answer: engine.PushFraud}); err != nil {
		t.Fatal(err)
	}
	if err := h.Unblock(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	if c := h.ask(t, id, func(r *cloud.Request) { r.Client.App = "citrix" }); c.Bypassed || c.State != cloud.Pending {
		t.Errorf("%+v", c)
	}
}
