package migrate

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"mfabridge/cloud/form"
)

// Plain makes a text from outside harmless on a terminal: control characters
// (C0, C1), line separators and the characters that reorder or hide text are
// written as \u escapes. Everything else stays as it is, also joiners that stand
// where a script needs them.
func Plain(s string) string {
	i := 0
	for i < len(s) && s[i] >= ' ' && s[i] < 0x7f {
		i++
	}
	if strings.IndexFunc(s[i:], harmful) < 0 || form.IsPlain(s) {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for _, r := range s {
		if harmful(r) {
			b = appendHex(b, r) // as JSON does, so that the same escape serves in both
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b)
}

// Quoted is [Plain] between double quotes; one inside has a backslash before it.
func Quoted(s string) string {
	return `"` + Plain(strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`)) + `"`
}

// harmful tells the characters that a terminal obeys instead of showing: all
// of Unicode's categories Cc and Cf (bidirectional controls, zero widths, tags),
// fillers that count as letters and show none, and the two separators that break
// lines.
func harmful(r rune) bool {
	if r < 0x80 {
		return r < 0x20 || r == 0x7f
	}
	return r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029' ||
		unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Other_Default_Ignorable_Code_Point)
}
