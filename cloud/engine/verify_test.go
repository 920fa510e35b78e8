package engine_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/internal/secret"
)

// failing is a Sender that takes nothing.
type failing struct{}

func (failing) Send(context.Context, engine.Message) error { return errors.New("the gateway is away") }
func (failing) Delivers() bool                             { return true }

func TestUndeliverable(t *testing.T) {
	h := build(t)
	e, _ := enginetest.Open(t, h.path, engine.Config{Now: h.Now, Senders: map[cloud.Preference]engine.Sender{cloud.SMS: failing{}}})
	if caps, err := e.Capabilities(t.Context()); err != nil || len(caps.Telephony) != 1 {
		t.Errorf("telephony: %v, %v", caps.Telephony, err)
	}
	if caps, err := h.Capabilities(t.Context()); err != nil || len(caps.Telephony) != 0 {
		t.Errorf("an outbox counts as telephony: %v, %v", caps.Telephony, err)
	}
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+44 2079460000")})
	c, err := e.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3})
	if err != nil || c.State != cloud.Refused || c.Reason != cloud.Undeliverable {
		t.Fatalf("Begin: %+v, %v", c, err)
	}
	ds, err := h.Look(t.Context(), []cloud.ChallengeID{c.ID})
	if err != nil || ds[0].State != cloud.Refused || ds[0].Reason != cloud.Undeliverable {
		t.Errorf("Look: %+v, %v", ds, err)
	}
}

// Many outsiders close the gate for everybody only at ten times the bar.
func TestUserWideBar(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}})
	attack := func(station int) cloud.Reason {
		c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1,
			Client: cloud.Client{Station: time.Duration(station).String()}, Code: secret.FromString("x")})
		if err != nil {
			t.Fatal(err)
		}
		return c.Reason
	}
	for i := range 49 {
		if got := attack(i); got != cloud.WrongCode {
			t.Fatalf("outsider %d: %s", i, got)
		}
	}
	h.login(t, id, cloudtest.Generator(1), cloud.Approved, "")
	h.Advance(time.Minute)
	attack(50)
	away := cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1, Client: cloud.Client{Station: "away"}}
	away.Code = cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now())
	if c, err := h.Begin(t.Context(), away); err != nil || c.Reason != cloud.TooManyTries {
		t.Errorf("from elsewhere: %+v, %v", c, err)
	}
	h.login(t, id, cloudtest.Generator(1), cloud.Approved, "") // from where the user came in lately
	h.Advance(time.Minute)
	away.Code = cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now())
	if c, err := h.Begin(t.Context(), away); err != nil || c.State != cloud.Approved {
		t.Errorf("from elsewhere, later: %+v, %v", c, err)
	}
}

// Whoever knows a name and no more cannot lock its owner out, from however many
// stations they try: not where the code is all that is asked for, not with
// passwords, not between the legs of a login, and not by another way.
func TestOutsiderLocksNobodyOut(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	word := secret.FromString("correct horse battery")
	if err := h.SetPassword(t.Context(), operator, id, word); err != nil {
		t.Fatal(err)
	}
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}})
	typed := cloud.Key{Kind: cloud.ByName, Value: "user1@contoso.example"}
	home := cloud.Client{App: "vpn", Station: "home"}
	if p, err := h.CheckPassword(t.Context(), typed, word, home); err != nil || !p.OK {
		t.Fatalf("the password: %+v, %v", p, err)
	}
	pending, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 3, Client: home})
	if err != nil || pending.State != cloud.Pending {
		t.Fatalf("%+v, %v", pending, err)
	}
	for n := range 200 {
		outside := cloud.Client{App: "vpn", Station: fmt.Sprint("outside ", n)}
		c, err := h.Begin(t.Context(), cloud.Request{Subject: typed, Tries: 1, Client: outside, Code: secret.FromString("x")})
		if err != nil || c.Reason != cloud.WrongCode {
			t.Fatalf("outsider %d: %+v, %v", n, c, err)
		}
		if c, err = h.Begin(t.Context(), cloud.Request{Subject: typed, Tries: 3, Client: outside}); err != nil || c.State != cloud.Pending {
			t.Fatalf("outsider %d: %+v, %v", n, c, err)
		}
		if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString("x")}); err != nil || d.State != cloud.Pending {
			t.Fatalf("outsider %d: %+v, %v", n, d, err)
		}
		if n%4 == 0 { // hashing takes its time
			if p, err := h.CheckPassword(t.Context(), typed, secret.FromString("wrong password"), outside); err != nil || p.OK {
				t.Fatalf("outsider %d: %+v, %v", n, p, err)
			}
		}
	}
	code := func() secret.Bytes { return cloudtest.Code(cloudtest.Seed(1), cloudtest.Generator(1), h.Now()) }
	if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: pending.ID, Code: code()}); err != nil || d.State != cloud.Approved {
		t.Errorf("the login that was open: %+v, %v", d, err)
	}
	h.Advance(30 * time.Second)
	if p, err := h.CheckPassword(t.Context(), typed, word, home); err != nil || !p.OK {
		t.Errorf("the password: %+v, %v", p, err)
	}
	for _, subject := range []cloud.Key{typed, {Kind: cloud.ByID, Value: string(id)}} {
		for _, client := range []cloud.Client{home, {App: "vpn", Station: "hotel"}} {
			c, err := h.Begin(t.Context(), cloud.Request{Subject: subject, Tries: 1, Client: client, Code: code()})
			if err != nil || c.State != cloud.Approved {
				t.Errorf("from %s as %s: %+v, %v", client.Station, subject.Kind, c, err)
			}
			h.Advance(30 * time.Second)
		}
	}
}

// What a user mistypes and then gets right never adds up to the user-wide bar.
func TestOwnMistakesDoNotAddUp(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(1)}})
	for range 60 {
		h.login(t, id, cloudtest.Generator(2), cloud.Refused, cloud.WrongCode)
		h.login(t, id, cloudtest.Generator(1), cloud.Approved, "")
		h.Advance(30 * time.Second)
	}
}

func TestLimitsGrow(t *testing.T) {
	last := time.Unix(1000, 0)
	for count, want := range map[int]time.Duration{5: 5 * time.Second, 6: 10 * time.Second, 7: 20 * time.Second, 12: 640 * time.Second, 13: 15 * time.Minute, 1000: 15 * time.Minute} {
		if got := (engine.Limits{}).Until(engine.Failures{Count: count, Last: last}, 5).Sub(last); got != want {
			t.Errorf("%d failures: %s, want %s", count, got, want)
		}
	}
	if got := (engine.Limits{}).Until(engine.Failures{Count: 4, Last: last}, 5); !got.IsZero() {
		t.Errorf("4 failures: %s", got)
	}
}

// A reader that does not keep up loses its stream and nobody waits for it.
func TestSlowReaderLosesItsStream(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	slow := h.Decisions(t.Context())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 600 {
				if _, err := h.Begin(context.Background(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	var last error
	n := 0
	for _, err := range slow {
		n++
		last = err
	}
	if last == nil || cloud.KindOf(last) != cloud.Unavailable || n < 1000 {
		t.Errorf("after %d decisions: %v", n, last)
	}
}

// Old challenges are forgotten while new ones are begun.
func TestOldChallengesAreForgotten(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	begin := func() cloud.ChallengeID {
		c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1})
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	old := begin()
	h.Advance(14 * time.Minute)
	for range 500 {
		begin()
	}
	state := func() cloud.Reason {
		ds, err := h.Look(t.Context(), []cloud.ChallengeID{old})
		if err != nil {
			t.Fatal(err)
		}
		return ds[0].Reason
	}
	if got := state(); got != cloud.NoMethod {
		t.Errorf("after 14 minutes: %q", got)
	}
	h.Advance(2 * time.Minute)
	for range 1000 {
		begin()
	}
	if got := state(); got != cloud.TimedOut {
		t.Errorf("after 16 minutes: %q", got)
	}
}

// Whoever guesses names of users that are not there leaves counts of failures:
// they go away although no challenge is begun.
func TestCountsOfUnknownNamesAreForgotten(t *testing.T) {
	h := build(t)
	guess := func(n int) {
		t.Helper()
		_, err := h.CheckPassword(t.Context(), cloud.Key{Kind: cloud.ByName, Value: fmt.Sprint("nobody", n)}, secret.FromString("password"), cloud.Client{})
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := range 20 {
		guess(n)
	}
	h.Advance(24*time.Hour + time.Second)
	guess(20)
	db, err := sql.Open("sqlite3", "file:"+h.path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var counts int
	if err := db.QueryRow("SELECT count(*) FROM failures").Scan(&counts); err != nil {
		t.Fatal(err)
	}
	if counts != 3 { // of the last guess: at its place, everywhere, and of all names that are nobody's
		t.Errorf("%d counts of failures are kept", counts)
	}
}

// A login that is still at work when the engine is closed, as after a drain
// that gave up, is judged as any other.
func TestCloseLeavesRunningCallsAlone(t *testing.T) {
	h := build(t)
	id := h.user(t, 1)
	h.write(t, cloud.Change{User: id, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue("+44 2079460000")})
	c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(id)}, Tries: 1})
	if err != nil || c.Method != cloud.SMS {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := h.Engine.Close(); err != nil {
		t.Fatal(err)
	}
	text := h.sent(t, c.ID).Text
	code := text[strings.Index(text, " is ")+4:][:6]
	d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(code)})
	if err != nil || d.State != cloud.Approved {
		t.Errorf("%+v, %v", d, err)
	}
}
