package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/cloud/rehearse"
	"mfabridge/internal/hint"
	"mfabridge/migrate"
)

// waved are users of the waves pilot, rest and none, mixed.
func waved(d *fakeDirectory, n int) *fakePlan {
	p := sampleUsers(d, n)
	for i := range p.decisions {
		p.decisions[i].Wave = []string{"pilot", "rest", "", "rest"}[i%4]
	}
	p.waves = []migrate.Chosen{{Name: "pilot"}, {Name: "rest"}}
	return p
}

func TestApplyWaves(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := waved(d, 12)
	r := applyOK(t, p, j, d, migrate.ApplyOptions{Waves: []string{"pilot"}})
	if r.Done != 3 || r.Total != 3 || r.Verdict() != migrate.AllDone {
		t.Errorf("pilot: %+v", r)
	}
	for _, c := range d.written {
		if !strings.Contains("user00 user04 user08", c.UPN[:6]) {
			t.Errorf("%s was written", c.UPN)
		}
	}
	_, err := migrate.Apply(t.Context(), p, j, d, migrate.ApplyOptions{Waves: []string{"rest", "everybody"}})
	if err == nil || !strings.Contains(hint.Of(err), "pilot, rest") {
		t.Errorf("an unknown wave: %v, %s", err, hint.Of(err))
	}
	if r = applyOK(t, p, j, d, migrate.ApplyOptions{}); r.Done != 12 || r.Written != 9 {
		t.Errorf("all: %+v", r)
	}
}

// The gate is asked before every wave but the first, and again by the run
// that goes on; a wave that has nothing left needs none.
func TestApplyGate(t *testing.T) {
	d, j := newDirectory(), newJournal()
	p := waved(d, 12)
	closed := errors.New("closed")
	var asked []migrate.WaveEnd
	var events []migrate.Event
	open := false
	opt := migrate.ApplyOptions{
		Gate: func(_ context.Context, w migrate.WaveEnd) error {
			asked = append(asked, w)
			if open {
				return nil
			}
			return closed
		},
		Notify: func(e migrate.Event) {
			if _, ok := e.(migrate.WaveEvent); ok {
				events = append(events, e)
			}
		},
	}
	for range 2 {
		r, err := migrate.Apply(t.Context(), p, j, d, opt)
		if !errors.Is(err, closed) || r.Done != 3 || r.Total != 12 || r.Left() != 9 {
			t.Errorf("closed: %v, %+v", err, r)
		}
	}
	first := migrate.WaveEnd{Wave: "pilot", Next: "rest", Users: 3, Done: 3}
	if diff := cmp.Diff([]migrate.WaveEnd{first, first}, asked); diff != "" {
		t.Errorf("the gate was asked differently:\n%s", diff)
	}
	open, asked, events = true, nil, nil
	if r := applyOK(t, p, j, d, opt); r.Done != 12 {
		t.Errorf("open: %+v", r)
	}
	if diff := cmp.Diff([]migrate.WaveEnd{first, {Wave: "rest", Users: 6, Done: 6}}, asked); diff != "" {
		t.Errorf("the open gate was asked differently:\n%s", diff)
	}
	if diff := cmp.Diff([]migrate.Event{
		migrate.WaveEvent{Wave: "pilot", State: "begin", Users: 3}, migrate.WaveEvent{Wave: "pilot", State: "end", Users: 3, Done: 3},
		migrate.WaveEvent{Wave: "rest", State: "begin", Users: 6}, migrate.WaveEvent{Wave: "rest", State: "end", Users: 6, Done: 6},
		migrate.WaveEvent{State: "begin", Users: 3}, migrate.WaveEvent{State: "end", Users: 3, Done: 3},
	}, events); diff != "" {
		t.Errorf("the events differ:\n%s", diff)
	}
	asked = nil
	if r := applyOK(t, p, j, d, opt); r.Done != 12 || len(asked) != 0 {
		t.Errorf("nothing left: %+v, gate asked %d times", r, len(asked))
	}
}

// together counts how many calls are made at a time.
type together struct {
	*fakeDirectory
	mu        sync.Mutex
	now, most int
	enter     chan struct{}
}

func (d *together) Write(ctx context.Context, changes []cloud.Change) []cloud.Result {
	d.mu.Lock()
	d.now++
	d.most = max(d.most, d.now)
	d.mu.Unlock()
	d.enter <- struct{}{} // full until three are here
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now--
	return d.fakeDirectory.Write(ctx, changes)
}

// Several calls at a time keep the order of one user, and the journal has all
// intents before any of them.
func TestApplyConcurrency(t *testing.T) {
	calm := newDirectory()
	applyOK(t, sampleUsers(calm, 30), newJournal(), calm, migrate.ApplyOptions{})
	d := &together{fakeDirectory: newDirectory(), enter: make(chan struct{})}
	j := newJournal()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-d.enter:
			case <-t.Context().Done():
				return
			}
		}
	}()
	r := applyOK(t, sampleUsers(d.fakeDirectory, 30), j, d, migrate.ApplyOptions{Concurrency: 3})
	if r.Done != 30 || d.largest > 6 || d.most > 3 {
		t.Errorf("result %+v, %d changes at once, %d calls at a time", r, d.largest, d.most)
	}
	if diff := cmp.Diff(calm.state(), d.state()); diff != "" {
		t.Errorf("the target differs:\n%s", diff)
	}
	order := map[string]int{string(cloud.Account): 0, string(cloud.Mobile): 1, string(cloud.DefaultMethod): 2, string(cloud.SoftwareOATH): 3}
	last := map[string]int{}
	for _, c := range d.written {
		if at := order[string(c.Method)]; at < last[c.UPN] {
			t.Errorf("%s of %s was written too late", c.Method, c.UPN)
		} else {
			last[c.UPN] = at
		}
	}
}

// Whatever a target does wrong, in the end everything is made, once, and
// counts as made by the plan.
func TestApplyOnMisbehavingTargets(t *testing.T) {
	calm := newDirectory()
	applyOK(t, sampleUsers(calm, 40), newJournal(), calm, migrate.ApplyOptions{})
	want := calm.state()
	for _, spec := range []string{
		"seed=1,throttle=40%", "seed=2,throttle=40%:3s", "seed=3,lost=40%", "seed=4,partial=60%", "seed=5,unavailable=40%", "seed=6,late:30s,lost=30%",
		"seed=7,throttle=20%,lost=20%,partial=20%,unavailable=10%,late:10s,slow:20ms", "gone@4", "read-only@3", "seed=8,denied=30%",
	} {
		t.Run(spec, func(t *testing.T) {
			faults, err := rehearse.Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			d, j, c := newDirectory(), newJournal(), newClock()
			p := sampleUsers(d, 40)
			for run := 1; ; run++ {
				bad := rehearse.Wrap(d, faults, rehearse.Machine{Now: c.now, Sleep: c.sleep})
				if run == 4 { // what nothing but another target can mend
					bad = d
				}
				r, err := migrate.Apply(t.Context(), p, j, bad, migrate.ApplyOptions{Now: c.now, Sleep: c.sleep, Tries: 12})
				if err != nil && run == 4 {
					t.Fatal(err)
				}
				if err == nil && r.Verdict() == migrate.AllDone {
					if r.Done != 40 || r.Changes[cloud.Done] != len(d.written) || len(r.Changes) != 1 {
						t.Errorf("result %+v, %d changes written", r, len(d.written))
					}
					break
				}
			}
			if diff := cmp.Diff(want, d.state()); diff != "" {
				t.Errorf("the target differs:\n%s", diff)
			}
			if len(d.written) != len(calm.written) {
				t.Errorf("%d changes were written, undisturbed %d", len(d.written), len(calm.written))
			}
		})
	}
}

// After a crash, a target that does not show yet what was written is given
// time; one that shows something else in the end is believed.
func TestApplySlowToSee(t *testing.T) {
	d, c := newDirectory(), newClock()
	p := sampleUsers(d, 3)
	u := d.users["id-user01"]
	u.Mobile = "+1 4255550188" // what a reader sees before the write has got about
	late := &seeing{fakeDirectory: d, clock: c, mended: c.at.Add(20 * time.Second), see: func() { u.Mobile = "+1 4255550101" }}
	intended := func() *fakeJournal {
		j := newJournal()
		j.entries[2] = migrate.JournalEntry{Ordinal: 2, IntentRun: 1}
		j.runs = 1
		return j
	}
	r := applyOK(t, p, intended(), late, migrate.ApplyOptions{Now: c.now, Sleep: c.sleep})
	if r.Done != 3 || r.Stale != 0 || c.slept < 20*time.Second {
		t.Errorf("result %+v after %v", r, c.slept)
	}
	d, c = newDirectory(), newClock()
	p = sampleUsers(d, 3)
	d.users["id-user01"].Mobile = "+1 4255550188"
	never := &seeing{fakeDirectory: d, clock: c, mended: c.at.Add(time.Hour), see: func() {}}
	r = applyOK(t, p, intended(), never, migrate.ApplyOptions{Now: c.now, Sleep: c.sleep})
	if r.Done != 2 || r.Stale != 1 || c.slept > 2*time.Minute {
		t.Errorf("result %+v after %v", r, c.slept)
	}
}

// seeing is a target of delayed visibility.
type seeing struct {
	*fakeDirectory
	clock  *clock
	mended time.Time
	see    func()
}

func (d *seeing) Capabilities(ctx context.Context) (cloud.Capabilities, error) {
	c, err := d.fakeDirectory.Capabilities(ctx)
	c.Delayed = true
	return c, err
}

func (d *seeing) Read(ctx context.Context, ids []cloud.UserID) ([]cloud.User, error) {
	if !d.clock.at.Before(d.mended) {
		d.see()
	}
	return d.fakeDirectory.Read(ctx, ids)
}

func TestReportHappened(t *testing.T) {
	var out bytes.Buffer
	r := migrate.NewReport(&out, false)
	for _, e := range []migrate.Event{
		migrate.BatchEvent{Wave: "pilot", Users: 2, Changes: 5, Done: 7, Failed: 1, Total: 10},
		migrate.ThrottleEvent{Cause: &cloud.Error{Kind: cloud.Throttled, Message: "slow down"}, Wait: 1500 * time.Millisecond, Batch: 8, Concurrency: 1, Rate: 2.5},
		migrate.PauseEvent{Paused: true, Reason: "signal"},
		migrate.WaveEvent{Wave: "pilot", State: "end", Users: 3, Done: 2, Stale: 1},
		migrate.GateEvent{Wave: "pilot", Next: "rest", Exit: 3},
	} {
		if err := r.Happened(e); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"type":"batch","wave":"pilot","users":2,"changes":5,"so_far":{"done":7,"failed":1,"stale":0,"total":10}}
{"type":"throttle","error":"slow down","wait_seconds":1.5,"batch":8,"concurrency":1,"rate":2.5}
{"type":"pause","paused":true,"reason":"signal"}
{"type":"wave","wave":"pilot","state":"end","users":3,"done":2,"failed":0,"stale":1}
{"type":"gate","wave":"pilot","next":"rest","passed":false,"exit":3}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("the lines differ:\n%s", diff)
	}
}
