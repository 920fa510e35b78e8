package legacy

import (
	"bytes"
	"fmt"
)

// cutter finds where one row and its fields end, without changing anything: a
// row of which more has to be read is simply cut again.
type cutter struct {
	spans []span
	size  int // bytes of the row with its line end
	line  int // of what follows the row

	openLine, openCol int // of a quote that is not closed; 0: none
}

// span is where a field stands in its row, quotes left out.
type span struct {
	start, end int
	line, col  int // of the field, with the quote
	doubled    bool
}

// outcome of cutting one row.
type outcome uint8

const (
	rowWhole outcome = iota
	rowBlank         // a line without any character
	rowOpen          // it goes on beyond what was read
	rowBad
)

// row cuts the row at the start of b, which is on the given line. last tells
// that nothing follows b.
func (c *cutter) row(b []byte, last bool, line int) (outcome, *badRow) {
	c.spans, c.openLine = c.spans[:0], 0
	lineStart := 0
	for i := 0; ; i++ {
		if len(c.spans) == MaxColumns {
			return rowBad, &badRow{line: line, col: i - lineStart + 1, position: -1, text: fmt.Sprintf("the row has more than %d fields", MaxColumns)}
		}
		f := span{start: i, line: line, col: i - lineStart + 1}
		if i < len(b) && b[i] == '"' {
			if i = f.quoted(b, last); i < 0 {
				c.openLine, c.openCol = f.line, f.col
				return c.unclosed(last)
			}
			if n := bytes.Count(b[f.start:f.end], newline()); n > 0 {
				line += n
				lineStart = f.start + bytes.LastIndexByte(b[f.start:f.end], '\n') + 1
			}
		} else {
			for i < len(b) && b[i] != ',' && b[i] != '\n' && b[i] != '"' {
				i++
			}
			f.end = i
		}
		switch {
		case i < len(b) && b[i] == ',':
			c.spans = append(c.spans, f)
			continue
		case i == len(b) && !last:
			return rowOpen, nil
		case i < len(b) && b[i] != '\n':
			return rowBad, f.stray(b, i, line, lineStart, len(c.spans))
		}
		return c.close(b, f, i, line), nil
	}
}

// close ends the row at i, a line end or the end of everything.
func (c *cutter) close(b []byte, f span, i, line int) outcome {
	if f.end == i && f.end > f.start && b[f.end-1] == '\r' {
		f.end--
	}
	c.spans = append(c.spans, f)
	c.size, c.line = i, line
	if i < len(b) {
		c.size, c.line = i+1, line+1
	}
	if len(c.spans) == 1 && f.start == 0 && f.end == 0 {
		return rowBlank
	}
	return rowWhole
}

// quoted finds the end of a value in quotes and returns where its row goes on:
// at a comma, a line feed, or what must not stand there. -1: the quote is not
// closed, or what follows it is not read yet.
func (f *span) quoted(b []byte, last bool) int {
	f.start++
	for i := f.start; ; {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			return -1
		}
		i += j + 1
		switch {
		case i == len(b) && !last:
			return -1
		case i < len(b) && b[i] == '"':
			f.doubled = true
			i++
			continue
		}
		f.end = i - 1
		if i < len(b) && b[i] == '\r' && (i+1 < len(b) && b[i+1] == '\n' || i+1 == len(b)) {
			i++
		}
		return i
	}
}

func (c *cutter) unclosed(last bool) (outcome, *badRow) {
	if !last {
		return rowOpen, nil
	}
	return rowBad, &badRow{line: c.openLine, col: c.openCol, position: len(c.spans), text: "a quote that opens here is never closed"}
}

// stray says what is wrong with the byte at i, where the value should end.
func (f *span) stray(b []byte, i, line, lineStart, position int) *badRow {
	text := "a quote stands within a value that does not begin with one; it must be doubled and the value quoted"
	if f.start > 0 && b[f.start-1] == '"' && f.end < i {
		text = "something follows the closing quote; a quote within a quoted value must be doubled"
	}
	return &badRow{line: line, col: i - lineStart + 1, position: position, text: text}
}

// tooLong is the verdict on a row of more than MaxRow bytes.
func (c *cutter) tooLong(line int) *badRow {
	if c.openLine > 0 {
		return &badRow{line: c.openLine, col: c.openCol, position: len(c.spans), text: "a quote that opens here is not closed within the longest row that is read"}
	}
	return &badRow{line: line, position: -1, text: tooLongText()}
}

func newline() []byte { return []byte{'\n'} }
