package migrate

import (
	"errors"
	"fmt"
	"iter"
	"strings"
)

// csvRow is one record of a CSV file and the line on which it begins.
type csvRow struct {
	line  int
	cells []string
}

// csvRows splits a text as RFC 4180 says, lines ended by LF or CR LF. Empty
// lines are left out. The first error ends it; it begins with its line.
func csvRows(text string) iter.Seq2[csvRow, error] {
	return func(yield func(csvRow, error) bool) {
		s := csvText{rest: strings.TrimPrefix(text, "\ufeff"), line: 1}
		for s.rest != "" {
			if s.lineEnd() {
				continue
			}
			row := csvRow{line: s.line}
			for more := true; more; {
				cell, another, err := s.cell()
				if err != nil {
					yield(csvRow{}, fmt.Errorf("%d: %w", s.line, err))
					return
				}
				row.cells = append(row.cells, cell)
				more = another
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// csvText is what is left to be split.
type csvText struct {
	rest string
	line int
}

// lineEnd takes the end of a line, if that is what comes next. At the begin of a
// row it is an empty line; one of two quotes is not, it has an empty field.
func (s *csvText) lineEnd() bool {
	after, found := strings.CutPrefix(strings.TrimPrefix(s.rest, "\r"), "\n")
	if found {
		s.rest = after
		s.line++
	}
	return found
}

// cell takes one cell and what ends it; another says that the row goes on.
func (s *csvText) cell() (cell string, another bool, err error) {
	if strings.HasPrefix(s.rest, `"`) {
		if cell, err = s.quoted(); err != nil {
			return "", false, err
		}
	} else {
		end := strings.IndexAny(s.rest, ",\r\n")
		if end < 0 {
			end = len(s.rest)
		}
		cell, s.rest = s.rest[:end], s.rest[end:]
		if strings.Contains(cell, `"`) {
			return "", false, errors.New("a quote stands within a field that does not begin with one")
		}
	}
	switch {
	case s.rest == "":
		return cell, false, nil
	case s.rest[0] == ',':
		s.rest = s.rest[1:]
		return cell, true, nil
	}
	if !s.lineEnd() {
		return "", false, errors.New("something stands between the end of a field and the comma or line end")
	}
	return cell, false, nil
}

// quoted takes a cell in quotes; two quotes in it are one.
func (s *csvText) quoted() (string, error) {
	var cell strings.Builder
	rest := s.rest[1:]
	for {
		part, after, ok := strings.Cut(rest, `"`)
		if !ok {
			return "", errors.New("a quoted field has no end")
		}
		cell.WriteString(part)
		if rest, ok = strings.CutPrefix(after, `"`); !ok {
			s.rest = after
			s.line += strings.Count(cell.String(), "\n")
			return cell.String(), nil
		}
		cell.WriteByte('"')
	}
}
