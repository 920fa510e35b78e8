package legacy

import (
	"fmt"
	"io"
)

// SplitRow is a row as the splitter cuts it, or what is wrong with it.
type SplitRow struct {
	Line   int
	Values []string
	Places []string // "line:column"
	Bad    string   // "line:column text"
}

// Split cuts everything in r.
func Split(r io.Reader) ([]SplitRow, error) {
	var rows []SplitRow
	s := newSplitter(text{r, wrongUTF8})
	for {
		line, fields, err := s.next()
		row := SplitRow{Line: line}
		if bad, ok := err.(*badRow); ok {
			row.Bad = fmt.Sprintf("%d:%d %s", bad.line, bad.col, bad.text)
		} else if err == io.EOF {
			return rows, nil
		} else if err != nil {
			return rows, err
		}
		for _, f := range fields {
			row.Values = append(row.Values, string(f.text))
			row.Places = append(row.Places, fmt.Sprintf("%d:%d", f.line, f.col))
		}
		rows = append(rows, row)
	}
}

// SplitCount cuts everything and counts fields, for benchmarks.
func SplitCount(r io.Reader) (fields int, err error) {
	s := newSplitter(text{r, wrongUTF8})
	for {
		_, f, err := s.next()
		if err == io.EOF {
			return fields, nil
		}
		if _, bad := err.(*badRow); err != nil && !bad {
			return fields, err
		}
		fields += len(f)
	}
}

// Decode is what tables are read through.
func Decode(r io.Reader, encoding string) io.Reader {
	t, err := decodeText(r, "table", encoding)
	if err != nil {
		return io.MultiReader(failing{err})
	}
	return t
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// XMLCount reads all rows of a table of users in XML, for benchmarks.
func XMLCount(r io.Reader) (rows int, err error) {
	s := usersSchema()
	t, err := openXML(text{r, wrongUTF8}, reading{file: "users.xml", schema: s})
	if err != nil {
		return 0, err
	}
	cells := make([]cell, len(s.columns))
	for ; ; rows++ {
		clear(cells)
		_, err := t.next(cells)
		if _, bad := err.(*badRow); err != nil && !bad {
			if err == io.EOF {
				err = nil
			}
			return rows, err
		}
	}
}

// Columns are all names of columns by the page of docs/formats that lists them,
// and of settings likewise.
func Columns() map[string][]string {
	all := map[string][]string{}
	for page, s := range map[string]schema{"users": usersSchema(), "devices": devicesSchema(), "tokens": tokensSchema(), "activity": activitySchema()} {
		for _, c := range s.columns {
			all[page] = append(append(all[page], c.name), c.also...)
		}
	}
	b := &binder{}
	var s Settings
	for _, f := range []fields{b.settings(&s), b.defaults(&s.Defaults), b.portal(&s.UserPortal)} {
		for key := range f {
			all["settings"] = append(all["settings"], key)
		}
	}
	return all
}

// Trimmed is for tests of what has a short way for most and a long one for the rest.
var Trimmed = trimmed
