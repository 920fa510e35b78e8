package migrate

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mfabridge/internal/hint"
)

// Limits of a file of acceptances. All that it says fits into one cell of a
// plan file, however it has to be escaped there.
const (
	MaxAcceptFile  = 2 << 20 // bytes of the file
	MaxAcceptances = 20_000  // lines
	maxAcceptCell  = 1 << 10 // bytes of one cell
	acceptAdvice   = "each line has code, user, reason and approver; docs/reports.md shows a file"
)

// Acceptance says that somebody knows of a finding and lives with it: it does
// not count against a gate any more. It is not gone: reports and the plan name
// it, with reason and approver.
type Acceptance struct {
	Code     Code
	User     string // the Username; of a finding that names none, its place
	Reason   string
	Approver string
	Line     int // where it stands in its file, from 1
}

// Accepted are the acceptances of one file. It notes which of them a plan has
// met; one Accepted is for one plan or inspection.
type Accepted struct {
	name    string
	entries []Acceptance
	at      map[acceptKey]int
	met     []bool
}

type acceptKey struct {
	code Code
	user string // folded
}

// ReadAccepted reads a file of acceptances: CSV as RFC 4180 has it, in UTF-8,
// with the header code,user,reason,approver in any order. All four have to be
// filled in; name is what errors call the file, each with its line. A code
// that there is not, a column that there is not, and one finding accepted
// twice are errors.
func ReadAccepted(r io.Reader, name string) (*Accepted, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxAcceptFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	if len(text) > MaxAcceptFile {
		return nil, hint.New(fmt.Sprintf("%s is larger than %d bytes", name, MaxAcceptFile), "correct what so many findings have in common")
	}
	a := &Accepted{name: name, at: map[acceptKey]int{}}
	if err := a.read(string(text)); err != nil {
		return nil, hint.Wrap(err, acceptAdvice)
	}
	a.met = make([]bool, len(a.entries))
	return a, nil
}

func (a *Accepted) read(text string) error {
	known := newFindings()
	var columns []int
	for row, err := range csvRows(text) {
		switch {
		case err != nil:
			return fmt.Errorf("%s:%w", a.name, err)
		case columns == nil:
			if columns, err = acceptColumns(row.cells); err != nil {
				return fmt.Errorf("%s:%d: %w", a.name, row.line, err)
			}
		default:
			if err := a.add(row, columns, known); err != nil {
				return fmt.Errorf("%s:%d: %w", a.name, row.line, err)
			}
		}
	}
	if columns == nil {
		return fmt.Errorf("%s is empty", a.name)
	}
	return nil
}

// acceptColumns says which cell is which of code, user, reason and approver.
func acceptColumns(header []string) ([]int, error) {
	names := []string{"code", "user", "reason", "approver"}
	columns := make([]int, len(names))
	for i, name := range names {
		at := slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), name) })
		if at < 0 {
			return nil, fmt.Errorf("the header has no column %s", name)
		}
		columns[i] = at
	}
	if len(header) > len(names) {
		return nil, fmt.Errorf("the header has %d columns, not %d", len(header), len(names))
	}
	return columns, nil
}

func (a *Accepted) add(row csvRow, columns []int, known findings) error {
	if len(row.cells) != len(columns) {
		return fmt.Errorf("the line has %d fields, the header has %d", len(row.cells), len(columns))
	}
	cell := func(i int) string { return strings.TrimSpace(row.cells[columns[i]]) }
	e := Acceptance{Code: Code(strings.ToUpper(cell(0))), User: cell(1), Reason: cell(2), Approver: cell(3), Line: row.line}
	for i, name := range []string{"code", "user", "reason", "approver"} {
		switch v := cell(i); {
		case v == "":
			return fmt.Errorf("%s is empty", name)
		case len(v) > maxAcceptCell:
			return fmt.Errorf("%s is longer than %d bytes", name, maxAcceptCell)
		case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl):
			return fmt.Errorf("%s holds something else than text in UTF-8 on one line", name)
		}
	}
	if _, ok := known[e.Code]; !ok {
		return fmt.Errorf("there is no finding %q", Plain(string(e.Code)))
	}
	key := acceptKey{e.Code, fold(e.User)}
	if first, twice := a.at[key]; twice {
		return fmt.Errorf("%s of %s is accepted on line %d already", e.Code, Plain(e.User), a.entries[first].Line)
	}
	if len(a.entries) == MaxAcceptances {
		return fmt.Errorf("there are more than %d acceptances", MaxAcceptances)
	}
	a.at[key] = len(a.entries)
	a.entries = append(a.entries, e)
	return nil
}

// Entries returns all acceptances, in the order of the file. A nil Accepted
// has none.
func (a *Accepted) Entries() []Acceptance {
	if a == nil {
		return nil
	}
	return slices.Clone(a.entries)
}

// Unmet lists the acceptances that no finding was met by, each as a sentence
// with its place: the finding is gone, or the user is not in the export.
func (a *Accepted) Unmet() []string {
	if a == nil {
		return nil
	}
	var out []string
	for i, e := range a.entries {
		if !a.met[i] {
			out = append(out, fmt.Sprintf("%s:%d: the export gives no finding %s of %s", a.name, e.Line, e.Code, Plain(e.User)))
		}
	}
	return out
}

// mark tells a finding that it is accepted, if it is. name is the Username, or
// the place of a finding without one.
func (a *Accepted) mark(f *Finding, name string) {
	if a == nil {
		return
	}
	if i, ok := a.at[acceptKey{f.Code, fold(name)}]; ok {
		a.met[i] = true
		f.Accepted = &a.entries[i]
	}
}
