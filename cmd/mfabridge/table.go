package main

import (
	"bytes"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// grid lines up the cells of lines, which tabs divide, by the room that they
// take on a terminal: a Chinese character takes two places, an accent of its
// own none. A cell is as wide as the widest of the lines around it that have
// one in its place; what stands behind the last tab is written as it is.
type grid struct {
	w    io.Writer
	text bytes.Buffer
}

// table lines columns up.
func table(w io.Writer) *grid { return &grid{w: w} }

// Write keeps lines for Flush.
func (c *grid) Write(b []byte) (int, error) { return c.text.Write(b) }

// Flush writes the lines.
func (c *grid) Flush() error {
	var rows [][]string
	for line := range strings.Lines(c.text.String()) {
		rows = append(rows, strings.Split(line, "\t"))
	}
	c.text.Reset()
	for column, found := 0, true; found; column++ {
		found = false
		for i := 0; i < len(rows); i++ {
			most, first := 0, i
			for ; i < len(rows) && len(rows[i]) > column+1; i++ {
				most, found = max(most, room(rows[i][column])), true
			}
			for ; first < i; first++ {
				cell := &rows[first][column]
				*cell += strings.Repeat(" ", most-room(*cell)+2)
			}
		}
	}
	for _, row := range rows {
		for _, cell := range row {
			c.text.WriteString(cell)
		}
	}
	_, err := c.text.WriteTo(c.w)
	return err
}

// room is how many places of a terminal a text takes.
func room(s string) (places int) {
	for _, r := range s {
		kind := width.Neutral
		if r >= 0x300 {
			kind = width.LookupRune(r).Kind()
		}
		switch {
		case r >= 0x300 && unicode.In(r, unicode.Mn, unicode.Me):
		case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
			places += 2
		default:
			places++
		}
	}
	return places
}
