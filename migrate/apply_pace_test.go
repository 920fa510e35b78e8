package migrate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// clock stands still unless somebody sleeps.
type clock struct {
	at    time.Time
	slept time.Duration
	waits int
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 2, 20, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time { return c.at }

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.at, c.slept, c.waits = c.at.Add(d), c.slept+d, c.waits+1
	return ctx.Err()
}

// A rate holds over the whole run, whatever a batch takes.
func TestApplyRate(t *testing.T) {
	for _, test := range []struct {
		rate float64
		want time.Duration // for 58 changes, less the first second's worth
	}{{10, 4800 * time.Millisecond}, {1, 57 * time.Second}, {0.5, 2 * 57 * time.Second}} {
		d, j, c := newDirectory(), newJournal(), newClock()
		d.batch = 50
		r := applyOK(t, sampleUsers(d, 20), j, d, migrate.ApplyOptions{Rate: test.rate, Now: c.now, Sleep: c.sleep})
		if r.Done != 20 {
			t.Errorf("%v/s: result %+v", test.rate, r)
		}
		// The last call may be made before its changes are paid for.
		if least := test.want - time.Duration(4/test.rate*float64(time.Second)); c.slept < least || c.slept > test.want {
			t.Errorf("%v/s: the run took %v, want %v to %v for %d changes", test.rate, c.slept, least, test.want, len(d.written))
		}
		if d.largest > max(int(test.rate), 4) {
			t.Errorf("%v/s: %d changes at once", test.rate, d.largest)
		}
	}
}

// backwards is a clock that jumps back whenever it is looked at.
func TestApplyClockGoesBackwards(t *testing.T) {
	d, j, c := newDirectory(), newJournal(), newClock()
	back := func() time.Time { c.at = c.at.Add(-time.Hour); return c.at }
	r := applyOK(t, sampleUsers(d, 10), j, d, migrate.ApplyOptions{Rate: 5, Now: back, Sleep: c.sleep})
	if r.Done != 10 || c.slept > time.Minute || c.slept < 4*time.Second {
		t.Errorf("result %+v after waiting %v", r, c.slept)
	}
}

// A target that throttles is given less at a time and more slowly, and more
// again when it takes that; nothing is lost and nothing is made twice.
func TestApplySlowsDown(t *testing.T) {
	d, j, c := newDirectory(), newJournal(), newClock()
	d.batch = 32
	p := sampleUsers(d, 40)
	var sizes []int
	storm := 6
	d.down = func() error {
		c.at = c.at.Add(100 * time.Millisecond)
		if d.calls > 1 && storm > 0 {
			storm--
			return &cloud.Error{Kind: cloud.Throttled, Message: "slow down"}
		}
		return nil
	}
	var last migrate.ThrottleEvent
	r := applyOK(t, p, j, d, migrate.ApplyOptions{Now: c.now, Sleep: c.sleep, Tries: 8,
		Notify: func(e migrate.Event) {
			switch e := e.(type) {
			case migrate.ThrottleEvent:
				last = e
				sizes = append(sizes, e.Batch)
			case migrate.BatchEvent:
				sizes = append(sizes, e.Changes)
			}
		}})
	if r.Done != 40 || r.Changes[cloud.Done] != len(d.written) || len(r.Changes) != 1 {
		t.Errorf("result %+v, %d changes written", r, len(d.written))
	}
	if diff := cmp.Diff([]int{32, 16, 8, 4, 2, 1, 1}, sizes[:7]); diff != "" {
		t.Errorf("how much is written at once differs:\n%s", diff)
	}
	if last.Rate <= 0 || last.Rate > 300 {
		t.Errorf("after six refusals the rate is %v a second", last.Rate)
	}
}

// As long as some of a batch is made, a run does not give up.
func TestApplyMovesOnInAStorm(t *testing.T) {
	d, j, c := newDirectory(), newJournal(), newClock()
	d.batch = 64
	n := 0
	d.fail = func(cloud.Change) error {
		if n++; n%5 != 0 {
			return &cloud.Error{Kind: cloud.Throttled, Message: "slow down", RetryAfter: time.Second}
		}
		return nil
	}
	r := applyOK(t, sampleUsers(d, 12), j, d, migrate.ApplyOptions{Tries: 6, Now: c.now, Sleep: c.sleep})
	if r.Done != 12 || len(d.written) != 34 || r.Changes[cloud.Done] != 34 {
		t.Errorf("result %+v, %d changes written", r, len(d.written))
	}
	if c.waits < 20 {
		t.Errorf("only %d waits", c.waits)
	}
}

// What is known of a target's pace is where a run begins.
func TestApplyKnownPace(t *testing.T) {
	d, j, c := newDirectory(), newJournal(), newClock()
	known := &paced{fakeDirectory: d, pace: cloud.Pace{PerSecond: 6, Read: 1, Change: map[cloud.Method]float64{cloud.Mobile: 2}}}
	r := applyOK(t, sampleUsers(d, 10), j, known, migrate.ApplyOptions{Now: c.now, Sleep: c.sleep})
	if r.Done != 10 || c.slept < 5*time.Second || c.slept > 15*time.Second {
		t.Errorf("result %+v after waiting %v", r, c.slept)
	}
}

type paced struct {
	*fakeDirectory
	pace cloud.Pace
}

func (p *paced) Capabilities(ctx context.Context) (cloud.Capabilities, error) {
	c, err := p.fakeDirectory.Capabilities(ctx)
	c.Pace = p.pace
	return c, err
}

func TestQuietHours(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		hours, at, until string // until empty: not quiet
	}{
		{"08:00-18:00", "2026-11-02T07:59:59Z", ""},
		{"08:00-18:00", "2026-11-02T08:00:00Z", "2026-11-02T18:00:00Z"},
		{"08:00-18:00", "2026-11-02T17:59:59Z", "2026-11-02T18:00:00Z"},
		{"08:00-18:00", "2026-11-02T18:00:00Z", ""},
		{"08:00-18:00,mon-fri", "2026-11-01T12:00:00Z", ""}, // a Sunday
		{"08:00-18:00,mon-fri", "2026-11-02T12:00:00Z", "2026-11-02T18:00:00Z"},
		{"22:00-06:00", "2026-11-02T23:00:00Z", "2026-11-03T06:00:00Z"},
		{"22:00-06:00", "2026-11-03T05:59:00Z", "2026-11-03T06:00:00Z"},
		{"22:00-06:00", "2026-11-03T06:00:00Z", ""},
		{"22:00-06:00,sun", "2026-11-02T05:00:00Z", "2026-11-02T06:00:00Z"}, // Sunday's night
		{"22:00-06:00,mon", "2026-11-02T05:00:00Z", ""},
		{"00:00-24:00,sat,sun", "2026-11-01T12:00:00Z", "2026-11-02T00:00:00Z"},
		{"fri-mon", "", ""},
		{"00:00-24:00,fri-mon", "2026-11-02T23:00:00Z", "2026-11-03T00:00:00Z"},
		{"08:00-18:00,mon-fri,Europe/Berlin", "2026-11-02T07:30:00Z", "2026-11-02T17:00:00Z"},
		{"08:00-18:00,mon-fri,Europe/Berlin", "2026-07-01T06:30:00Z", "2026-07-01T16:00:00Z"},
	} {
		q, err := migrate.ParseQuietHours(test.hours, time.UTC)
		if test.at == "" {
			if err == nil {
				t.Errorf("%q is taken for quiet hours", test.hours)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, test.at)
		until, on := q.At(at.In(berlin)) // the zone of the asker does not count
		if got := until.UTC().Format(time.RFC3339); on != (test.until != "") || on && got != test.until {
			t.Errorf("%s at %s: %v until %s, want %q", test.hours, test.at, on, got, test.until)
		}
	}
	for _, wrong := range []string{"", "8-18", "08:00", "08:00-08:00", "24:00-08:00", "25:00-26:00", "08:00-18:00,", "08:00-18:00,someday",
		"08:00-18:00,Mars/Olympus", "08:00-18:00,mon-xyz"} {
		if _, err := migrate.ParseQuietHours(wrong, time.UTC); err == nil || hint.Of(err) == "" {
			t.Errorf("%q is taken for quiet hours: %v", wrong, err)
		}
	}
}

func FuzzQuietHours(f *testing.F) {
	f.Add("08:00-18:00,mon-fri,Europe/Berlin", int64(1793600000))
	f.Add("22:00-06:00,sat", int64(0))
	f.Fuzz(func(t *testing.T, text string, at int64) {
		q, err := migrate.ParseQuietHours(text, time.UTC)
		if err != nil {
			return
		}
		now := time.Unix(at%(1<<34), 0)
		if until, on := q.At(now); on && !until.After(now) {
			t.Errorf("%q at %v is quiet until %v", text, now, until)
		}
	})
}

// A run does not begin in quiet hours, and ends where they begin.
func TestApplyQuietHours(t *testing.T) {
	q, err := migrate.ParseQuietHours("20:00-21:00", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	d, j, c := newDirectory(), newJournal(), newClock()
	p := sampleUsers(d, 10)
	opt := migrate.ApplyOptions{Now: c.now, Sleep: c.sleep, Quiet: []migrate.QuietHours{q}}
	r, err := migrate.Apply(t.Context(), p, j, d, opt)
	if _, ok := errors.AsType[*migrate.QuietError](err); !ok || hint.Of(err) == "" || r.Run != 0 || d.calls != 0 {
		t.Errorf("in quiet hours: %v, %+v", err, r)
	}
	c.at = c.at.Add(-3 * time.Second)
	opt.Progress = func(migrate.Progress) { c.at = c.at.Add(time.Second) }
	r, err = migrate.Apply(t.Context(), p, j, d, opt)
	if e, ok := errors.AsType[*migrate.QuietError](err); !ok || r.Done == 0 || r.Left() == 0 || e.Until.Hour() != 21 {
		t.Errorf("into quiet hours: %v, %+v", err, r)
	}
	c.at = c.at.Add(time.Hour)
	if r = applyOK(t, p, j, d, opt); r.Done != 10 {
		t.Errorf("behind them: %+v", r)
	}
}

func TestApplyHold(t *testing.T) {
	d, j := newDirectory(), newJournal()
	held := errors.New("held")
	n := 0
	r, err := migrate.Apply(t.Context(), sampleUsers(d, 6), j, d, migrate.ApplyOptions{Hold: func(context.Context) error {
		if n++; n > 2 {
			return held
		}
		return nil
	}})
	if !errors.Is(err, held) || d.calls != 2 || r.Left() == 0 {
		t.Errorf("error %v after %d calls, %+v", err, d.calls, r)
	}
}

// The limit of failures holds to the user, also within a batch.
func TestApplyFailuresToTheUser(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 5, 9} {
		d, j := newDirectory(), newJournal()
		d.batch = 1000
		p := sampleUsers(d, 40)
		n := 0
		d.fail = func(c cloud.Change) error {
			if c.Method == cloud.Mobile {
				if n++; n%3 != 0 {
					return &cloud.Error{Kind: cloud.Invalid, Message: "no"}
				}
			}
			return nil
		}
		r, err := migrate.Apply(t.Context(), p, j, d, migrate.ApplyOptions{MaxFailures: limit})
		if e, ok := errors.AsType[*migrate.LimitError](err); !ok || e.What != "failures" || r.Failed != limit {
			t.Errorf("limit %d: %d failed, %v", limit, r.Failed, err)
		}
	}
}
