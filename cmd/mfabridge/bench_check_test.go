package main

import (
	"database/sql"
	"fmt"
	"testing"
)

// BenchmarkCheckProcess: at most twice the CPU of reading the rows that check
// has to read, those of users and changes in the plan, of the journal and of
// the store, with the plain driver and without a look at them. The two take
// turns; the medians of five rounds are compared.
func BenchmarkCheckProcess(b *testing.B) {
	const rounds = 5
	s := exported(b, 100_000)
	measured(b, s.planArgs()...)
	measured(b, "apply", s.plan)
	memory := measured(b, "check", s.plan).memory
	for b.Loop() {
		var checked, read, undoing []float64
		rows := 0
		for range rounds {
			checked = append(checked, measured(b, "check", s.plan).cpu.Seconds())
			begun := cpuOfSelf(b)
			rows = readRows(b, s.plan, "users", "changes") + readRows(b, s.plan+".journal", "users") +
				readRows(b, s.path("cloud.db"), "users", "names", "tokens")
			read = append(read, (cpuOfSelf(b) - begun).Seconds())
		}
		undoing = append(undoing, measured(b, "undo", s.plan).cpu.Seconds())
		b.ReportMetric(median(checked), "CPU-s")
		b.ReportMetric(float64(memory), "MiB")
		b.ReportMetric(median(read), "read-CPU-s")
		b.ReportMetric(median(checked)/median(read), "x-read")
		b.ReportMetric(float64(rows), "rows")
		b.ReportMetric(median(undoing), "undo-CPU-s")
		b.StopTimer()
		measured(b, "apply", s.plan)
		b.StartTimer()
	}
}

// readRows reads whole tables row by row, and keeps nothing.
func readRows(b *testing.B, path string, tables ...string) (rows int) {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for _, table := range tables {
		rows += readTable(b, db, table)
	}
	return rows
}

func readTable(b *testing.B, db *sql.DB, table string) (n int) {
	b.Helper()
	rows, err := db.Query("SELECT * FROM " + table)
	if err != nil {
		b.Fatal(fmt.Errorf("%s: %w", table, err))
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		b.Fatal(err)
	}
	row, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range row {
		into[i] = &row[i]
	}
	for ; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			b.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return n
}
