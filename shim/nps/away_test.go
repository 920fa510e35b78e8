package nps_test

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/session"
	"mfabridge/internal/secret"
	"mfabridge/shim/nps"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// quiet is a server that answers no login: it is dead, or a person keeps it
// waiting.
type quiet struct{ lives atomic.Bool } // it answers Status-Server

func (q *quiet) dial(context.Context, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		key, buf := radius.NewSecret([]byte(word)), make([]byte, radius.MaxLength)
		for {
			n, err := theirs.Read(buf)
			if err != nil {
				return
			}
			p, err := radius.Parse(append([]byte(nil), buf[:n]...))
			if err != nil || p.Code() != radius.StatusServer || !q.lives.Load() {
				continue
			}
			w := radius.NewReply(nil, radius.AccessAccept, p)
			if b, err := key.SealReply(&w, p); err == nil {
				_, _ = theirs.Write(b) // nobody waits for it any more
			}
		}
	}()
	return ours, nil
}

func (q *quiet) verifier(t *testing.T, noStatus bool) (v *session.Verifier, end func()) {
	c, err := upstream.New(upstream.Options{Homes: []upstream.Home{{Address: "nps.example:1812", Secret: secret.FromString(word), NoStatus: noStatus}},
		Dial: q.dial, Patience: nps.Life, First: 5 * time.Second, Vigil: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	v = session.New(session.Options{Service: nps.New(nps.Options{Client: c}), Who: session.ByName, Loud: true, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	return v, func() { _ = v.Close(); c.Close() }
}

// stands is where a challenge stands, and what speaks against the server.
func stands(t *testing.T, v *session.Verifier, id cloud.ChallengeID) (cloud.State, error) {
	t.Helper()
	ds, err := v.Look(t.Context(), []cloud.ChallengeID{id})
	if err != nil {
		t.Fatal(err)
	}
	return ds[0].State, v.Outage(id)
}

var waits = cloud.Request{Subject: cloud.Key{Kind: cloud.ByUPN, Value: "ada@contoso.example"}, Tries: 1, Key: "one login"}

func begin(t *testing.T, v *session.Verifier) cloud.ChallengeID {
	t.Helper()
	c, err := v.Begin(t.Context(), waits)
	if err != nil || c.State != cloud.Pending {
		t.Fatalf("%+v, %v", c, err)
	}
	return c.ID
}

// A server that is dead decides nothing, and counts for nothing against the
// person, who begins anew as often as it takes.
func TestDeadServerIsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := new(quiet)
		v, end := q.verifier(t, false)
		defer end()
		for range 6 {
			id := begin(t, v)
			time.Sleep(20 * time.Second)
			if _, away := stands(t, v, id); cloud.KindOf(away) != cloud.Unavailable {
				t.Fatalf("nothing speaks against it: %v", away)
			}
			if v.Ready(t.Context()) == nil {
				t.Error("it is ready")
			}
			time.Sleep(nps.Life - 20*time.Second + time.Second)
			if again := begin(t, v); again == id {
				t.Fatal("an equal request gets what nobody has decided")
			}
			time.Sleep(nps.Life + time.Second)
		}
		q.lives.Store(true)
		time.Sleep(2 * upstream.DefaultProbe)
		if err := v.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A server that lives has a person who answers nothing: that is a decision, and
// the person was bothered.
func TestLiveServerWaitsForAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := new(quiet)
		q.lives.Store(true)
		v, end := q.verifier(t, false)
		defer end()
		for range 3 {
			id := begin(t, v)
			time.Sleep(45 * time.Second)
			if state, away := stands(t, v, id); state != cloud.Pending || away != nil {
				t.Fatalf("%s, %v", state, away)
			}
			time.Sleep(nps.Life - 45*time.Second)
			if state, away := stands(t, v, id); state != cloud.Expired || away != nil {
				t.Fatalf("%s, %v", state, away)
			}
			if c, err := v.Begin(t.Context(), waits); err != nil || c.ID != id {
				t.Errorf("an equal request: %+v, %v", c, err)
			}
			time.Sleep(time.Minute)
		}
		if c, err := v.Begin(t.Context(), waits); err != nil || c.Reason != cloud.TooManyTries {
			t.Errorf("%+v, %v", c, err)
		}
		if v.Ready(t.Context()) != nil {
			t.Error("it is not ready")
		}
	})
}

// Of a server that answers no Status-Server a first silence may be a person's;
// once it has lasted for a whole login, those that come after know.
func TestServerWithoutStatusServerIsDoubtedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, end := new(quiet).verifier(t, true)
		defer end()
		id := begin(t, v)
		time.Sleep(45 * time.Second)
		if state, away := stands(t, v, id); state != cloud.Pending || away != nil {
			t.Errorf("%s, %v", state, away)
		}
		time.Sleep(nps.Life - 45*time.Second)
		if state, away := stands(t, v, id); state != cloud.Expired || away == nil {
			t.Errorf("%s, %v", state, away)
		}
		time.Sleep(time.Minute)
		id = begin(t, v)
		if state, away := stands(t, v, id); state != cloud.Pending || away == nil {
			t.Errorf("the next login: %s, %v", state, away)
		}
	})
}
