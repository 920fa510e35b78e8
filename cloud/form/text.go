package form

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

const (
	zwnj = '\u200c' // zero width non-joiner
	zwj  = '\u200d' // zero width joiner
)

// IsPlain tells whether s is text on one line, all of which can be seen.
func IsPlain(s string) bool {
	i := 0
	for i < len(s) && ' ' <= s[i] && s[i] <= '~' {
		i++
	}
	if i == len(s) {
		return true
	}
	if !utf8.ValidString(s) {
		return false
	}
	joins := false
	for _, r := range s[i:] {
		switch {
		case r == zwnj || r == zwj:
			joins = true
		case !unicode.IsPrint(r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r): // some fillers count as letters
			return false
		}
	}
	return !joins || joinsLetters(s)
}

// joinsLetters tells whether each joiner of s stands where it changes what is
// seen: by the rules of RFC 5892, appendix A.1 and A.2, or inside an emoji.
func joinsLetters(s string) bool {
	text := make([]rune, 0, len(s))
	runes := []rune(s)
	for i, r := range runes {
		if isVariation(r) || r == zwj && isInEmoji(runes, i) {
			continue // both are for eyes; the rules are for letters
		}
		text = append(text, r)
	}
	if rest := string(text); strings.ContainsRune(rest, zwnj) || strings.ContainsRune(rest, zwj) {
		_, err := precis.NewFreeform().String(rest)
		return err == nil
	}
	return true
}

// isInEmoji tells whether what stands at i has a part of an emoji on both sides.
func isInEmoji(s []rune, i int) bool {
	if i == 0 || i == len(s)-1 {
		return false
	}
	before := s[i-1]
	return (unicode.Is(unicode.So, before) || before == '\ufe0f' || 0x1f3fb <= before && before <= 0x1f3ff) && unicode.Is(unicode.So, s[i+1])
}

// isVariation tells the characters that choose a picture for the one before.
func isVariation(r rune) bool { return unicode.Is(unicode.Variation_Selector, r) }

// IsName tells whether s may be a name to log in by: plain text of 1 to MaxName
// bytes, without spaces around it, in which nothing merely chooses a picture.
func IsName(s string) bool {
	return s != "" && len(s) <= MaxName && IsPlain(s) && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, isVariation)
}

// CheckText takes plain text of 1 to limit bytes without spaces around it; what
// names it in the error.
func CheckText(what, s string, limit int) error {
	if s == "" || len(s) > limit || !IsPlain(s) || strings.TrimSpace(s) != s {
		return unfit(what, limit)
	}
	return nil
}

func checkName(what, s string) error {
	if !IsName(s) {
		return unfit(what, MaxName)
	}
	return nil
}

func unfit(what string, limit int) error {
	return invalid(fmt.Sprintf("%s must be 1 to %d bytes of printable text without spaces around it", what, limit))
}

// Fit makes a text that is only for people plain, without spaces around it and
// at most limit bytes long: what cannot be seen gives way to a space, joiners
// in the wrong place to nothing, and no character is cut through.
func Fit(s string, limit int) string {
	if isFit(s, limit) {
		return s
	}
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool {
		return r == ' ' || r != zwnj && r != zwj && !IsPlain(string(r))
	}), " ")
	if len(s) > limit {
		end := limit
		for end > 0 && goesOn(s[end:]) {
			end--
		}
		if end == 0 { // one letter under a heap of marks
			for end = limit; !utf8.RuneStart(s[end]); {
				end--
			}
		}
		s = strings.TrimRight(s[:end], " \u200c\u200d")
	}
	if !IsPlain(s) {
		s = Fit(strings.NewReplacer(string(zwnj), "", string(zwj), "").Replace(s), limit)
	}
	return s
}

// isFit tells the texts that are as Fit makes them, most of all.
func isFit(s string, limit int) bool {
	space := true // before the first word
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return len(s) <= limit && (s == "" || !space)
}

// goesOn tells whether s begins within a letter as people see it: inside a
// character, or with a mark or a joiner.
func goesOn(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return !utf8.RuneStart(s[0]) || unicode.IsMark(r) || r == zwnj || r == zwj
}
