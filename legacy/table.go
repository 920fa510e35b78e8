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
	columns []column
	keys    []int    // of these columns at least one is needed
	passed  []string // folded columns that nothing is read from, and that everybody knows of
}

// column is one column of a schema.
type column struct {
	name  string
	also  []string // other names
	quiet bool     // its values are never quoted
}

// heading is a column of a file: named in a header, or met in a row.
type heading struct {
	name      string
	number    int // from 1; 0: the form knows no order
	line, col int
	column    int // of the schema, or -1
}

// reading is what all forms of a table need to know.
type reading struct {
	file    string // in messages
	schema  schema
	mapping map[string]string     // see Options.Map
	found   func(h heading) error // is told of each column once; may be nil
}

// openTable opens a table of any form.
func openTable(in io.Reader, form form, encoding string, o reading) (table, error) {
	t, err := decodeText(in, o.file, encoding)
	if err != nil {
		return nil, err
	}
	switch form {
	case formLines:
		return openLines(t, o)
	case formXML:
		return openXML(t, o)
	default:
		return openCSV(t, o)
	}
}

// column finds what a name of a column means.
func (o *reading) column(name string) int {
	folded := foldHeader(name)
	if ours, ok := o.mapping[folded]; ok {
		folded = foldHeader(ours)
	}
	return o.schema.find(folded)
}

func (o *reading) tell(h heading) error {
	if o.found == nil {
		return nil
	}
	return o.found(h)
}

// csvTable is a table in CSV with a header.
type csvTable struct {
	split  *splitter
	header []string
	bound  []int // position in the file: column of the schema, or -1
}

// openCSV reads the header.
func openCSV(r text, o reading) (*csvTable, error) {
	t := &csvTable{split: newSplitter(r)}
	_, fields, err := t.split.next()
	if bad, ok := err.(*badRow); ok && bad.text == endsWithCR {
		return nil, crAlone(o.file)
	} else if ok {
		return nil, hint.New(fmt.Sprintf("%s has no readable header: line %d, column %d: %s", o.file, bad.line, bad.col, bad.text),
			"the first line must name the columns, separated by commas; a file that is not UTF-8 needs a byte order mark or --encoding")
	}
	if err == io.EOF {
		return nil, hint.New(o.file+" is empty", "export it again; the first line must name the columns")
	}
	if err != nil {
		return nil, err
	}
	return t, t.bind(fields, o)
}

// crAlone refuses a file of which every line would be one.
func crAlone(file string) error {
	return hint.New(file+" has no readable header: "+endsWithCR, "save it with line ends as Windows or Unix have them")
}

// bind finds the columns of the schema in the header.
func (t *csvTable) bind(fields []field, o reading) error {
	at := make([]int, len(o.schema.columns)) // position from 1
	for i, f := range fields {
		if bytes.Count(f.text, []byte{'\r'}) > bytes.Count(f.text, []byte("\r\n")) {
			return crAlone(o.file)
		}
		name := strings.TrimSpace(string(f.text))
		column := o.column(name)
		t.header = append(t.header, name)
		t.bound = append(t.bound, column)
		if column >= 0 && at[column] > 0 {
			return hint.New(fmt.Sprintf("%s has the column %s twice, as columns %d and %d of the header", o.file, o.schema.columns[column].name, at[column], i+1),
				"remove or rename one of them; upper case, spaces, _ and - do not tell columns apart")
		}
		if column >= 0 {
			at[column] = i + 1
		}
	}
	if !slices.ContainsFunc(o.schema.keys, func(key int) bool { return at[key] > 0 }) {
		return keyMissing(fields, o)
	}
	for i, f := range fields {
		if err := o.tell(heading{t.header[i], i + 1, f.line, f.col, t.bound[i]}); err != nil {
			return err
		}
	}
	return nil
}

func (s schema) find(folded string) int {
	return slices.IndexFunc(s.columns, func(c column) bool {
		return foldHeader(c.name) == folded || slices.ContainsFunc(c.also, func(a string) bool { return foldHeader(a) == folded })
	})
}

// keyMissing does not quote the header: without a key it may be a row of
// values.
func keyMissing(fields []field, o reading) error {
	var names []string
	for _, key := range o.schema.keys {
		names = append(names, o.schema.columns[key].name)
	}
	advice := "the first line must name the columns; --map THEIRS=" + names[0] + " gives a column of yours that meaning"
	switch first := foldHeader(string(fields[0].text[:min(len(fields[0].text), 64)])); {
	case strings.HasPrefix(first, "#type"):
		advice = "its first line is PowerShell's #TYPE: export again with -NoTypeInformation, or take that line out"
	case strings.HasPrefix(first, "sep="):
		advice = "its first line tells a spreadsheet what separates the columns: take that line out; they must be separated by commas"
	case len(fields) == 1:
		for _, s := range []struct{ is, name string }{{";", "semicolons"}, {"\t", "tabs"}, {"|", "bars"}} {
			if bytes.Contains(fields[0].text, []byte(s.is)) {
				advice = "columns must be separated by commas, and this header has " + s.name + "; docs/formats/users.md says how to convert it"
				break
			}
		}
	}
	return hint.New(fmt.Sprintf("%s has no column %s", o.file, orList(names)), advice)
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

// orList is "a", "a or b" or "a, b or c".
func orList(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
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
			cells[column] = cell{trimmed(f.text), f.line, f.col}
		}
	}
	return line, nil
}

// trimmed is bytes.TrimSpace; most values have no space to be looked for.
func trimmed(text []byte) []byte {
	if n := len(text); n == 0 || isGraphic(text[0]) && isGraphic(text[n-1]) {
		return text
	}
	return bytes.TrimSpace(text)
}

func isGraphic(c byte) bool { return ' ' < c && c <= '~' }

func (t *csvTable) wrongWidth(line int, fields []field) *badRow {
	text := fmt.Sprintf("the row has %d fields, the header has %d", len(fields), len(t.bound))
	if len(fields) > len(t.bound) {
		extra := fields[len(t.bound)]
		return &badRow{line: extra.line, col: extra.col, position: -1, text: text + "; a value that holds a comma must be quoted"}
	}
	return &badRow{line: line, position: -1, text: text}
}
