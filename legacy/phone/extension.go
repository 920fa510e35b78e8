package phone

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxExtension is the count of digits that an extension may have; the
// library's own limit.
const maxExtension = 20

// labels of an extension, longest first, in lower case.
var labels = [...]string{"extension", "extn", "ext", "x"}

// cutLabel takes a label of an extension off the start of s, with the ".", ":"
// or "=" that may follow it.
func cutLabel(s string) (rest string, ok bool) {
	for _, label := range labels {
		if len(s) >= len(label) && strings.EqualFold(s[:len(label)], label) {
			rest = s[len(label):]
			if rest != "" && (rest[0] == '.' || rest[0] == ':' || rest[0] == '=') {
				rest = rest[1:]
			}
			return rest, true
		}
	}
	return s, false
}

// extension is what the column, or the end of a number, says of an extension;
// zero if there is none.
type extension struct {
	digits  string
	notes   Notes
	problem string // a dial script has a note besides
}

// dialScript is an extension that is one.
func dialScript() extension {
	return extension{notes: DialScript, problem: "the extension is a dial script"}
}

// readColumn reads the column of extensions, which needs no label.
func readColumn(s string) extension {
	if s == "" {
		return extension{}
	}
	if after, ok := cutLabel(strings.TrimLeftFunc(s, isSeparator)); ok {
		return announced(after)
	}
	return readExtension(s)
}

// readEnd reads what stands behind the digits of a number.
func readEnd(s string) extension {
	if s == "" {
		return extension{}
	}
	c, size := utf8.DecodeRuneInString(s)
	c = narrow(c)
	if c == '#' {
		return announced(s[size:])
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 && strings.HasPrefix(s[i+1:], "+") {
		return extension{problem: "the number is one that a spreadsheet has rounded (E+), and its last digits are lost"}
	}
	if after, ok := cutLabel(strings.TrimLeft(s, ", ;")); ok { // ";ext=12" is how RFC 3966 writes one
		return announced(after)
	}
	switch {
	case isDialSign(c):
		return dialScript()
	case unicode.IsLetter(c):
		return extension{problem: "the number holds letters"}
	default:
		return extension{problem: "the number holds something else than digits"}
	}
}

// announced reads an extension that has to be there, since a label says so.
func announced(s string) extension {
	e := readExtension(s)
	if e.digits == "" && e.problem == "" {
		e = extension{problem: "an extension is announced and not given"}
	}
	return e
}

// readExtension reads an extension without a label.
func readExtension(s string) extension {
	if decimal(s) {
		return extension{problem: "the extension ends in .0: a program took it for a decimal number"}
	}
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
		return dialScript()
	case rest != "" || d.plus:
		return extension{problem: "the extension holds something else than digits"}
	case d.n > maxExtension:
		return extension{problem: "the extension is too long"}
	}
	e.digits = string(d.bytes())
	return e
}

// isDialSign tells whether c is pressed or waited for while dialling.
func isDialSign(c rune) bool { return c == ',' || c == '*' || c == '#' || c == ';' }
