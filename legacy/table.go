package legacy

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"mfabridge/internal/hint"
)

// table yields the rows of one file, one after the other, with the place of
// each value.
type table interface {
	// next fills cells, one for each column of the schema; columns that the
	// table does not have stay zero. What a cell holds is valid until the next
	// call. The error is io.EOF at the end, a *badRow after which next may be
	// called again, or one of reading, which is final.
	next(cells []cell) (line int, err error)
}

// cell is one value, without the space around it.
type cell struct {
	text      []byte
	line, col int // col 0: the table has no such column
}

// schema is what a table may hold.
type schema struct {
	file    string
	columns []column
	keys    []int // of these columns at least one is needed
}

// column is one column of a schema.
type column struct {
	name  string
	also  string // another name, or empty
	quiet bool   // its values are never quoted
}

// csvTable is a table in CSV with a header.
type csvTable struct {
	split  *splitter
	header []string
	bound  []int // position in the file: column of the schema, or -1
}

// unknown is a column of a file that the schema does not have.
type unknown struct {
	name      string
	number    int // from 1
	line, col int
}

// openCSV reads the header. mapping leads from a folded header to the name of
// a column; see Options.Map.
func openCSV(r io.Reader, s schema, mapping map[string]string) (*csvTable, []unknown, error) {
	t := &csvTable{split: newSplitter(r)}
	if err := t.skipMark(s.file); err != nil {
		return nil, nil, err
	}
	_, fields, err := t.split.next()
	if bad, ok := err.(*badRow); ok {
		return nil, nil, hint.New(fmt.Sprintf("%s has no readable header: line %d, column %d: %s", s.file, bad.line, bad.col, bad.text),
			"the first line must name the columns, in UTF-8, separated by commas")
	}
	if err == io.EOF {
		return nil, nil, hint.New(s.file+" is empty", "export it again; the first line must name the columns")
	}
	if err != nil {
		return nil, nil, err
	}
	others, err := t.bind(fields, s, mapping)
	return t, others, err
}

// skipMark passes over the byte order mark of UTF-8 and refuses UTF-16, which
// cannot be told from a broken file later on.
func (t *csvTable) skipMark(file string) error {
	if err := t.split.fill(); err != nil {
		return err
	}
	b := t.split.buf[:t.split.end]
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		t.split.pos = 3
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		return hint.New(file+" is UTF-16, which is not read", "save it as UTF-8")
	}
	return nil
}

// bind finds the columns of the schema in the header.
func (t *csvTable) bind(fields []field, s schema, mapping map[string]string) ([]unknown, error) {
	var others []unknown
	at := make([]int, len(s.columns)) // position from 1
	for i, f := range fields {
		name := strings.TrimSpace(string(f.text))
		folded := foldHeader(name)
		if ours, ok := mapping[folded]; ok {
			folded = foldHeader(ours)
		}
		column := s.find(folded)
		t.header = append(t.header, name)
		t.bound = append(t.bound, column)
		switch {
		case column < 0:
			others = append(others, unknown{name, i + 1, f.line, f.col})
		case at[column] > 0:
			return nil, hint.New(fmt.Sprintf("%s has the column %s twice, as columns %d and %d of the header", s.file, s.columns[column].name, at[column], i+1),
				"remove or rename one of them; upper case, spaces, _ and - do not tell columns apart")
		default:
			at[column] = i + 1
		}
	}
	for _, key := range s.keys {
		if at[key] > 0 {
			return others, nil
		}
	}
	return nil, s.keyMissing(fields)
}

func (s schema) find(folded string) int {
	return slices.IndexFunc(s.columns, func(c column) bool {
		return foldHeader(c.name) == folded || c.also != "" && foldHeader(c.also) == folded
	})
}

// keyMissing does not quote the header: without a key it may be a row of
// values.
func (s schema) keyMissing(fields []field) error {
	var names []string
	for _, key := range s.keys {
		names = append(names, s.columns[key].name)
	}
	advice := "the first line must name the columns; --map THEIRS=" + names[0] + " gives a column of yours that meaning"
	if len(fields) == 1 && bytes.ContainsAny(fields[0].text, ";\t|") {
		advice = "columns must be separated by commas; this header seems to use something else"
	}
	return hint.New(fmt.Sprintf("%s has no column %s", s.file, strings.Join(names, " or ")), advice)
}

// foldHeader is the form in which headers are compared.
func foldHeader(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return foldRune(r)
	}, name)
}

// spelled returns the names of the schema's columns as the header has them.
func (t *csvTable) spelled(s schema) []string {
	names := make([]string, len(s.columns))
	for position, column := range t.bound {
		if column >= 0 {
			names[column] = t.header[position]
		}
	}
	return names
}

func (t *csvTable) next(cells []cell) (int, error) {
	line, fields, err := t.split.next()
	if bad, ok := err.(*badRow); ok && bad.position >= 0 && bad.position < len(t.header) {
		bad.field = t.header[bad.position]
	}
	if err != nil {
		return line, err
	}
	if len(fields) != len(t.bound) {
		return line, t.wrongWidth(line, fields)
	}
	for i, f := range fields {
		if column := t.bound[i]; column >= 0 {
			cells[column] = cell{bytes.TrimSpace(f.text), f.line, f.col}
		}
	}
	return line, nil
}

func (t *csvTable) wrongWidth(line int, fields []field) *badRow {
	text := fmt.Sprintf("the row has %d fields, the header has %d", len(fields), len(t.bound))
	if len(fields) > len(t.bound) {
		extra := fields[len(t.bound)]
		return &badRow{line: extra.line, col: extra.col, position: -1, text: text + "; a value that holds a comma must be quoted"}
	}
	return &badRow{line: line, position: -1, text: text}
}
