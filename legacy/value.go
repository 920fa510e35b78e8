package legacy

import (
	"bytes"
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of numbers in a table.
const (
	maxInterval = 24 * 60 * 60 // seconds
	maxDrift    = 1_000_000    // steps, either way
	minDigits   = 6            // RFC 4226 §5.3
	maxDigits   = 8

	maxQuoted = 15 // bytes of a value that a message may quote: shorter than any seed
)

// values reads the cells of one row. The first that cannot be read stays as
// bad; what is returned after that means nothing.
type values struct {
	schema  schema
	part    int      // of the export's files, that the row stands in
	file    string   // its name
	spelled []string // names of the columns as the file has them
	cells   []cell
	bad     *badRow
}

// begin begins a file.
func (v *values) begin(part int, file string) {
	v.part, v.file = part, file
	clear(v.spelled)
}

// start begins a row. It forgets the cells of the one before.
func (v *values) start() {
	clear(v.cells)
	v.bad = nil
}

// refuse keeps the first complaint about a row.
func (v *values) refuse(column int, text string) {
	if v.bad == nil {
		c := v.cells[column]
		v.bad = &badRow{line: c.line, col: c.col, position: -1, field: cmp.Or(v.spelled[column], v.schema.columns[column].name), text: text}
	}
}

// wrong refuses a value that is not one of those wanted. It is quoted if its
// column is not quiet and it is too short for a seed that slipped into the
// wrong column.
func (v *values) wrong(column int, want string) {
	c, text := v.schema.columns[column], v.cells[column].text
	if c.quiet || len(text) > maxQuoted {
		v.refuse(column, fmt.Sprintf("%s must be %s", c.name, want))
		return
	}
	v.refuse(column, fmt.Sprintf("%s is %q, but must be %s", c.name, text, want))
}

// name reads a name that users are compared by. Control characters and
// overlong ones are refused.
func (v *values) name(column int) []byte {
	text := v.cells[column].text
	if len(text) > MaxName {
		v.refuse(column, fmt.Sprintf("%s has more than %d bytes", v.schema.columns[column].name, MaxName))
	}
	for i := 0; i < len(text); {
		r, size := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		if isControl(r) {
			v.refuse(column, v.schema.columns[column].name+" holds a control character")
			break
		}
		i += size
	}
	return text
}

// whole is name for the tables that say who moves: a letter that a conversion
// has lost is refused, too. What stays of one is a question mark, which no
// directory takes in a name.
func (v *values) whole(column int) []byte {
	text := v.cells[column].text
	if len(text) <= MaxName && isPlainName(text) {
		return text
	}
	v.name(column)
	if bytes.IndexByte(text, '?') >= 0 || bytes.ContainsRune(text, utf8.RuneError) {
		v.refuse(column, v.schema.columns[column].name+" has a question mark in place of a letter, as a program leaves that could not write it; export it again as UTF-8")
	}
	return text
}

// isPlainName tells the names in which there is nothing to refuse, most of all:
// printable ASCII without a question mark.
func isPlainName(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' || c == '?' {
			return false
		}
	}
	return true
}

func isControl(r rune) bool { return unicode.IsControl(r) }

// flag reads true or false, yes or no, 1 or 0; empty is otherwise.
func (v *values) flag(column int, otherwise bool) bool {
	text := v.cells[column].text
	switch {
	case len(text) == 0:
		return otherwise
	case is(text, "true"), is(text, "1"), is(text, "yes"):
		return true
	case is(text, "false"), is(text, "0"), is(text, "no"):
		return false
	}
	v.wrong(column, "true or false, yes or no, 1 or 0")
	return false
}

// word reads one of the words, in any case, and returns it as it is spelt
// there. Empty, "unspecified" and "invalid" are "".
func (v *values) word(column int, words ...string) string {
	text := v.cells[column].text
	if len(text) == 0 {
		return ""
	}
	for _, w := range words {
		if is(text, w) {
			return w
		}
	}
	if is(text, "unspecified") || is(text, "invalid") {
		return ""
	}
	v.wrong(column, orList(words))
	return ""
}

// is compares without case. The words are ASCII.
func is(text []byte, word string) bool {
	return string(text) == word || len(text) == len(word) && strings.EqualFold(string(text), word)
}

// number reads a whole number; empty is otherwise.
func (v *values) number(column, otherwise, low, high int) int {
	text := v.cells[column].text
	if len(text) == 0 {
		return otherwise
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < low || n > high {
		v.wrong(column, fmt.Sprintf("a whole number from %d to %d", low, high))
		return otherwise
	}
	return n
}

// generatorInterval reads the seconds of a time step; empty is 0. 0 is what an interface
// says where there is no generator, and is nothing but that.
func (v *values) generatorInterval(column int, exists bool) int {
	if !exists {
		v.number(column, 0, 0, maxInterval)
		return 0
	}
	return v.number(column, 0, 1, maxInterval)
}

// generatorDigits likewise.
func (v *values) generatorDigits(column int, exists bool) int {
	if !exists {
		v.number(column, 0, 0, maxDigits)
		return 0
	}
	return v.number(column, 0, minDigits, maxDigits)
}

// algorithm reads the hash of a generator.
func (v *values) algorithm(column int) string {
	return strings.Replace(v.word(column, "SHA1", "SHA256", "SHA512", "SHA-1", "SHA-256", "SHA-512"), "-", "", 1)
}

// zoneless is how SOAP writes a date whose zone it does not know.
const zoneless = "2006-01-02T15:04:05"

// date reads RFC 3339 or, both in UTC, "2006-01-02 15:04:05" and the same with
// a T; empty is the zero time.
func (v *values) date(column int) time.Time {
	text := v.cells[column].text
	if len(text) == 0 {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, string(text))
	for _, layout := range []string{time.DateTime, zoneless} {
		if err != nil {
			t, err = time.Parse(layout, string(text))
		}
	}
	if err != nil {
		v.wrong(column, "a date as 2006-01-02T15:04:05Z or 2006-01-02 15:04:05")
		return time.Time{}
	}
	return t.UTC()
}
