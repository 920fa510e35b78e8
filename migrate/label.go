package migrate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLabel is how much of a name that is only for people moves, in bytes.
const maxLabel = 128

// label makes a name that is only for people fit for any target: printable
// text on one line, not too long.
func label(s string) string {
	if isLabel(s) {
		return s
	}
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) }), " ")
	if len(s) <= maxLabel {
		return s
	}
	end := maxLabel
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimSpace(s[:end])
}

// isLabel tells the texts that are as label makes them, most of all.
func isLabel(s string) bool {
	space := true // before the first word
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return len(s) <= maxLabel && (s == "" || !space)
}
