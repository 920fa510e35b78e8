package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/secret"
)

// cpu is the user and system time of this process.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// changesOf is what apply writes for one user: account with an alias, mobile,
// generator, default method.
func changesOf(n int) []cloud.Change {
	upn := fmt.Sprintf("user%07d@contoso.example", n)
	p := &cloud.Profile{UPN: upn, DisplayName: fmt.Sprintf("User %d", n), Aliases: []string{fmt.Sprintf(`CORP\user%07d`, n)}, Enabled: true}
	return []cloud.Change{
		{UPN: upn, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: p}},
		{UPN: upn, Op: cloud.Add, Method: cloud.Mobile, After: cloud.TextValue(fmt.Sprintf("+1 425555%04d", n%10000))},
		{UPN: upn, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(n)}},
		{UPN: upn, Op: cloud.Set, Method: cloud.DefaultMethod, After: cloud.TextValue(string(cloud.OATHCode))},
	}
}

func open(b *testing.B, cache int) (*engine.Engine, *sqlite.Store, string) {
	path := filepath.Join(b.TempDir(), "cloud.db")
	if err := sqlite.Init(b.Context(), path, "", engine.Setup{Actor: engine.Actor{Who: "bench"}}); err != nil {
		b.Fatal(err)
	}
	s, err := sqlite.Open(b.Context(), path, sqlite.Options{Cache: cache})
	if err != nil {
		b.Fatal(err)
	}
	key, err := seal.LoadKey("file:" + path + ".key")
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.Open(b.Context(), engine.Config{Store: s, Key: key})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return e, s, path
}

// fill writes users in calls of 1000 changes.
func fill(b *testing.B, e *engine.Engine, changes []cloud.Change) {
	for at := 0; at < len(changes); at += 1000 {
		for _, r := range e.Write(b.Context(), changes[at:min(at+1000, len(changes))]) {
			if r.Outcome != cloud.Done {
				b.Fatal(r.Outcome, r.Err)
			}
		}
	}
}

// BenchmarkWrite compares Directory.Write of users with a raw bulk load of the
// same rows into the same tables: prepared inserts of many rows, a commit per
// 10,000 users. cpu-ratio is the one over the other.
func BenchmarkWrite(b *testing.B) {
	const users = 50_000
	var changes []cloud.Change
	for n := range users {
		changes = append(changes, changesOf(n)...)
	}
	for b.Loop() {
		e, s, path := open(b, 64<<10)
		start := cpu(b)
		fill(b, e, changes)
		ours := cpu(b) - start
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		raw := rawLoad(b, path)
		b.ReportMetric(ours.Seconds()/raw.Seconds(), "cpu-ratio")
		b.ReportMetric(float64(users)/ours.Seconds(), "users/cpu-s")
		b.ReportMetric(float64(users)/raw.Seconds(), "raw-users/cpu-s")
	}
}

// rawLoad copies all rows of a filled store into an empty one of the same
// schema and returns the CPU time of the inserts.
func rawLoad(b *testing.B, path string) time.Duration {
	target := filepath.Join(b.TempDir(), "raw.db")
	if err := sqlite.Create(b.Context(), target, func(*sqlite.Store) error { return nil }); err != nil {
		b.Fatal(err)
	}
	from, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		b.Fatal(err)
	}
	defer from.Close()
	tables := []string{"users", "names", "tokens", "audit"}
	rows := map[string][][]any{}
	for _, table := range tables {
		rows[table] = dump(b, from, table)
	}
	to, err := sql.Open("sqlite3", "file:"+target+"?_journal=WAL&_sync=FULL&_cache_size=-65536")
	if err != nil {
		b.Fatal(err)
	}
	defer to.Close()
	to.SetMaxOpenConns(1)
	start := cpu(b)
	groups := (len(rows["users"]) + 9999) / 10_000
	for g := range groups {
		tx, err := to.Begin()
		if err != nil {
			b.Fatal(err)
		}
		for _, table := range tables {
			all := rows[table]
			insert(b, tx, table, all[len(all)*g/groups:len(all)*(g+1)/groups])
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	return cpu(b) - start
}

func dump(b *testing.B, db *sql.DB, table string) (all [][]any) {
	rows, err := db.Query("SELECT * FROM " + table)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
		row, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			b.Fatal(err)
		}
		all = append(all, row)
	}
	return all
}

func insert(b *testing.B, tx *sql.Tx, table string, rows [][]any) {
	const many = 100
	width := len(rows[0])
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", width), ",") + ")"
	stmt, err := tx.Prepare("INSERT INTO " + table + " VALUES " + strings.TrimSuffix(strings.Repeat(one+",", many), ","))
	if err != nil {
		b.Fatal(err)
	}
	defer stmt.Close()
	args := make([]any, 0, many*width)
	for len(rows) >= many {
		args = args[:0]
		for _, row := range rows[:many] {
			args = append(args, row...)
		}
		if _, err := stmt.Exec(args...); err != nil {
			b.Fatal(err)
		}
		rows = rows[many:]
	}
	for _, row := range rows {
		if _, err := tx.Exec("INSERT INTO "+table+" VALUES "+one, row...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFind looks users up by name, 100 in a call and one in a call.
func BenchmarkFind(b *testing.B) {
	e, _, _ := open(b, 0)
	const users = 20_000
	var changes []cloud.Change
	for n := range users {
		changes = append(changes, changesOf(n)[:1]...)
	}
	fill(b, e, changes)
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			keys := make([]cloud.Key, size)
			n, start := 0, cpu(b)
			for b.Loop() {
				for i := range keys {
					keys[i] = cloud.Key{Kind: cloud.ByName, Value: fmt.Sprintf(`CORP\user%07d`, n*7919%users)}
					n++
				}
				if found, err := e.Find(b.Context(), keys); err != nil || len(found[0]) != 1 {
					b.Fatal(found, err)
				}
			}
			b.ReportMetric(float64(n)/(cpu(b)-start).Seconds(), "lookups/cpu-s")
		})
	}
}

// BenchmarkVerify logs users in with a code in the request: verdict, use of
// the code and audit are durable before each answer. Callers and users are in
// the name: the more users, the less what is committed together has in common.
func BenchmarkVerify(b *testing.B) {
	for _, c := range []struct{ parallel, users int }{{1, 1000}, {64, 1000}, {256, 1000}, {64, 40_000}} {
		b.Run(fmt.Sprintf("%d-of-%d", c.parallel, c.users), func(b *testing.B) {
			parallel, users := c.parallel, int64(c.users)
			e, clock := opened(b)
			var changes []cloud.Change
			for n := range c.users {
				changes = append(changes, changesOf(n)...)
			}
			fill(b, e, changes)
			ids, err := e.Find(b.Context(), []cloud.Key{{Kind: cloud.ByUPN, Value: changes[0].UPN}})
			if err != nil || len(ids[0]) != 1 {
				b.Fatal(ids, err)
			}
			var next, approved atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(parallel / 2)
			b.ResetTimer()
			start := cpu(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := next.Add(1)
					at := time.Unix(1_790_000_010, 0).Add(time.Duration(n) * 30 * time.Second / time.Duration(users))
					clock.Store(at.UnixNano())
					login(b, e, int(n*7919%users), at, &approved)
				}
			})
			b.ReportMetric(float64(next.Load())/(cpu(b)-start).Seconds(), "logins/cpu-s")
			if share := float64(approved.Load()) / float64(next.Load()); share < 0.9 {
				b.Errorf("only %.2f of the logins were approved", share)
			}
		})
	}
}

func opened(b *testing.B) (*engine.Engine, *atomic.Int64) {
	_, s, path := open(b, 0)
	key, err := seal.LoadKey("file:" + path + ".key")
	if err != nil {
		b.Fatal(err)
	}
	clock := &atomic.Int64{}
	clock.Store(1_790_000_010_000_000_000)
	e, err := engine.Open(b.Context(), engine.Config{Store: s, Key: key, Now: func() time.Time { return time.Unix(0, clock.Load()) }})
	if err != nil {
		b.Fatal(err)
	}
	return e, clock
}

func login(b *testing.B, e *engine.Engine, n int, at time.Time, approved *atomic.Int64) {
	c, err := e.Begin(context.Background(), cloud.Request{
		Subject: cloud.Key{Kind: cloud.ByName, Value: fmt.Sprintf(`CORP\user%07d`, n)}, Tries: 1, Key: fmt.Sprintf("%d-%d", n, at.Unix()),
		Client: cloud.Client{App: "vpn", Station: fmt.Sprintf("station-%d", n)},
		Code:   secret.New(cloudtest.Code(cloudtest.Seed(n), &cloud.OATH{Algorithm: cloud.SHA1, Digits: 6, Period: 30}, at).Reveal())})
	if err != nil {
		b.Error(err)
	} else if c.State == cloud.Approved {
		approved.Add(1)
	}
}
