package migrate

import (
	"fmt"
	"strings"
	"unicode"
)

// Plain makes a text from outside harmless on a terminal: control characters
// (C0, C1), line separators and the characters that reorder or hide text are
// written as \u escapes. Everything else stays as it is.
func Plain(s string) string {
	i := 0
	for i < len(s) && s[i] >= ' ' && s[i] < 0x7f {
		i++
	}
	if strings.IndexFunc(s[i:], harmful) < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for _, r := range s {
		if harmful(r) {
			writeEscape(&b, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// harmful tells the characters that a terminal obeys instead of showing: all
// of Unicode's categories Cc and Cf (bidirectional controls, zero widths, tags)
// and the two separators that break lines.
func harmful(r rune) bool {
	if r < 0x80 {
		return r < 0x20 || r == 0x7f
	}
	return r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029' ||
		unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}

// writeEscape writes r as JSON does, so that the same escape serves in both.
func writeEscape(b *strings.Builder, r rune) {
	if r > 0xffff {
		r -= 0x10000
		fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		return
	}
	fmt.Fprintf(b, `\u%04x`, r)
}
