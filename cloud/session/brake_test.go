package session_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/session"
	"mfabridge/internal/secret"
)

// fail makes guesses that are wrong, and returns how many were let through.
func fail(b *session.Brake, user cloud.UserID, c cloud.Client, proven bool, tries int) (made int) {
	for range tries {
		if done, ok := b.Try(user, c, proven); ok {
			made++
			done(session.Failed)
		}
	}
	return made
}

func TestBrake(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	b := session.NewBrake(func() time.Time { return now })
	here, there := cloud.Client{Station: "10.1.2.3"}, cloud.Client{Address: netip.MustParseAddr("192.0.2.1")}
	if n := fail(b, "ada", here, false, 100); n != 5 {
		t.Errorf("%d guesses at once", n)
	}
	if !b.Shut("ada", here, false) || b.Shut("ada", there, true) || b.Shut("grace", here, true) {
		t.Error("the wrong ones are shut out")
	}
	made := 0
	for end := now.Add(24 * time.Hour); now.Before(end); now = now.Add(time.Second) {
		made += fail(b, "ada", here, false, 1)
	}
	if made > 24*4+10 {
		t.Errorf("%d guesses in a day", made)
	}
	now = now.Add(24 * time.Hour)
	if n := fail(b, "ada", here, false, 100); n != 5 {
		t.Errorf("%d guesses after a day of peace", n)
	}
	now = now.Add(-7 * 24 * time.Hour)
	if b.Shut("ada", here, false) {
		t.Error("a clock that was set back locks out")
	}
}

func TestBrakeOfAProvenUser(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	b := session.NewBrake(func() time.Time { return now })
	made := 0
	for i := range 100 {
		made += fail(b, "ada", cloud.Client{Station: fmt.Sprint(i)}, true, 5)
	}
	if made != 50 {
		t.Errorf("%d guesses from everywhere", made)
	}
	if b.Shut("ada", cloud.Client{Station: "home"}, false) {
		t.Error("a name that was only typed is locked out by it")
	}
	now = now.Add(time.Hour)
	done, ok := b.Try("ada", cloud.Client{Station: "1"}, true)
	if !ok {
		t.Fatal("an hour later")
	}
	done(session.Passed)
	if n := fail(b, "ada", cloud.Client{Station: "1"}, true, 100); n != 5 {
		t.Errorf("%d guesses after a success", n)
	}
}

// Many guesses at once are no more than one after the other, and what came to
// no verdict costs nothing.
func TestBrakeAtOnce(t *testing.T) {
	b := session.NewBrake(time.Now)
	var dones []func(session.Outcome)
	for range 100 {
		if done, ok := b.Try("ada", cloud.Client{}, true); ok {
			dones = append(dones, done)
		}
	}
	if len(dones) != 5 {
		t.Fatalf("%d at once", len(dones))
	}
	for _, done := range dones {
		done(session.Unknown)
	}
	if n := fail(b, "ada", cloud.Client{}, true, 100); n != 5 {
		t.Errorf("%d after five without a verdict", n)
	}
}

// Names that are made up do not push out who has guessed.
func TestBrakeForgetsWhoHasFailedLeast(t *testing.T) {
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	b := session.NewBrake(func() time.Time { return at })
	fail(b, "ada", cloud.Client{}, false, 5)
	for i := range 120_000 {
		fail(b, cloud.UserID(fmt.Sprint(i)), cloud.Client{}, false, 1)
	}
	if !b.Shut("ada", cloud.Client{}, false) {
		t.Error("forgotten")
	}
}

// Guessing on many challenges, one try each and all at once, reaches the service
// five times.
func TestGuessesOnManyChallenges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		v := open(t, s, 0)
		var ids []cloud.ChallengeID
		for range 50 {
			c, err := v.Begin(t.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: "ada@contoso.example"}, Tries: 1})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, c.ID)
		}
		var all sync.WaitGroup
		for _, id := range ids[1:] {
			all.Go(func() {
				if d, err := v.Answer(t.Context(), cloud.Answer{Challenge: id, Code: secret.FromString("0")}); err != nil || d.State != cloud.Refused {
					t.Errorf("%+v, %v", d, err)
				}
			})
		}
		all.Wait()
		if n := s.codes.Load(); n != 5 {
			t.Errorf("the service heard of %d codes", n)
		}
		if d, err := v.Answer(t.Context(), cloud.Answer{Challenge: ids[0], Code: secret.FromString("1")}); err != nil || d.State != cloud.Refused || d.Reason != cloud.TooManyTries {
			t.Errorf("the right code while slowed down: %+v, %v", d, err)
		}
		r := request("ada@contoso.example")
		r.Code = secret.FromString("1")
		if c, err := v.Begin(t.Context(), r); err != nil || c.State != cloud.Refused || c.Reason != cloud.TooManyTries {
			t.Errorf("with the request: %+v, %v", c, err)
		}
		r.Client.Station = "elsewhere"
		if c, err := v.Begin(t.Context(), r); err != nil || c.State != cloud.Approved {
			t.Errorf("from elsewhere: %+v, %v", c, err)
		}
		_ = v.Close()
	})
}

// A request that brings a code is decided by that code alone: not by a person
// who presses, nor by a service that lets in without asking.
func TestCodeDecidesAlone(t *testing.T) {
	for _, begun := range []session.Turn{{State: cloud.Approved}, {State: cloud.Approved, Method: cloud.Push},
		{State: cloud.Pending, Method: cloud.Push, Again: time.Second, Life: time.Minute}, {State: cloud.Pending, Method: cloud.VoiceMobile}} {
		synctest.Test(t, func(t *testing.T) {
			v := open(t, &service{begun: &begun}, 0)
			r := request("ada@contoso.example")
			r.Code = secret.FromString("1")
			if c, err := v.Begin(t.Context(), r); err != nil || c.State != cloud.Refused {
				t.Errorf("%+v: %+v, %v", begun, c, err)
			}
			_ = v.Close()
		})
	}
}

// A service that presses although a code was wished for lets nobody in by it
// while pushes are too many.
func TestTiredOfAServiceThatPresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{again: time.Second}
		v := open(t, s, 0)
		for i := range 5 {
			r := request("ada@contoso.example")
			r.Client.Station = fmt.Sprint(i)
			c, err := v.Begin(t.Context(), r)
			if err != nil || (c.State == cloud.Pending) != (i < 3) {
				t.Fatalf("%d: %+v, %v", i, c, err)
			}
			if i >= 3 && (c.Reason != cloud.TooManyTries || s.wished.Load() != cloud.OATHCode) {
				t.Errorf("%d: %+v, asked for %v", i, c, s.wished.Load())
			}
		}
		s.stand.Store(&session.Turn{State: cloud.Approved})
		time.Sleep(2 * time.Second)
		if c, err := v.Begin(t.Context(), request("ada@contoso.example")); err != nil || c.State != cloud.Pending {
			t.Errorf("after approvals: %+v, %v", c, err)
		}
		_ = v.Close()
	})
}
