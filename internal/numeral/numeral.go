// Package numeral reads the decimal digits of every script as 0 to 9: keyboards
// set to Arabic, Persian, Hindi or Bengali write their own, and those for
// Chinese and Japanese full-width ones.
package numeral

import (
	"unicode"
	"unicode/utf8"
)

// Plain returns the digit 0 to 9 that r is in whatever script, and r itself
// where it is none.
func Plain(r rune) rune {
	if r < utf8.RuneSelf {
		return r
	}
	// Digits of a script stand from zero to nine in a row (the Unicode Standard,
	// section 4.6), and so each range holds whole rows of ten.
	for _, run := range unicode.Nd.R16 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return '0' + (r-rune(run.Lo))%10
		}
	}
	for _, run := range unicode.Nd.R32 {
		if rune(run.Lo) <= r && r <= rune(run.Hi) {
			return '0' + (r-rune(run.Lo))%10
		}
	}
	return r
}

// Tail returns the last n characters of text as digits 0 to 9, and where they
// begin; nil where one of them is no digit.
func Tail(text []byte, n int) (digits []byte, at int) {
	digits, at = make([]byte, n), len(text)
	for n--; n >= 0; n-- {
		r, size := utf8.DecodeLastRune(text[:at])
		if r = Plain(r); r < '0' || r > '9' {
			return nil, 0
		}
		digits[n], at = byte(r), at-size
	}
	return digits, at
}
