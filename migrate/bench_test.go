package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"testing"

	"mfabridge/cloud"
	"mfabridge/legacy"
	"mfabridge/migrate"
)

// crowd is a Source of any number of users, made as they are read. With one
// number for all, everybody shares it.
type crowd struct {
	users  int
	number string
}

func (c crowd) row(i int) legacy.User {
	u := legacy.User{Ordinal: i, Username: fmt.Sprintf("user%07d@contoso.example", i), Enabled: true, Mode: legacy.ModeSMSText,
		SID: fmt.Sprintf("S-1-5-21-1-2-3-%d", i), FirstName: "Ada", LastName: "Byron", Phone: phone(c.number)}
	u.UPN = u.Username
	if c.number == "" {
		u.Phone = phone(fmt.Sprintf("20%08d", 70000000+i))
	}
	if i%5 < 2 {
		u.Mode, u.Devices = legacy.ModePhoneApp, []legacy.Device{device("Phone", fmt.Sprintf("device-secret-%06d", i), -i%900)}
	}
	if i%7 == 0 {
		u.Mode, u.Tokens = legacy.ModeOathToken, []legacy.Token{token(fmt.Sprintf("S%07d", i), fmt.Sprintf("token-secret-%07d", i))}
	}
	return u
}

func (c crowd) Users(context.Context) iter.Seq2[legacy.User, error] {
	return func(yield func(legacy.User, error) bool) {
		for i := range c.users {
			if !yield(c.row(i), nil) {
				return
			}
		}
	}
}

func (crowd) Problems() iter.Seq2[legacy.Problem, error] {
	return func(func(legacy.Problem, error) bool) {}
}

// nowhere is a target in which nobody is found.
type nowhere struct{ cloud.DirectoryReader }

func (nowhere) Capabilities(context.Context) (cloud.Capabilities, error) {
	caps := engine()
	caps.Batch = 1000
	return caps, nil
}

func (nowhere) Find(_ context.Context, keys []cloud.Key) ([][]cloud.UserID, error) {
	return make([][]cloud.UserID, len(keys)), nil
}

// bin is a Sink that keeps nothing.
type bin struct{ shared int }

func (b *bin) Add(d migrate.Decision) error {
	for _, f := range d.Findings {
		if f.Code == migrate.PhoneShared {
			b.shared++
		}
	}
	return nil
}

func (*bin) Problem(migrate.Finding) error { return nil }

// BenchmarkMap maps one user by all rules.
func BenchmarkMap(b *testing.B) {
	mapper, err := migrate.NewMapper(migrate.Options{CreateUsers: true, Now: now}, engine())
	if err != nil {
		b.Fatal(err)
	}
	users := make([]legacy.User, 1000)
	for i := range users {
		users[i] = crowd{}.row(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		u := users[i%len(users)]
		mapper.Map(u, nil, migrate.Match{Create: true, UPN: u.UPN})
	}
}

// BenchmarkPlan plans 100,000 users into an empty target, both passes, and
// says what a user costs beside making its row, which is measured first.
func BenchmarkPlan(b *testing.B) {
	for _, c := range []struct {
		name string
		src  crowd
	}{
		{"rows only", crowd{users: 100_000}},
		{"100000", crowd{users: 100_000}},
		{"300000", crowd{users: 300_000}},
		{"100000 on one number", crowd{users: 100_000, number: "2079460001"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if c.name == "rows only" {
					for range c.src.Users(b.Context()) {
					}
					continue
				}
				opt := migrate.Options{CreateUsers: true, Now: now, TempDir: b.TempDir()}
				if _, err := migrate.Plan(b.Context(), c.src, nowhere{}, opt, &bin{}); err != nil {
					b.Fatal(err)
				}
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*c.src.users), "µs/user")
			b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-sys")
		})
	}
}

// BenchmarkInspect inspects 100,000 users and writes each report; "nothing
// listed" is the inspection alone.
func BenchmarkInspect(b *testing.B) {
	write := func(most int, report func(io.Writer, migrate.Overview, *migrate.Listing) error) func(*testing.B, crowd) {
		return func(b *testing.B, src crowd) {
			l := migrate.NewListing(most, b.TempDir())
			sum, err := migrate.Inspect(b.Context(), src, migrate.Options{Now: now, TempDir: b.TempDir()}, l)
			if err == nil {
				err = report(io.Discard, migrate.Overview{Summary: sum}, l)
			}
			if err := errors.Join(err, l.Close()); err != nil {
				b.Fatal(err)
			}
		}
	}
	page := func(w io.Writer, o migrate.Overview, l *migrate.Listing) error {
		return migrate.InspectionHTML(w, o, l, migrate.HTMLOptions{Made: now})
	}
	for _, c := range []struct {
		name string
		run  func(*testing.B, crowd)
	}{
		{"nothing listed", func(b *testing.B, src crowd) {
			if _, err := migrate.Inspect(b.Context(), src, migrate.Options{Now: now, TempDir: b.TempDir()}, &bin{}); err != nil {
				b.Fatal(err)
			}
		}},
		{"text", write(10, migrate.InspectionText)},
		{"text, all", write(0, migrate.InspectionText)},
		{"html", write(200, page)},
	} {
		b.Run(c.name, func(b *testing.B) {
			src := crowd{users: 100_000}
			for b.Loop() {
				c.run(b, src)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*src.users), "µs/user")
		})
	}
}

// Fifty thousand users on one number are told of each other without a list of
// all of them, and without work that grows with their square.
func TestVeryManyOnOneNumber(t *testing.T) {
	const users = 50_000
	var out bin
	sum, err := migrate.Plan(t.Context(), crowd{users: users, number: "2079460001"}, nowhere{},
		migrate.Options{CreateUsers: true, Now: now, TempDir: t.TempDir()}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if out.shared != users || sum.Findings[migrate.PhoneShared] != users {
		t.Errorf("%d of %d users are told that their number is shared", out.shared, users)
	}
}
