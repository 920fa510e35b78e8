package planfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
	"mfabridge/migrate/planfile"
)

// sampleUser makes the decision about user i: three changes, a finding on
// every second user, what apply looks at again. All of it is synthetic.
func sampleUser(i int) migrate.Decision {
	upn := fmt.Sprintf("user%06d@contoso.example", i)
	id := cloud.UserID("u-" + strconv.Itoa(i))
	d := migrate.Decision{
		Ordinal: i, Username: fmt.Sprintf("CONTOSO\\user%06d", i), UPN: upn, Target: id, MatchedBy: "upn",
		Action: migrate.Modify, Outlook: migrate.Works,
		Changes: []migrate.PlannedChange{
			{Change: cloud.Change{User: id, UPN: upn, Op: cloud.Add, Method: cloud.Mobile,
				After: cloud.TextValue(fmt.Sprintf("+44 20794600%02d", i%100))}, Reason: "Phone"},
			{Change: cloud.Change{User: id, UPN: upn, Op: cloud.Add, Method: cloud.SoftwareOATH,
				After: cloud.Value{OATH: &cloud.OATH{Name: "Phone of user", Serial: fmt.Sprintf("MFB-%016d", i), Manufacturer: "mfabridge", Model: "app",
					Algorithm: cloud.SHA1, Digits: 6, Period: 30, Secret: secret.New(fmt.Appendf(nil, "synthetic-seed-%06d", i)), Fingerprint: fmt.Sprintf("%016d", i)}}}, Reason: "device"},
			{Change: cloud.Change{User: id, UPN: upn, Op: cloud.Set, Method: cloud.DefaultMethod,
				After: cloud.TextValue("oath")}, Reason: "Mode oathToken"},
		},
		Facts: []migrate.Fact{{Name: "upn", Value: upn}, {Name: "guest", Value: "false"}, {Name: "privileged", Value: "false"}, {Name: "forbidden"}},
	}
	if i%2 == 0 {
		d.Findings = []migrate.Finding{{Code: "PUSH_NEEDS_ACTIVATION", Severity: migrate.SeverityWarning, Field: "Mode",
			Detail: "push cannot be carried over to another app", Action: "Send the user an invitation."}}
	}
	return d
}

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
