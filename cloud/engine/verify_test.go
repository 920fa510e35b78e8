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
	"mfabridge/cloud/engine/audit"
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
	// Who has proven nothing neither adds to the count nor ends it.
	if c, err := h.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: "user1@contoso.example"}, Tries: 1,
		Client: cloud.Client{Station: "street"}, Code: secret.FromString("x")}); err != nil || c.Reason != cloud.WrongCode {
		t.Fatalf("%+v, %v", c, err)
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
	c := h.ask(t, id, func(r *cloud.Request) { r.Client.Station, r.Code = "elsewhere", h.shows(1, 0) })
	if c.State != cloud.Approved {
		t.Errorf("from elsewhere: %+v", c)
	}
}

// A count of failures is forgotten a day after the last of them, and not before.
func TestFailuresAreForgotten(t *testing.T) {
	for after, want := range map[time.Duration]cloud.State{24 * time.Hour: cloud.Approved, 24*time.Hour - 1: cloud.Refused} {
		h := build(t)
		id := h.coded(t, 1)
		for _, wait := range []time.Duration{after, 0} {
			for range 4 { // one less than is free
				if c := h.ask(t, id, func(r *cloud.Request) { r.Tries, r.Code = 1, secret.FromString("x") }); wait > 0 && c.Reason != cloud.WrongCode {
					t.Fatalf("%+v", c)
				}
			}
			h.Advance(wait)
		}
		if c := h.try(t, id, cloudtest.Generator(1)); c.State != want {
			t.Errorf("%v later: %+v", after, c)
		}
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

// A block holds for the repeat of a login that still waits, and ends it.
func TestBlockEndsTheLoginThatIsRepeated(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	keyed := func(r *cloud.Request) { r.Key = "login" }
	c := h.ask(t, id, keyed)
	if err := h.Block(t.Context(), operator, id, h.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if again := h.ask(t, id, keyed); again.ID != c.ID || again.State != cloud.Refused || again.Reason != cloud.UserBlocked {
		t.Errorf("again: %+v", again)
	}
	if err := h.Unblock(t.Context(), operator, id); err != nil {
		t.Fatal(err)
	}
	if again := h.ask(t, id, keyed); again.ID != c.ID || again.Reason != cloud.UserBlocked {
		t.Errorf("after the block: %+v", again)
	}
	if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: h.shows(1, 0)}); err != nil || d.Reason != cloud.RepeatRefused {
		t.Errorf("the answer: %+v, %v", d, err)
	}
}

// What somebody has approved is the answer to the other legs of its login for a
// moment, by either clock, and to no later one.
func TestApprovedPushIsJoinedForAMoment(t *testing.T) {
	for _, off := range []time.Duration{cloud.JoinWindow, -cloud.JoinWindow, cloud.JoinWindow + 1, -cloud.JoinWindow - 1} {
		h := build(t)
		id := h.user(t, 1)
		device := h.activate(t, id)
		keyed := func(r *cloud.Request) { r.Key = "login" }
		h.Advance(time.Minute)
		c := h.ask(t, id, keyed)
		if d, err := h.press(t, engine.Response{User: id, Device: device, Challenge: c.ID, Answer: engine.PushApprove}); err != nil || d.State != cloud.Approved {
			t.Fatalf("%+v, %v", d, err)
		}
		h.Advance(off)
		joins := off.Abs() <= cloud.JoinWindow
		if again := h.ask(t, id, keyed); (again.ID == c.ID) != joins || (again.State == cloud.Approved) != joins {
			t.Errorf("%v later: %+v", off, again)
		}
	}
}

// What a caller says of itself is cut and cleaned before anybody reads it, and
// what it asks for has its bounds.
func TestWhatCallersSay(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	c := h.ask(t, id, func(r *cloud.Request) {
		r.Tries, r.Client.App, r.Client.Station = 1000, "vpn\x1b[2J\u202e\xff"+strings.Repeat("é", 100), "lap\ntop"
	})
	d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString("x")})
	if err != nil || d.TriesLeft != 9 {
		t.Errorf("%+v, %v", d, err)
	}
	last := h.lastEntry(t)
	if want := "vpn?[2J??" + strings.Repeat("é", 59); last.Actor != want || !strings.Contains(last.Detail, `lap?top`) {
		t.Errorf("the audit says %q, %s; want %q", last.Actor, last.Detail, want)
	}
	if _, err := h.Begin(t.Context(), cloud.Request{Tries: 1}); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("nobody: %v", err)
	}
	if _, err := h.Look(t.Context(), make([]cloud.ChallengeID, 1001)); cloud.KindOf(err) != cloud.Invalid {
		t.Errorf("too many challenges: %v", err)
	}
}

// lastEntry is the end of the audit.
func (h *house) lastEntry(t *testing.T) (last audit.Entry) {
	t.Helper()
	for entry, err := range h.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		last = entry
	}
	return last
}

// Who waits for verdicts hears of refusals too, at the first leg and at the last
// wrong code, and of nothing before that.
func TestRefusalsAreStreamed(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream := h.Decisions(ctx)
	h.ask(t, id, func(r *cloud.Request) { r.Code = secret.FromString("x") }) // tries are left
	first := h.ask(t, id, func(r *cloud.Request) { r.Tries, r.Code = 1, secret.FromString("x") })
	c := h.ask(t, id, func(r *cloud.Request) { r.Tries = 2 })
	for range 2 {
		if _, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString("x")}); err != nil {
			t.Fatal(err)
		}
	}
	want := []cloud.ChallengeID{first.ID, c.ID}
	for d, err := range stream {
		if err != nil || d.Challenge != want[0] || d.State != cloud.Refused || d.Reason != cloud.WrongCode {
			t.Fatalf("%+v, %v; want %s", d, err, want[0])
		}
		if want = want[1:]; len(want) == 0 {
			break
		}
	}
}

// An equal answer that was wrong costs no second try, also while others are left.
func TestWrongAnswerAgainCostsNoTry(t *testing.T) {
	h := build(t)
	c := h.ask(t, h.coded(t, 1), nil)
	for n := range 2 {
		d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString("x"), Key: "answer"})
		if err != nil || d.State != cloud.Pending || d.Reason != cloud.WrongCode || d.TriesLeft != 2 || d.Repeated != (n == 1) {
			t.Errorf("answer %d: %+v, %v", n, d, err)
		}
	}
}

// A push or call is answered elsewhere: what is typed costs it no try while it
// waits, and once it is over it is over.
func TestWhatIsTypedAtAPush(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	h.activate(t, id)
	c := h.ask(t, id, func(r *cloud.Request) { r.ShowsNumber = true })
	for _, typed := range []secret.Bytes{secret.FromString(c.Number), h.shows(1, 0), {}} {
		if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: typed}); err != nil || d.State != cloud.Pending || d.TriesLeft != 3 {
			t.Errorf("%+v, %v", d, err)
		}
	}
	h.Advance(3 * time.Minute)
	if d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID}); err != nil || d.State != cloud.Expired || d.Reason != cloud.TimedOut {
		t.Errorf("too late: %+v, %v", d, err)
	}
}

// A text is good for five minutes and five tries; an equal request sends another
// one as soon as it is no copy any more.
func TestLifeOfAText(t *testing.T) {
	h := build(t)
	id := h.texted(t, 1, "+1 4255550142")
	keyed := func(r *cloud.Request) { r.Key, r.Tries = "login", 10 }
	c := h.ask(t, id, keyed)
	if life := c.ExpiresAt.Sub(h.Now()); life != 5*time.Minute {
		t.Errorf("a life of %v", life)
	}
	d, err := h.Answer(t.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString("x")})
	if err != nil || d.TriesLeft != 4 {
		t.Errorf("%+v, %v", d, err)
	}
	h.Advance(cloud.RepeatWindow)
	if again := h.ask(t, id, keyed); again.ID != c.ID {
		t.Errorf("a copy: %+v", again)
	}
	h.Advance(1)
	if again := h.ask(t, id, keyed); again.ID == c.ID || again.State != cloud.Pending || len(h.messages(t)) != 2 {
		t.Errorf("later: %+v, %d messages", again, len(h.messages(t)))
	}
}

// Codes are read with the spaces that people type, and with nothing else.
func TestSpacesInCodes(t *testing.T) {
	h := build(t)
	id := h.coded(t, 1)
	code := string(h.shows(1, 0).Reveal())
	for _, typed := range []string{code[:3] + "-" + code[3:], code + "\n", code[:5], code + "0"} {
		if c := h.ask(t, id, func(r *cloud.Request) { r.Code = secret.FromString(typed) }); c.Reason != cloud.WrongCode {
			t.Errorf("%q: %+v", typed, c)
		}
	}
	if c := h.ask(t, id, func(r *cloud.Request) { r.Tries, r.Code = 1, secret.FromString(" "+code[:3]+" "+code[3:]+" ") }); c.State != cloud.Approved {
		t.Errorf("%+v", c)
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
	for range 4000 { // one in 128 clears old ones away: that none does has a chance of 1 in 10^13
		begin()
	}
	if got := state(); got != cloud.TimedOut {
		t.Errorf("after 16 minutes: %q", got)
	}
}

// Where nobody logs in any more they are forgotten as well.
func TestTidyForgetsOldChallenges(t *testing.T) {
	h := build(t)
	old := h.ask(t, h.user(t, 1), nil).ID
	left := func() (n int) {
		t.Helper()
		if err := h.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := h.store.View(t.Context(), func(r engine.Reader) error {
			found, err := r.ChallengesAfter("", 10)
			for _, c := range found {
				if c.ID == old {
					n++
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	h.Advance(14 * time.Minute)
	if left() != 1 {
		t.Error("it is gone after 14 minutes")
	}
	h.Advance(2 * time.Minute)
	if left() != 0 {
		t.Error("it is there after 16 minutes")
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
