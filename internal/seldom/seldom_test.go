package seldom_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/internal/seldom"
)

func TestDue(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var w seldom.Word
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true}, {0, false}, {time.Minute - 1, false}, {time.Minute, true}, {2*time.Minute - 1, false}, {time.Hour, true},
		{time.Hour - time.Second, false}, {-time.Hour, true}, {-time.Hour + time.Second, false}, // the clock is set back
	} {
		if got := w.Due(start.Add(step.after)); got != step.want {
			t.Errorf("%v after the first: %t", step.after, got)
		}
	}
	w.Forget()
	if now := start.Add(-time.Hour + 2*time.Second); !w.Due(now) || w.Due(now) {
		t.Error("a trouble that comes back is not said once")
	}
}

func TestOneOfManySaysIt(t *testing.T) {
	var w seldom.Word
	var said atomic.Int64
	var all sync.WaitGroup
	now := time.Now()
	for range 100 {
		all.Go(func() {
			if w.Due(now) {
				said.Add(1)
			}
		})
	}
	all.Wait()
	if said.Load() != 1 {
		t.Errorf("%d said it", said.Load())
	}
}
