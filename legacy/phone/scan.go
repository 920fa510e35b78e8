package phone

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxColumn    = 250 // bytes of a column that are looked at; the library's own limit
	maxDigits    = 32  // of a number with all its prefixes
	maxExtension = 20  // digits; the library's own limit
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

// cutInternational takes the marks of an international number away: "+", or
// "00" before 1 to 9. What is left starts with a calling code if it tells so.
func (d *digits) cutInternational() (rest []byte, international bool) {
	b := d.bytes()
	if !d.plus && len(b) > 2 && b[0] == '0' && b[1] == '0' && b[2] != '0' {
		return b[2:], true
	}
	return b, d.plus
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

// labels of an extension, longest first, in lower case.
var labels = [...]string{"extension", "extn", "ext", "x"}

// cutLabel takes a label of an extension off the start of s, with the "." or
// ":" that may follow it.
func cutLabel(s string) (rest string, ok bool) {
	for _, label := range labels {
		if len(s) >= len(label) && strings.EqualFold(s[:len(label)], label) {
			rest = s[len(label):]
			if rest != "" && (rest[0] == '.' || rest[0] == ':') {
				rest = rest[1:]
			}
			return rest, true
		}
	}
	return s, false
}

// extension is what a column, or the end of a number, says of an extension.
type extension struct {
	digits  string
	notes   Notes
	problem string // a dial script has a note besides
}

var dialScript = extension{notes: DialScript, problem: "the extension is a dial script"}

// readExtension reads what follows a label, or a column whose label is cut.
func readExtension(s string) extension {
	var e extension
	for {
		s = strings.TrimLeftFunc(s, isSeparator)
		rest, pause := strings.CutPrefix(s, ",")
		if !pause {
			break
		}
		s, e.notes = rest, ExtensionPauseDropped
	}
	d, rest := scan(s)
	switch c, _ := utf8.DecodeRuneInString(rest); {
	case rest != "" && isDialSign(narrow(c)):
		return dialScript
	case rest != "" || d.plus:
		return extension{problem: "the extension holds something else than digits"}
	case d.n > maxExtension:
		return extension{problem: "the extension is too long"}
	}
	e.digits = string(d.bytes())
	return e
}

// readTail reads what stands behind the digits of a number.
func readTail(s string) extension {
	c, size := utf8.DecodeRuneInString(s)
	if narrow(c) == '#' {
		return labelled(s[size:])
	}
	if after, ok := cutLabel(strings.TrimLeft(s, ", ")); ok {
		return labelled(after)
	}
	switch {
	case isDialSign(narrow(c)):
		return dialScript
	case unicode.IsLetter(c):
		return extension{problem: "the number holds letters"}
	default:
		return extension{problem: "the number holds something else than digits"}
	}
}

// labelled reads an extension that has to be there, since a label says so.
func labelled(s string) extension {
	e := readExtension(s)
	if e.digits == "" && e.problem == "" {
		e.problem = "an extension is announced and not given"
	}
	return e
}

// isDialSign tells whether c is pressed or waited for while dialling.
func isDialSign(c rune) bool { return c == ',' || c == '*' || c == '#' || c == ';' }
