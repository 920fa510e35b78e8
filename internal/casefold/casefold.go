// Package casefold brings names into the form in which they are compared. Who
// is who is decided by it in three places, the plan, the engine and the shim,
// and has to be decided alike.
package casefold

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// String returns the full case folding of the composed form of s (NFC; the
// Unicode Standard, section 3.13). Letters with and without accents, and
// full-width letters, stay different; nothing is trimmed. What is folded
// already stays as it is.
//
// The joiners U+200C and U+200D are left out, as they are where directories
// compare (RFC 4518, section 2.2): some keyboards have none, and two names that
// differ in nothing else look like one.
func String(s string) string {
	upper := false
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return norm.NFC.String(capitals(cases.Fold().String(norm.NFC.String(withoutJoiners(s)))))
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	if !upper {
		return s
	}
	return strings.ToLower(s)
}

// Equal tells whether String makes the same of a and b. Where both are ASCII,
// as most names are, it makes nothing to find that out.
func Equal(a, b string) bool {
	if !isASCII(a) || !isASCII(b) {
		return String(a) == String(b)
	}
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// capitals puts the capital for each small letter of Cherokee. The folding of
// that script goes to capitals (CaseFolding.txt), since they are older; the
// library exchanges the two.
func capitals(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return capital(r) != r }) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if c := capital(r); c != r {
			b.WriteRune(c)
		} else {
			b.WriteString(s[:n]) // as it is, also where it is no UTF-8
		}
		s = s[n:]
	}
	return b.String()
}

func capital(r rune) rune {
	switch {
	case 0xAB70 <= r && r <= 0xABBF:
		return r - 0xAB70 + 0x13A0
	case 0x13F8 <= r && r <= 0x13FD:
		return r - 0x13F8 + 0x13F0
	}
	return r
}

// withoutJoiners leaves alone what is no UTF-8: its bytes could make a joiner of
// what stands around one.
func withoutJoiners(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\u200c", ""), "\u200d", "")
}
