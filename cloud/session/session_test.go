package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/session"
	"mfabridge/internal/secret"
)

// service takes the code "1" and answers looks as it was told.
type service struct {
	again time.Duration
	looks atomic.Int32
	stand atomic.Pointer[session.Turn]
	fail  error

	begun  *session.Turn // instead
	codes  atomic.Int32
	wished atomic.Value // cloud.Preference
}

func (s *service) Begin(_ context.Context, a session.Ask) (session.Turn, error) {
	if s.wished.Store(a.Method); s.begun != nil {
		return *s.begun, nil
	}
	method := cloud.OATHCode
	if s.again > 0 {
		method = cloud.Push
	}
	return session.Turn{State: cloud.Pending, Method: method, Again: s.again, Life: time.Minute, Handle: "h"}, s.fail
}

func (s *service) Code(_ context.Context, _ any, code secret.Bytes) (session.Turn, error) {
	s.codes.Add(1)
	if string(code.Reveal()) == "1" {
		return session.Turn{State: cloud.Approved, Method: cloud.OATHCode}, s.fail
	}
	return session.Turn{State: cloud.Pending, Reason: cloud.WrongCode}, s.fail
}

func (s *service) Look(context.Context, any) (session.Turn, error) {
	s.looks.Add(1)
	if t := s.stand.Load(); t != nil {
		return *t, s.fail
	}
	return session.Turn{State: cloud.Pending}, s.fail
}

func open(t *testing.T, s *service, most int) *session.Verifier {
	v := session.New(session.Options{Service: s, Who: session.ByName, Now: time.Now, Log: slog.New(slog.DiscardHandler), Open: most})
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func request(name string) cloud.Request {
	return cloud.Request{Subject: cloud.Key{Kind: cloud.ByUPN, Value: name}, Tries: 3}
}

// A push is looked after without anybody asking, its verdict is streamed, and
// after its time it is forgotten.
func TestPushIsLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{again: 2 * time.Second}
		v := open(t, s, 0)
		decisions := v.Decisions(t.Context())
		c, err := v.Begin(t.Context(), request("ada@contoso.example"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Second)
		if n := s.looks.Load(); n != 3 {
			t.Errorf("asked %d times in 7 seconds", n)
		}
		s.stand.Store(&session.Turn{State: cloud.Approved})
		for d, err := range decisions {
			if err != nil || d.Challenge != c.ID || d.State != cloud.Approved {
				t.Errorf("%+v, %v", d, err)
			}
			break
		}
		time.Sleep(3 * cloud.RepeatWindow)
		if ds, err := v.Look(t.Context(), []cloud.ChallengeID{c.ID}); err != nil || ds[0].State != cloud.Expired {
			t.Errorf("it is kept: %+v, %v", ds, err)
		}
		_ = v.Close()
	})
}

func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{again: 5 * time.Second}
		v := open(t, s, 0)
		decisions := v.Decisions(t.Context())
		if _, err := v.Begin(t.Context(), request("ada@contoso.example")); err != nil {
			t.Fatal(err)
		}
		for d, err := range decisions {
			if err != nil || d.State != cloud.Expired || d.Reason != cloud.TimedOut {
				t.Errorf("%+v, %v", d, err)
			}
			break
		}
		// A service that is down is asked on, and nothing is decided by it.
		s.fail = errors.New("down")
		if _, err := v.Begin(t.Context(), request("ada@contoso.example")); err == nil {
			t.Error("a challenge that was not begun")
		}
		_ = v.Close()
	})
}

func TestChallengesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := open(t, &service{}, 3)
		for i := range 3 {
			if _, err := v.Begin(t.Context(), request(fmt.Sprintf("user%d@contoso.example", i))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := v.Begin(t.Context(), request("ada@contoso.example")); cloud.KindOf(err) != cloud.Throttled {
			t.Errorf("a fourth: %v", err)
		}
		time.Sleep(3 * time.Minute) // expired, and forgotten
		if _, err := v.Begin(t.Context(), request("ada@contoso.example")); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		_ = v.Close()
	})
}

// An error of the service is no verdict: the same answer is tried again.
func TestErrorIsNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		v := open(t, s, 0)
		c, err := v.Begin(t.Context(), request("ada@contoso.example"))
		if err != nil {
			t.Fatal(err)
		}
		a := cloud.Answer{Challenge: c.ID, Code: secret.FromString("1"), Key: "k"}
		s.fail = &cloud.Error{Kind: cloud.Unavailable, Message: "down"}
		if d, err := v.Answer(t.Context(), a); cloud.KindOf(err) != cloud.Unavailable {
			t.Fatalf("%+v, %v", d, err)
		}
		s.fail = nil
		if d, err := v.Answer(t.Context(), a); err != nil || d.State != cloud.Approved || d.Repeated {
			t.Fatalf("%+v, %v", d, err)
		}
		_ = v.Close()
	})
}

func TestStreamsEndWithTheVerifier(t *testing.T) {
	v := open(t, &service{}, 0)
	decisions := v.Decisions(t.Context())
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range decisions {
		if n++; cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("got %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d lines", n)
	}
}

func TestByName(t *testing.T) {
	for _, key := range []cloud.Key{{Kind: cloud.ByUPN, Value: " Ada@Contoso.Example "}, {Kind: cloud.ByName, Value: "ada@contoso.example"}, {Kind: cloud.ByID, Value: "ada@contoso.example"}} {
		if id, upn, err := session.ByName(t.Context(), key); err != nil || id != "ada@contoso.example" || upn != string(id) {
			t.Errorf("%+v: %q, %q, %v", key, id, upn, err)
		}
	}
	for _, key := range []cloud.Key{{Kind: cloud.BySID, Value: "ada@contoso.example"}, {Kind: cloud.ByName, Value: `CONTOSO\ada`}, {Kind: cloud.ByName, Value: "ada"}, {Kind: cloud.ByUPN, Value: "@contoso.example"},
		{Kind: cloud.ByUPN, Value: "ada@"}, {Kind: cloud.ByUPN, Value: "ada@a@b"}, {Kind: cloud.ByUPN, Value: "ada\x00@contoso.example"}, {Kind: cloud.ByUPN, Value: strings.Repeat("a", 250) + "@b.example"}, {}} {
		if id, _, err := session.ByName(t.Context(), key); cloud.KindOf(err) != cloud.NotFound {
			t.Errorf("%+v: %q, %v", key, id, err)
		}
	}
}
