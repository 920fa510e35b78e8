package migrate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What an engine takes, and a plan must not promise more than; the tests hold
// them against the engine's own.
const (
	maxLabel     = 128 // bytes of a name that is only for people, and of a serial number
	maxName      = 256 // bytes of a user principal name and of an alias
	maxAliases   = 20  // of a user
	maxEmail     = 254 // bytes
	maxDigits    = 15  // of a telephone number
	maxExtension = 11  // digits
	maxSIDParts  = 18  // between the hyphens
)

// isShown tells whether every character of s can be seen or is a space.
func isShown(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isLogin tells whether a target takes s as a name to log in by.
func isLogin(s string) bool {
	return s != "" && len(s) <= maxName && isShown(s) && strings.TrimSpace(s) == s
}

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
