package migrate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mfabridge/cloud"
	"mfabridge/migrate"
)

func TestApplyThrottled(t *testing.T) {
	d, j, s := newDirectory(), newJournal(), &sleeper{}
	p := sampleUsers(d, 6)
	fails := 0
	d.down = func() error {
		if fails++; fails <= 3 {
			return &cloud.Error{Kind: cloud.Throttled, Message: "slow down", RetryAfter: time.Duration(fails) * time.Minute}
		}
		return nil
	}
	var told []string
	r := applyOK(t, p, j, d, migrate.ApplyOptions{Sleep: s.sleep,
		Waiting: func(cause error, pause time.Duration) { told = append(told, fmt.Sprintf("%v, %v", cause, pause)) }})
	if diff := cmp.Diff([]string{"slow down, 1m0s", "slow down, 2m0s", "slow down, 3m0s"}, told); diff != "" {
		t.Errorf("what is said of the waits differs:\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute}, s.slept); diff != "" {
		t.Errorf("waits differ:\n%s", diff)
	}
	if r.Done != 6 || r.Changes[cloud.Done] != 17 {
		t.Errorf("result %+v", r)
	}
}

// One throttled change is tried again; the user it creates waits for it.
func TestApplyThrottledAccount(t *testing.T) {
	d, s := newDirectory(), &sleeper{}
	p := sampleUsers(d, 2)
	tries := 0
	d.fail = func(c cloud.Change) error {
		if c.Method == cloud.Account {
			if tries++; tries == 1 {
				return &cloud.Error{Kind: cloud.Unavailable, Message: "timed out"}
			}
		}
		return nil
	}
	r := applyOK(t, p, newJournal(), d, migrate.ApplyOptions{Sleep: s.sleep})
	if r.Done != 2 || len(s.slept) != 1 {
		t.Errorf("result %+v, waits %v", r, s.slept)
	}
}

func TestApplyGivesUpAndGoesOn(t *testing.T) {
	for _, kind := range []cloud.Kind{cloud.Throttled, cloud.Unavailable, cloud.Denied, cloud.Internal} {
		d, j, s := newDirectory(), newJournal(), &sleeper{}
		p := sampleUsers(d, 6)
		calls := 0
		d.down = func() error {
			if calls++; calls >= 2 {
				return &cloud.Error{Kind: kind, Message: "no"}
			}
			return nil
		}
		r, err := migrate.Apply(t.Context(), p, j, d, migrate.ApplyOptions{Sleep: s.sleep, Tries: 4})
		if err == nil || cloud.KindOf(err) != kind {
			t.Errorf("%v: error %v", kind, err)
		}
		if want := map[cloud.Kind]int{cloud.Throttled: 3, cloud.Unavailable: 3}[kind]; len(s.slept) != want {
			t.Errorf("%v: waited %v", kind, s.slept)
		}
		if r.Done == 0 || r.Left() != 6-r.Done {
			t.Errorf("%v: result %+v", kind, r)
		}
		d.down = nil
		if r = applyOK(t, p, j, d, migrate.ApplyOptions{}); r.Done != 6 || r.Changes[cloud.Done] != 17 {
			t.Errorf("%v: resumed %+v", kind, r)
		}
	}
}

func TestApplyDoesNotWaitForHours(t *testing.T) {
	d, s := newDirectory(), &sleeper{}
	p := sampleUsers(d, 1)
	d.down = func() error {
		return &cloud.Error{Kind: cloud.Throttled, Message: "tomorrow", RetryAfter: 20 * time.Hour}
	}
	if _, err := migrate.Apply(t.Context(), p, newJournal(), d, migrate.ApplyOptions{Sleep: s.sleep}); cloud.KindOf(err) != cloud.Throttled || len(s.slept) != 0 {
		t.Errorf("error %v, waits %v", err, s.slept)
	}
}
