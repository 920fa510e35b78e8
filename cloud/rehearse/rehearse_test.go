package rehearse_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/enginetest"
	"mfabridge/cloud/rehearse"
	"mfabridge/internal/hint"
)

// stage is a target with faults, its real self, and a clock that moves only
// when somebody sleeps.
type stage struct {
	mu        sync.Mutex // of now and slept
	real, bad cloud.Directory
	now       time.Time
	slept     time.Duration
	died      int
}

func build(t *testing.T, spec string) *stage {
	t.Helper()
	s := &stage{now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	e, _ := enginetest.Open(t, enginetest.Create(t, engine.Setup{Domains: []string{"contoso.example"}, Now: s.now}), engine.Config{Now: s.clock, Actor: "test"})
	var faults rehearse.Faults
	if spec != "" {
		var err error
		if faults, err = rehearse.Parse(spec); err != nil {
			t.Fatal(err)
		}
	}
	s.real = e
	s.bad = rehearse.Wrap(e, faults, rehearse.Machine{
		Now:   s.clock,
		Sleep: s.sleep,
		Die:   func() { s.died++ },
	})
	return s
}

// clock shows the stage's time, to as many as look at it.
func (s *stage) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// sleep moves the clock.
func (s *stage) sleep(_ context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.slept = s.now.Add(d), s.slept+d
	return nil
}

// user makes changes that create a user with a telephone and a default.
func user(n int) []cloud.Change {
	upn := fmt.Sprintf("user%d@contoso.example", n)
	return []cloud.Change{
		{UPN: upn, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: &cloud.Profile{UPN: upn, Enabled: true}}},
		{UPN: upn, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue(fmt.Sprintf("+1 42555501%02d", n))},
		{UPN: upn, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue("sms")},
	}
}

// outcomes of a Write, and the kinds of its errors.
func outcomes(results []cloud.Result) (list []string) {
	for _, r := range results {
		text := string(r.Outcome)
		if r.Err != nil {
			text += " " + cloud.KindOf(r.Err).String()
		}
		list = append(list, text)
	}
	return list
}

func (s *stage) find(t *testing.T, d cloud.Directory, n int) []cloud.UserID {
	t.Helper()
	found, err := d.Find(t.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: fmt.Sprintf("user%d@contoso.example", n)}})
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// Without faults a wrapped target is what it was.
func TestNoFaults(t *testing.T) {
	cloudtest.Directory(t, func(t *testing.T) cloud.Directory { return build(t, "").bad })
	if _, ok := build(t, "").bad.(cloud.Locker); !ok {
		t.Error("the lock is lost")
	}
	if _, ok := rehearse.Wrap(struct{ cloud.Directory }{}, rehearse.Faults{}, rehearse.Machine{}).(cloud.Locker); ok {
		t.Error("a lock from nowhere")
	}
}

// A target that only takes its time keeps every promise.
func TestSlowKeepsThePromises(t *testing.T) {
	cloudtest.Directory(t, func(t *testing.T) cloud.Directory { return build(t, "slow:1s").bad })
}

func TestFaults(t *testing.T) {
	done := []string{"done", "done", "done"}
	all := func(kind string) []string { return []string{"failed " + kind, "failed " + kind, "failed " + kind} }
	for _, test := range []struct {
		spec  string
		calls [][]string // what the same Write answers again and again
	}{
		{"throttle@1-2", [][]string{all("throttled"), all("throttled"), done}},
		{"unavailable@1", [][]string{all("unavailable"), done}},
		{"lost@1", [][]string{all("unavailable"), {"already", "already", "already"}}},
		{"read-only@1", [][]string{all("denied"), done}},
		{"gone@2", [][]string{done, all("unavailable"), all("unavailable")}},
		{"denied", [][]string{all("denied"), all("denied")}},
		{"denied=100%", [][]string{all("denied")}},
		{"die@1", [][]string{all("unavailable"), done}},
		{"die-after@1", [][]string{all("unavailable"), {"already", "already", "already"}}},
		{"seed=1,throttle@2-:3s,slow@1:1s", [][]string{done, all("throttled"), all("throttled")}},
	} {
		t.Run(test.spec, func(t *testing.T) {
			s := build(t, test.spec)
			for i, want := range test.calls {
				if diff := cmp.Diff(want, outcomes(s.bad.Write(t.Context(), user(1)))); diff != "" {
					t.Errorf("call %d:\n%s", i+1, diff)
				}
			}
		})
	}
}

func TestRetryAfterAndDeath(t *testing.T) {
	s := build(t, "throttle@1:90s,die-after@2")
	r := s.bad.Write(t.Context(), user(1))
	if e, ok := errors.AsType[*cloud.Error](r[0].Err); !ok || e.RetryAfter != 90*time.Second {
		t.Errorf("%v", r[0].Err)
	}
	s.bad.Write(t.Context(), user(1))
	if s.died != 1 || len(s.find(t, s.real, 1)) != 1 {
		t.Errorf("died %d times, user there: %v", s.died, s.find(t, s.real, 1))
	}
}

// Partial faults make the first changes of a user and none behind them.
func TestPartial(t *testing.T) {
	s := build(t, "seed=3,partial")
	cut := map[int]int{}
	for n := range 30 {
		results := outcomes(s.bad.Write(t.Context(), user(n)))
		made := 0
		for i, r := range results {
			if r == "done" && i == made {
				made++
			} else if r != "failed unavailable" {
				t.Errorf("user %d: %v", n, results)
			}
		}
		cut[made]++
	}
	if len(cut) < 3 {
		t.Errorf("cut at %v", cut)
	}
}

// Users that are denied stay so; others never are.
func TestDeniedShare(t *testing.T) {
	s := build(t, "seed=5,denied=30%")
	var first []int
	for round := range 2 {
		var denied []int
		for n := range 60 {
			if outcomes(s.bad.Write(t.Context(), user(n)))[0] == "failed denied" {
				denied = append(denied, n)
			}
		}
		if round == 0 {
			first = denied
		} else if diff := cmp.Diff(first, denied); diff != "" {
			t.Errorf("others are denied the second time:\n%s", diff)
		}
	}
	if len(first) < 9 || len(first) > 27 {
		t.Errorf("%d of 60 are denied", len(first))
	}
}

// What is written late is seen late, new users and old ones.
func TestLate(t *testing.T) {
	s := build(t, "late:5s")
	if c, err := s.bad.Capabilities(t.Context()); err != nil || !c.Delayed {
		t.Errorf("%+v, %v", c, err)
	}
	id := cloud.UserID(s.bad.Write(t.Context(), user(1))[0].ID)
	look := func() (string, int) {
		users, err := s.bad.Read(t.Context(), []cloud.UserID{id})
		if err != nil {
			t.Fatal(err)
		}
		return users[0].Mobile, len(s.find(t, s.bad, 1))
	}
	if mobile, found := look(); mobile != "" || found != 0 {
		t.Errorf("at once: %q, %d", mobile, found)
	}
	s.now = s.now.Add(5 * time.Second)
	if mobile, found := look(); mobile != "+1 4255550101" || found != 1 {
		t.Errorf("later: %q, %d", mobile, found)
	}
	c := cloud.Change{User: id, UPN: "user1@contoso.example", Op: cloud.Update, Method: cloud.Mobile,
		Before: cloud.TextValue("+1 4255550101"), After: cloud.TextValue("+1 4255550102")}
	for _, want := range []string{"done", "already"} {
		if got := outcomes(s.bad.Write(t.Context(), []cloud.Change{c})); got[0] != want {
			t.Errorf("%v, want %s", got, want)
		}
		s.now = s.now.Add(time.Second)
		if mobile, found := look(); mobile != "+1 4255550101" || found != 1 {
			t.Errorf("an old user: %q, %d", mobile, found)
		}
	}
	s.now = s.now.Add(5 * time.Second)
	if mobile, _ := look(); mobile != "+1 4255550102" {
		t.Errorf("an old user, later: %q", mobile)
	}
}

func TestParse(t *testing.T) {
	got, err := rehearse.Parse("seed=7, throttle=12.5%:2s,lost@3-4,late:5s")
	want := rehearse.Faults{Seed: 7, Faults: []rehearse.Fault{
		{Kind: rehearse.Throttle, Share: 0.125, Duration: 2 * time.Second},
		{Kind: rehearse.Lost, First: 3, Last: 4, Share: 1},
		{Kind: rehearse.Late, Share: 1, Duration: 5 * time.Second}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, wrong := range []string{"", ",", "explode", "throttle=", "throttle=10", "throttle=0%", "throttle=101%", "throttle=NaN%", "throttle:0s", "throttle:2h",
		"throttle:-1s", "lost:2s", "late", "slow", "die@0", "die@x", "die@", "die@5-3", "die@3-x", "seed=", "seed=-1", "seed=x", string(make([]byte, 1001))} {
		if f, err := rehearse.Parse(wrong); err == nil || hint.Of(err) == "" || len(f.Faults) != 0 {
			t.Errorf("%q: %+v, %v", wrong, f, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("seed=7,throttle=10%:2s,lost@3,late:5s,die-after@4-")
	f.Fuzz(func(t *testing.T, spec string) {
		got, err := rehearse.Parse(spec)
		if err != nil {
			return
		}
		for _, fault := range got.Faults {
			if !(fault.Share > 0 && fault.Share <= 1) || fault.First > fault.Last || fault.Duration < 0 || fault.Duration > time.Hour {
				t.Errorf("%q: %+v", spec, fault)
			}
		}
	})
}
