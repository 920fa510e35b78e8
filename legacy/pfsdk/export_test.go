package pfsdk

import "io"

// Understand is the reading of a live answer, for the fuzz test: how many
// records come of it, and whether one is about somebody unnamed.
func Understand(o Operation, body io.Reader) (records int, err error) {
	answer, err := understand(o, body, MaxAnswer)
	return len(answer.records), err
}
