//go:build unix

package planfile_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

// cpu is the CPU time of this process in nanoseconds, and its largest
// resident size in bytes.
func cpu(tb testing.TB) (nanos, resident int64) {
	tb.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano(), u.Maxrss << 10
}

func writePlan(tb testing.TB, path string, users int) string {
	tb.Helper()
	w, err := planfile.Create(path, migrate.Header{ToolVersion: "test", Target: migrate.Target{Instance: "i-1"}}, planfile.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	defer w.Abort()
	s := migrate.NewSummary()
	for i := range users {
		if err := w.Add(sampleUser(i)); err != nil {
			tb.Fatal(err)
		}
		s.Users[migrate.Modify]++
	}
	digest, err := w.Finish(s)
	if err != nil {
		tb.Fatal(err)
	}
	return digest
}

// BenchmarkPlan writes and reads a plan of MFABRIDGE_BENCH_USERS users
// (100,000) and reports CPU seconds per million users.
func BenchmarkPlan(b *testing.B) {
	users := 100_000
	if n, err := strconv.Atoi(os.Getenv("MFABRIDGE_BENCH_USERS")); err == nil {
		users = n
	}
	path := filepath.Join(b.TempDir(), "plan.db")
	report := func(b *testing.B, from int64) {
		now, resident := cpu(b)
		b.ReportMetric(float64(now-from)/1e9/float64(users*b.N)*1e6, "cpu-s/1M")
		b.ReportMetric(float64(resident)/(1<<20), "MiB-RSS")
	}
	b.Run("write", func(b *testing.B) {
		from, _ := cpu(b)
		for range b.N {
			for _, p := range []string{path, planfile.KeyPath(path)} {
				_ = os.Remove(p)
			}
			writePlan(b, path, users)
		}
		report(b, from)
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/float64(users), "B/user")
	})
	for name, view := range map[string]migrate.View{"masked": migrate.Masked, "revealed": migrate.Revealed} {
		b.Run("read/"+name, func(b *testing.B) {
			from, _ := cpu(b)
			p, err := planfile.Open(path, planfile.KeyPath(path))
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			n := 0
			for _, err := range p.Users(b.Context(), view) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != users {
				b.Fatalf("read %d users, wrote %d", n, users)
			}
			report(b, from)
		})
	}
}

// BenchmarkApply applies a plan of that size to a target that takes
// everything, with the journal on the disk: what apply itself costs.
func BenchmarkApply(b *testing.B) {
	users := 100_000
	if n, err := strconv.Atoi(os.Getenv("MFABRIDGE_BENCH_USERS")); err == nil {
		users = n
	}
	path := filepath.Join(b.TempDir(), "plan.db")
	writePlan(b, path, users)
	b.ResetTimer()
	from, _ := cpu(b)
	for range b.N {
		p := open(b, path)
		j := openJournal(b, p)
		r, err := migrate.Apply(b.Context(), p, j, &taker{batch: 1000}, migrate.ApplyOptions{})
		if err != nil || r.Done != users {
			b.Fatalf("%+v, %v", r, err)
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(planfile.JournalPath(path) + suffix)
		}
	}
	now, resident := cpu(b)
	b.ReportMetric(float64(now-from)/1e9/float64(users*b.N)*1e6, "cpu-s/1M")
	b.ReportMetric(float64(resident)/(1<<20), "MiB-RSS")
}
