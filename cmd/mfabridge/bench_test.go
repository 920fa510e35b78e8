package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"mfabridge/fixtures/gen"
)

// The benchmarks of whole commands run them as processes of their own and ask
// the system what they used: CPU time, user and system, and the most memory.

// processUsage is what a process has used.
type processUsage struct {
	cpu    time.Duration
	memory int64 // MiB
}

func measured(b *testing.B, args ...string) processUsage {
	b.Helper()
	return measuredTo(b, nil, args...)
}

// measuredTo is measured with the result handed on; nil: it is kept to be
// shown with an error.
func measuredTo(b *testing.B, to io.Writer, args ...string) processUsage {
	b.Helper()
	cmd := child(context.Background(), args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if to != nil {
		cmd.Stdout = to
	}
	if err := cmd.Run(); err != nil {
		b.Fatalf("mfabridge %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return usedBy(cmd)
}

func usedBy(cmd *exec.Cmd) processUsage {
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return processUsage{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), memory: u.Maxrss >> 10}
}

// exported writes an export of n users with devices and tokens in another
// order than the users.
func exported(b *testing.B, n int) story {
	b.Helper()
	s := story{folder: b.TempDir()}
	s.plan, s.store = s.path("move.plan"), "sqlite:"+s.path("cloud.db")
	if err := os.Mkdir(s.path("export"), 0o700); err != nil {
		b.Fatal(err)
	}
	if err := gen.Write(s.path("export"), gen.Options{Users: n, Seed: 5, Unsorted: true, DeviceSecrets: true}); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s story) planArgs() []string {
	return []string{"plan", s.path("export"), "--to", s.store, "-o", s.plan, "--create-users", "--default-country", "US", "--overwrite"}
}

// BenchmarkPlanProcess: 1,000,000 users within 45 CPU seconds and 256 MiB, flat
// from 100,000 up, and their JSON within 20 CPU seconds. The anchor is a
// raw bulk load of the rows of the plan, as plain SQLite does it.
func BenchmarkPlanProcess(b *testing.B) {
	for _, users := range []int{100_000, 300_000, 1_000_000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			s := exported(b, users)
			for b.Loop() {
				u := measured(b, s.planArgs()...)
				b.ReportMetric(u.cpu.Seconds(), "CPU-s")
				b.ReportMetric(float64(u.memory), "MiB")
				shown := measuredTo(b, io.Discard, "show", s.plan, "--format", "json")
				b.ReportMetric(shown.cpu.Seconds(), "show-CPU-s")
				b.ReportMetric(float64(shown.memory), "show-MiB")
			}
		})
	}
	// Last, because a child's memory counts what this process holds.
	b.Run("beside-raw", func(b *testing.B) {
		s := exported(b, 100_000)
		for b.Loop() {
			u := measured(b, s.planArgs()...)
			shown := measuredTo(b, io.Discard, "show", s.plan, "--format", "json")
			raw, rows := rawLoad(b, s.plan)
			b.ReportMetric(u.cpu.Seconds()/raw.Seconds(), "x-raw")
			b.ReportMetric(shown.cpu.Seconds()/raw.Seconds(), "show-x-raw")
			b.ReportMetric(float64(rows), "rows")
		}
	})
}

// BenchmarkBoardProcess: the page of 100,000 users within 5 CPU seconds and
// 30 MB, beside the JSON of the same plan.
func BenchmarkBoardProcess(b *testing.B) {
	s := exported(b, 100_000)
	measured(b, s.planArgs()...)
	page := s.path("page.html")
	for b.Loop() {
		html := measured(b, "show", s.plan, "--format", "html", "-o", page, "--overwrite")
		json := measured(b, "show", s.plan, "--format", "json", "-o", s.path("page.json"), "--overwrite")
		info, err := os.Stat(page)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(html.cpu.Seconds(), "CPU-s")
		b.ReportMetric(float64(html.memory), "MiB")
		b.ReportMetric(float64(info.Size())/1e6, "MB")
		b.ReportMetric(html.cpu.Seconds()/json.cpu.Seconds(), "x-json")
	}
}

// BenchmarkApplyProcess: at most 4 times the CPU of a raw bulk load of the
// rows that apply leaves in the store and in the journal. The two take turns;
// the medians of five rounds are compared, because the machine is not quiet.
func BenchmarkApplyProcess(b *testing.B) {
	const rounds = 5
	s := exported(b, 100_000)
	measured(b, s.planArgs()...)
	// The system counts what the parent had at the fork as the child's; so the
	// memory is taken before this process holds all rows.
	memory := measured(b, "apply", s.plan).memory
	for b.Loop() {
		var applied, raw []float64
		rows := 0
		for range rounds {
			s.startOver(b)
			u := measured(b, "apply", s.plan)
			applied = append(applied, u.cpu.Seconds())
			var loaded time.Duration
			loaded, rows = rawLoad(b, s.path("cloud.db"), s.plan+".journal")
			raw = append(raw, loaded.Seconds())
		}
		b.ReportMetric(median(applied), "CPU-s")
		b.ReportMetric(float64(memory), "MiB")
		b.ReportMetric(median(raw), "raw-CPU-s")
		b.ReportMetric(median(applied)/median(raw), "x-raw")
		b.ReportMetric(float64(rows), "rows")
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// rawLoad reads all rows of some databases into memory and then loads them
// into new ones of the same schema as fast as plain SQLite does it from Go: a
// hundred rows a statement, a commit every 10,000, WAL, FULL. Only the loading
// counts.
func rawLoad(b *testing.B, paths ...string) (cpu time.Duration, rows int) {
	b.Helper()
	for _, path := range paths {
		tables := readTables(b, path)
		begun := cpuOfSelf(b)
		for _, t := range tables.rows {
			rows += len(t)
		}
		tables.load(b, filepath.Join(b.TempDir(), "raw.db"))
		cpu += cpuOfSelf(b) - begun
	}
	return cpu, rows
}

func cpuOfSelf(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// contents are a database in memory.
type contents struct {
	schema  []string
	names   []string
	columns map[string]int
	rows    map[string][][]any
}

func readTables(b *testing.B, path string) contents {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	c := contents{columns: map[string]int{}, rows: map[string][][]any{}}
	for _, row := range query(b, db, "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'") {
		c.schema = append(c.schema, fmt.Sprint(row[2]))
		if fmt.Sprint(row[0]) == "table" {
			c.names = append(c.names, fmt.Sprint(row[1]))
		}
	}
	for _, name := range c.names {
		c.rows[name] = query(b, db, "SELECT * FROM "+name)
		if len(c.rows[name]) > 0 {
			c.columns[name] = len(c.rows[name][0])
		}
	}
	return c
}

func query(b *testing.B, db *sql.DB, text string) [][]any {
	b.Helper()
	rows, err := db.Query(text)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		b.Fatal(err)
	}
	var all [][]any
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			b.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return all
}

func (c contents) load(b *testing.B, path string) {
	b.Helper()
	const perStatement, perCommit = 100, 10_000
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal=WAL&_sync=FULL&_cache_size=-65536")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range c.schema {
		if _, err := db.Exec(statement); err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range c.names {
		one := "(" + strings.TrimSuffix(strings.Repeat("?,", c.columns[name]), ",") + ")"
		for part := range slices.Chunk(c.rows[name], perCommit) {
			tx, err := db.Begin()
			if err != nil {
				b.Fatal(err)
			}
			insert, err := tx.Prepare("INSERT INTO " + name + " VALUES " + strings.TrimSuffix(strings.Repeat(one+",", perStatement), ","))
			if err != nil {
				b.Fatal(err)
			}
			for rows := range slices.Chunk(part, perStatement) {
				if err := insertRows(tx, insert, name, one, rows, perStatement); err != nil {
					b.Fatal(err)
				}
			}
			if err := tx.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func insertRows(tx *sql.Tx, insert *sql.Stmt, name, one string, rows [][]any, full int) error {
	values := slices.Concat(rows...)
	if len(rows) == full {
		_, err := insert.Exec(values...)
		return err
	}
	_, err := tx.Exec("INSERT INTO "+name+" VALUES "+strings.TrimSuffix(strings.Repeat(one+",", len(rows)), ","), values...)
	return err
}
