package rows

import "mfabridge/cloud/engine/tries"

// Columns of failures. Before the keys stands the user's.
const (
	FailuresKeys    = "way, place"
	FailuresColumns = "count, last"
)

// Failures reads a count, whose keys are not in the row or read before.
func Failures(r Row) tries.Failures {
	return tries.Failures{Count: int(r.Number()), Last: clock(r)}
}

// CounterValues appends the keys, the user first.
func CounterValues(to []any, c tries.Counter) []any { return append(to, c.User, c.Way, c.Place) }

// FailuresValues appends what is written, the keys first.
func FailuresValues(to []any, c tries.Counter, f tries.Failures) []any {
	return append(CounterValues(to, c), int64(f.Count), Nanos(f.Last))
}
