package form

import (
	"fmt"
	"strings"

	"mfabridge/cloud"
	"mfabridge/internal/numeral"
)

// CheckPhone takes "+CC NNN", with "xEXT" at the end only for the office slot.
func CheckPhone(m cloud.Method, s string) error {
	number, extension, hasExtension := strings.Cut(s, "x")
	country, rest, ok := strings.Cut(strings.TrimPrefix(number, "+"), " ")
	switch {
	case !ok, !strings.HasPrefix(number, "+"), !IsDigits(country), !IsDigits(rest), country[0] == '0', len(country) > 3,
		len(country)+len(rest) > MaxDigits, len(country)+len(rest) < minDigits:
		return invalid("a phone must be written +CC NNN: country code, one space, digits")
	case hasExtension && m != cloud.Office:
		return invalid("only the office phone takes an extension")
	case hasExtension && (!IsDigits(extension) || len(extension) > MaxExtension):
		return invalid(fmt.Sprintf("an extension must be x and 1 to %d digits", MaxExtension))
	}
	return nil
}

// MaskPhone leaves country code and the last two digits.
func MaskPhone(s string) string {
	number, _, _ := strings.Cut(s, "x")
	country, rest, ok := strings.Cut(number, " ")
	if !ok || len(rest) < 4 {
		return "your phone"
	}
	return country + " " + strings.Repeat("*", len(rest)-2) + rest[len(rest)-2:]
}

// PlainNumber is a number as people and clients write it, "+14255550100" with
// what separates digits, in the form of the store; "" if it is none.
func PlainNumber(s string) string {
	digits, ok := strings.CutPrefix(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -().", r) {
			return -1
		}
		return numeral.Plain(r)
	}, s), "+")
	if !ok || !IsDigits(digits) {
		return ""
	}
	n := CallingCode(digits)
	if n == 0 || len(digits) <= n {
		return ""
	}
	number := "+" + digits[:n] + " " + digits[n:]
	if CheckPhone(cloud.Mobile, number) != nil {
		return ""
	}
	return number
}

// shortCodes are the calling codes of one and two digits (ITU-T E.164, list of
// assigned country codes); all others have three.
const shortCodes = " 1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 " +
	"81 82 84 86 90 91 92 93 94 95 98 "

// CallingCode is how many digits of a number are its calling code; 0: none is
// assigned.
func CallingCode(digits string) int {
	for n := 1; n <= 2 && n < len(digits); n++ {
		if strings.Contains(shortCodes, " "+digits[:n]+" ") {
			return n
		}
	}
	if digits == "" || digits[0] == '0' {
		return 0
	}
	return 3
}
