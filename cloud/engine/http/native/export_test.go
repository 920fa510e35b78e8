package native

import "mfabridge/cloud/engine"

// Row is a row of the table of steps.
type Row struct {
	Path, Grant string
	From        []engine.Step
	Must        []string
}

// Rows is the table of steps.
func Rows() (rows []Row) {
	for _, s := range New(Options{}).steps() {
		rows = append(rows, Row{s.path, s.grant, s.from, s.must})
	}
	return rows
}
