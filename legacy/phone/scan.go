package phone

import (
	"strings"
	"unicode/utf8"
)

const (
	maxColumn = 250 // bytes of a column that are looked at; the library's own limit
	maxDigits = 32  // of a number with all its prefixes
)

// digits are the digits of a column, everything foldable left out.
type digits struct {
	buf  [maxDigits]byte
	n    int
	plus bool // a "+" stood before the first digit
	over bool // there were more than fit
}

func (d *digits) bytes() []byte { return d.buf[:d.n] }

// scan reads digits until something that is neither digit nor foldable, and
// returns the rest from there. Separators before and after are folded.
func scan(s string) (d digits, rest string) {
	for i := 0; i < len(s); {
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(s[i:])
		}
		switch c = narrow(c); {
		case c >= '0' && c <= '9':
			d.add(byte(c))
		case c == '+' && d.n == 0 && !d.plus:
			d.plus = true
		case !isSeparator(c):
			return d, s[i:]
		}
		i += size
	}
	return d, ""
}

func (d *digits) add(c byte) {
	if d.n == len(d.buf) {
		d.over = true
		return
	}
	d.buf[d.n] = c
	d.n++
}

// decimal tells digits that a program wrote as a decimal number, "2079460000.0":
// with the "." folded the 0 would be one of the number's own, and that of
// somebody else in countries whose numbers differ in length.
func decimal(s string) bool {
	whole, zeros, ok := strings.Cut(strings.TrimSpace(s), ".")
	whole = strings.TrimPrefix(whole, "+")
	return ok && (zeros == "0" || zeros == "00") && whole != "" && strings.Trim(whole, "0123456789") == ""
}

// international tells where a number starts behind the mark of an international
// one, "+" or "00" before 1 to 9, and whether it has such a mark.
func (d *digits) international() (start int, ok bool) {
	if !d.plus && d.n > 2 && d.buf[0] == '0' && d.buf[1] == '0' && d.buf[2] != '0' {
		return 2, true
	}
	return 0, d.plus
}

// narrow turns a full-width form of an ASCII character into it.
func narrow(c rune) rune {
	if c >= '\uFF01' && c <= '\uFF5E' {
		return c - '\uFF01' + '!'
	}
	return c
}

// isSeparator tells whether c is folded away. Of the marks of direction only
// those that leave the order of digits alone are.
func isSeparator(c rune) bool {
	switch c {
	case ' ', '\t', '-', '.', '(', ')', '/':
		return true
	}
	if c < utf8.RuneSelf {
		return false
	}
	switch {
	case c == '\u00A0' || c == '\u202F' || c == '\u205F' || c == '\u3000', // no-break and other spaces
		c >= '\u2000' && c <= '\u200A':
		return true
	case c >= '\u2010' && c <= '\u2015', // hyphens and dashes
		c == '\u00AD' || c == '\u2043' || c == '\u2212' || c == '\uFE58' || c == '\uFE63':
		return true
	case c == '\u200B' || c == '\u2060' || c == '\uFEFF', // zero width
		c == '\u200E' || c == '\u200F' || c == '\u202A' || c == '\u202C' || c == '\u202D' || c == '\u2066' || c == '\u2069':
		return true
	}
	return false
}
