package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/internal/secret"
)

// texted is a user who is asked by text.
func (h *house) texted(t *testing.T, n int, phone string) cloud.UserID {
	t.Helper()
	id := h.user(t, n)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue(phone)},
		cloud.Change{User: id, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue(string(cloud.SMS))})
	return id
}

func TestTextsAreLimited(t *testing.T) {
	for name, c := range map[string]struct {
		texts engine.Texts
		users int    // who share a number
		free  int    // texts before it says no
		say   string // what the user is told then
	}{
		"a user":       {engine.Texts{TenantHour: 60, NumberHour: 100, NumberDay: 100}, 1, 3, "limit on text codes"},
		"a user a day": {engine.Texts{TenantDay: 60, NumberHour: 100, NumberDay: 100}, 1, 3, "limit on text codes"},
		"a number":     {engine.Texts{NumberHour: 4}, 3, 4, "trouble verifying"},
		"everybody":    {engine.Texts{TenantHour: 5, NumberHour: 100}, 5, 5, "limit on text codes"},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			h.texts = c.texts
			h.Reopen(t)
			var ids []cloud.UserID
			for n := range c.users {
				ids = append(ids, h.texted(t, n+1, "+44 2079460000"))
			}
			var last cloud.Challenge
			for i := range c.free {
				if last = h.ask(t, ids[i%c.users], nil); last.State != cloud.Pending || last.Method != cloud.SMS {
					t.Fatalf("text %d: %+v", i, last)
				}
			}
			victim := ids[c.free%c.users]
			got := h.ask(t, victim, nil)
			if got.State != cloud.Refused || got.Reason != cloud.TooManyTries || !strings.Contains(got.Prompt, c.say) {
				t.Fatalf("one more: %+v", got)
			}
			// The login that is open goes on, and so do other ways.
			text := h.sent(t, last.ID).Text
			code := text[strings.Index(text, " is ")+4:][:6]
			if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: last.ID, Code: secret.FromString(code)}); err != nil || d.State != cloud.Approved {
				t.Errorf("the login that was open: %+v, %v", d, err)
			}
			h.write(t, cloud.Change{User: victim, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}})
			if got := h.ask(t, victim, nil); got.State != cloud.Pending || got.Method != cloud.OATHCode {
				t.Errorf("with a generator: %+v", got)
			}
			h.Advance(25 * time.Hour)
			if got := h.ask(t, victim, nil); got.Method != cloud.SMS {
				t.Errorf("a day later: %+v", got)
			}
		})
	}
}

// Whoever types a name without having proven anything gets few texts sent from
// one station, and none of it stops the owner elsewhere.
func TestUnprovenTextsAreFew(t *testing.T) {
	h := build(t)
	id := h.texted(t, 1, "+44 2079460000")
	outside := func(r *cloud.Request) {
		r.Subject, r.Client.Station = cloud.Key{Kind: cloud.ByName, Value: "user1@contoso.example"}, "outside"
	}
	for n := range 5 {
		if c := h.ask(t, id, outside); c.State != cloud.Pending {
			t.Fatalf("text %d: %+v", n, c)
		}
	}
	if c := h.ask(t, id, outside); c.Reason != cloud.TooManyTries || !strings.Contains(c.Prompt, "trouble verifying") {
		t.Errorf("one more: %+v", c)
	}
	if c := h.ask(t, id, nil); c.State != cloud.Pending {
		t.Errorf("the owner: %+v", c)
	}
}

// Whoever asks from many places without having proven anything uses up what an
// hour or a day has for such requests, and nothing for who has proven to be the user.
func TestUnprovenMessagesUseUpNothingOfTheOwner(t *testing.T) {
	for _, way := range []cloud.Preference{cloud.SMS, cloud.EmailCode} {
		h := build(t)
		id := h.mailed(t, 1)
		h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+44 2079460000")})
		name := h.read(t, id).UPN
		asks := func(n int) cloud.Challenge {
			return h.ask(t, id, func(r *cloud.Request) {
				r.Method, r.Subject, r.Client.Station = way, cloud.Key{Kind: cloud.ByName, Value: name}, fmt.Sprint("place ", n/5)
			})
		}
		if err := h.ConfirmEmail(t.Context(), operator, id); err != nil {
			t.Fatal(err)
		}
		sent := 0
		for hour := range 5 { // of one day
			for n := range 30 {
				if asks(n).State == cloud.Pending {
					sent++
				}
			}
			if c := h.ask(t, id, func(r *cloud.Request) { r.Method = way }); c.State != cloud.Pending {
				t.Errorf("%s, hour %d: the owner: %+v", way, hour, c)
			}
			h.Advance(time.Hour)
		}
		if want := map[cloud.Preference]int{cloud.SMS: 30, cloud.EmailCode: 50}[way]; sent != want {
			t.Errorf("%s: %d were sent to who has proven nothing, want %d", way, sent, want)
		}
	}
}

// Wrong codes for one text lock no other: neither the login that is open nor
// codes of a generator.
func TestLockedTextsLockNothingElse(t *testing.T) {
	h := build(t)
	id := h.texted(t, 1, "+44 2079460000")
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}})
	open := h.ask(t, id, func(r *cloud.Request) { r.Client.App = "citrix" })
	for n := range 3 {
		c := h.ask(t, id, nil)
		for range 3 {
			if c.Method == cloud.SMS {
				if _, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(fmt.Sprint("x", n))}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if c := h.ask(t, id, func(r *cloud.Request) { r.Method = cloud.SMS }); c.Reason != cloud.TooManyTries {
		t.Errorf("a text that was wished for: %+v", c)
	}
	if c := h.ask(t, id, nil); c.Method != cloud.OATHCode || c.State != cloud.Pending {
		t.Errorf("the next login: %+v", c)
	}
	text := h.sent(t, open.ID).Text
	code := text[strings.Index(text, " is ")+4:][:6]
	if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: open.ID, Code: secret.FromString(code)}); err != nil || d.State != cloud.Approved {
		t.Errorf("the login that was open: %+v, %v", d, err)
	}
	h.login(t, id, cloudtest.Generator(1), cloud.Approved, "")
}
