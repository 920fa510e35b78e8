//go:build unix

package migrate_test

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"mfabridge/migrate"
)

// effort is what a plan costs.
type effort struct {
	cpu    time.Duration // of this process
	bytes  uint64        // allocated
	things uint64        // allocated
}

// costOf is the effort of a plan for users who share one switchboard number.
func costOf(t *testing.T, users int) effort {
	t.Helper()
	var before, after runtime.MemStats
	var start, end syscall.Rusage
	runtime.GC()
	runtime.ReadMemStats(&before)
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &start))
	var out bin
	_, err := migrate.Plan(t.Context(), crowd{users: users, number: "2079460001"}, nowhere{},
		migrate.Options{CreateUsers: true, Now: now, TempDir: t.TempDir()}, &out)
	must(t, err)
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &end))
	runtime.ReadMemStats(&after)
	if out.shared != users {
		t.Fatalf("%d of %d users share the number", out.shared, users)
	}
	spent := func(r syscall.Rusage) time.Duration { return time.Duration(r.Utime.Nano() + r.Stime.Nano()) }
	return effort{spent(end) - spent(start), after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Ten times as many users on one switchboard number cost about ten times as
// much: work that grows with the square would cost a hundred times as much.
func TestASwitchboardCostsInProportion(t *testing.T) {
	costOf(t, 500) // whatever is made once
	few, many := costOf(t, 5_000), costOf(t, 50_000)
	if ratio := float64(many.things) / float64(few.things); ratio > 12 {
		t.Errorf("ten times as many users take %.1f times as many allocations", ratio)
	}
	if ratio := float64(many.bytes) / float64(few.bytes); ratio > 15 {
		t.Errorf("ten times as many users take %.1f times as much memory", ratio)
	}
	if ratio := many.cpu.Seconds() / few.cpu.Seconds(); ratio > 35 {
		t.Errorf("ten times as many users take %.1f times as much processor time", ratio)
	}
	t.Logf("%+v, %+v", few, many)
}
