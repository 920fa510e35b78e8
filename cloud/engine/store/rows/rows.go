// Package rows says how the types of the engine stand in the tables of a
// database, for all drivers of stores. What a type T has here are its columns
// (TColumns), how it is read from them (T) and what is written into them
// (TValues): a new field is a change of these three, and a column in the schema
// of each driver. The statements around them are the driver's.
//
// The column that names a user is not in the lists, since the drivers call it
// differently. Where a table has it, it stands before the others.
package rows

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Row gives the columns of one row, the next with each call. What is NULL, or of
// another type, is the zero value. What it gave can be kept.
type Row interface {
	Text() string
	Number() int64
	Bytes() []byte
}

// Put is the statement that inserts a row or replaces the one that has the same
// keys. All are lists of columns, divided by ", ".
func Put(table, keys, columns string) string {
	all, named := strings.Split(columns, ", "), strings.Split(keys, ", ")
	var values, set []string
	for i, c := range all {
		values = append(values, fmt.Sprintf("$%d", i+1))
		if !slices.Contains(named, c) {
			set = append(set, c+" = excluded."+c)
		}
	}
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + strings.Join(values, ", ") + ") " +
		"ON CONFLICT (" + keys + ") DO UPDATE SET " + strings.Join(set, ", ")
}

// Nanos is how a time is written: nanoseconds since the epoch, 0 for the zero time.
func Nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// clock reads what Nanos has written.
func clock(r Row) time.Time {
	n := r.Number()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// Full is the value of a column of bytes that cannot be NULL.
func Full(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// lines are texts in one column, one a line.
func lines(list []string) string { return strings.Join(list, "\n") }

func ofLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
