package legacy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold returns the form of a Username or UserPrincipalName that is compared:
// Fold(a) == Fold(b) exactly where strings.EqualFold holds for a and b without
// the space around them. Nothing else is made equal: neither accents nor
// full-width letters. It does not allocate where nothing is to be changed.
func Fold(name string) string {
	name = strings.TrimSpace(name)
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return string(appendFold(make([]byte, 0, len(name)+8), []byte(name)))
		}
	}
	return name
}

// appendFold appends Fold of name, which has no space around it.
func appendFold(dst, name []byte) []byte {
	for i := 0; i < len(name); {
		c := name[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(name[i:])
		dst = utf8.AppendRune(dst, foldRune(r))
		i += size
	}
	return dst
}

// foldRune picks one rune of all that are equal in everything but case: the
// least, in lower case where that is ASCII.
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
