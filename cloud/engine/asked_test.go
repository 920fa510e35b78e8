package engine_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/internal/secret"
)

// ringing counts calls, to countries that are open or not.
type ringing struct {
	open  bool
	calls int
}

func (r *ringing) Send(context.Context, engine.Message) error { r.calls++; return nil }
func (*ringing) Delivers() bool                               { return true }
func (r *ringing) Opens(string) bool                          { return r.open }

// Nobody is called in a country that is closed to calls, or more often than may
// be; who has another way is asked by that.
func TestCallsThatAreNotMade(t *testing.T) {
	for name, c := range map[string]struct {
		open  bool
		calls engine.Texts
		made  int
	}{
		"closed":   {false, engine.Texts{}, 0},
		"too many": {true, engine.Texts{NumberHour: 2}, 2},
	} {
		h := build(t)
		bell := &ringing{open: c.open}
		e, _ := enginetest.Open(t, h.path, engine.Config{Now: h.Now, Calls: c.calls, Senders: map[cloud.Preference]engine.Sender{cloud.VoiceMobile: bell}})
		id := h.coded(t, 1)
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+1 4255550142")})
		r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3, Method: cloud.VoiceMobile, Client: cloud.Client{App: "vpn", Station: "a"}}
		for n := range 4 {
			got, err := e.Begin(t.Context(), r)
			if err != nil || (got.State == cloud.Pending) != (n < c.made) || n >= c.made && (got.State != cloud.Refused || got.Reason != cloud.TooManyTries) {
				t.Errorf("%s, call %d: %+v, %v", name, n+1, got, err)
			}
		}
		if r.Method = ""; bell.calls != c.made {
			t.Errorf("%s: %d calls", name, bell.calls)
		}
		if got, err := e.Begin(t.Context(), r); err != nil || got.Method != cloud.OATHCode || got.State != cloud.Pending {
			t.Errorf("%s, by another way: %+v, %v", name, got, err)
		}
	}
}

// meanwhile is a Sender that fails, and does something before.
type meanwhile struct{ do func() }

func (m *meanwhile) Send(context.Context, engine.Message) error {
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return errors.New("the gateway is away")
}
func (*meanwhile) Delivers() bool { return true }

// A challenge that has ended while its message was on the way stays as it ended.
func TestUndeliverableAfterItsEnd(t *testing.T) {
	h := build(t)
	m := &meanwhile{}
	e, _ := enginetest.Open(t, h.path, engine.Config{Now: h.Now, Senders: map[cloud.Preference]engine.Sender{cloud.SMS: m}})
	id := h.texted(t, 1, "+1 4255550142")
	r := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3, Client: cloud.Client{App: "vpn", Station: "a"}}
	m.do = func() { // the same login once more: it takes the place of the first
		if c, err := h.Begin(t.Context(), r); err != nil || c.State != cloud.Pending {
			t.Errorf("%+v, %v", c, err)
		}
	}
	c, err := e.Begin(t.Context(), r)
	if err != nil || c.State != cloud.Expired || c.Reason != cloud.TimedOut {
		t.Fatalf("%+v, %v", c, err)
	}
	if ds, err := h.Look(t.Context(), []cloud.ChallengeID{c.ID}); err != nil || ds[0].State != cloud.Expired || ds[0].Reason != cloud.TimedOut {
		t.Errorf("%+v, %v", ds, err)
	}
}

// A place that is known until a time that nobody can have given is none: the
// clock has been set back.
func TestKnownPlaceOfASetBackClock(t *testing.T) {
	for back, want := range map[time.Duration]cloud.Reason{0: "", 2 * 24 * time.Hour: cloud.TooManyTries} {
		h := build(t)
		id := h.user(t, 1)
		_, word := h.pass(t, id, false)
		h.checkPass(t, id, word, "home", "")
		h.Advance(time.Minute - back)
		for i := range 50 {
			h.checkPass(t, id, secret.FromString("x"), time.Duration(i).String(), cloud.WrongCode)
		}
		h.checkPass(t, id, word, "elsewhere", cloud.TooManyTries)
		h.checkPass(t, id, word, "home", want)
	}
}

// A policy names a bounded number of groups that there are, for a method that
// there is.
func TestPoliciesThatAreRefused(t *testing.T) {
	h := build(t)
	group := h.group(t, "crew")
	before, err := h.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	many := func(n int) (groups []string) {
		for range n {
			groups = append(groups, group)
		}
		return groups
	}
	for name, c := range map[string]struct {
		by     engine.Actor
		method engine.PolicyMethod
		m      engine.MethodPolicy
		kind   cloud.Kind
	}{
		"no method":            {operator, "x", engine.MethodPolicy{}, cloud.Invalid},
		"a sign-in by calls":   {operator, engine.PolicyVoice, engine.MethodPolicy{SignIn: true}, cloud.Invalid},
		"sign-in for all":      {operator, engine.PolicyTextSignIn, engine.MethodPolicy{Enabled: true}, cloud.Invalid},
		"too many that may":    {operator, engine.PolicySMS, engine.MethodPolicy{Enabled: true, Include: many(101)}, cloud.Invalid},
		"too many that do not": {operator, engine.PolicySMS, engine.MethodPolicy{Enabled: true, Exclude: many(101)}, cloud.Invalid},
		"no group":             {operator, engine.PolicySMS, engine.MethodPolicy{Enabled: true, Exclude: []string{"none"}}, cloud.NotFound},
		"nobody":               {engine.Actor{}, engine.PolicySMS, engine.MethodPolicy{}, cloud.Invalid},
	} {
		if err := h.SetPolicy(t.Context(), c.by, c.method, c.m); cloud.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := h.Policy(t.Context()); err != nil || !reflect.DeepEqual(p, before) {
		t.Errorf("%+v, %v", p, err)
	}
	h.policy(t, engine.PolicySMS, engine.MethodPolicy{Enabled: true, Include: many(100), Exclude: many(100)})
	h.policy(t, engine.PolicyTextSignIn, engine.MethodPolicy{}) // off needs nobody
}

// Pushes that lie ahead of the clock by more than the window were sent before it
// was set back: they tire nobody.
func TestPushesAheadOfTheClock(t *testing.T) {
	for back, want := range map[time.Duration]cloud.Preference{9 * time.Minute: cloud.OATHCode, 11 * time.Minute: cloud.Push} {
		h := build(t)
		id := h.coded(t, 1)
		h.activate(t, id)
		for range 3 {
			if c := h.ask(t, id, nil); c.Method != cloud.Push {
				t.Fatalf("%+v", c)
			}
		}
		h.Advance(-back)
		if c := h.ask(t, id, nil); c.Method != want {
			t.Errorf("set back by %v: %+v", back, c)
		}
	}
}
