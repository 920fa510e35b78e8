package board

import (
	"strconv"
	"strings"

	"mfabridge/migrate"
)

// maxText is how much of a text from outside the page shows, in characters.
const maxText = 400

// text shortens a text from outside and makes it harmless: for a terminal and
// for the direction of the page (see [migrate.Plain]), and for a spreadsheet
// that the table is copied into.
func text(s string) string {
	n := 0
	for i := range s {
		if n == maxText {
			s = s[:i] + "…"
			break
		}
		n++
	}
	s = migrate.Plain(s)
	if first := strings.TrimLeft(s, " \u00a0\u3000"); first != "" && strings.ContainsRune("=+-@＝＋－＠|%", []rune(first[:min(4, len(first))])[0]) && !isPhone(first) {
		return "'" + s
	}
	return s
}

// isPhone tells texts that begin with a telephone number, masked or not: they
// begin with a plus sign, and hold nothing that a formula is made of.
func isPhone(s string) bool {
	code, _, ok := strings.Cut(s, " ")
	return ok && len(code) > 1 && code[0] == '+' && strings.Trim(code[1:], "0123456789") == "" && !strings.ContainsAny(s, "=|!(){}[]&<>^\"'/\\")
}

// num writes a count as people read it: 98,019.
func num(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// share is n of total in percent, with one decimal below ten.
func share(n, total int) string {
	if total == 0 || n == 0 {
		return "0 %"
	}
	percent := 100 * float64(n) / float64(total)
	switch {
	case percent < 0.1:
		return "< 0.1 %"
	case percent < 10:
		return strconv.FormatFloat(percent, 'f', 1, 64) + " %"
	case percent > 99 && n < total:
		return "> 99 %"
	}
	return strconv.FormatFloat(percent, 'f', 0, 64) + " %"
}

// some is a count with its noun: "1 user", "3 users".
func some(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return num(n) + " " + noun + "s"
}
