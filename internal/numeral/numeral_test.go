package numeral_test

import (
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"mfabridge/internal/numeral"
)

func TestEveryDigit(t *testing.T) {
	seen := make(map[rune]int)
	for r := range rune(unicode.MaxRune + 1) {
		got := numeral.Plain(r)
		if !unicode.Is(unicode.Nd, r) {
			if got != r {
				t.Errorf("%U is taken for %q", r, got)
			}
			continue
		}
		if seen[got]++; got < '0' || got > '9' {
			t.Errorf("%U is taken for %q", r, got)
		}
		if plain := norm.NFKC.String(string(r)); len(plain) == 1 && plain != string(got) {
			t.Errorf("%U is %s, and taken for %q", r, plain, got)
		}
	}
	for d := '0'; d <= '9'; d++ {
		if seen[d] != seen['0'] {
			t.Errorf("%d digits are taken for %q, %d for 0", seen[d], d, seen['0'])
		}
	}
	for r, want := range map[rune]rune{'٣': '3', '۴': '4', '५': '5', '６': '6', '৭': '7', '๘': '8', '𝟗': '9'} {
		if got := numeral.Plain(r); got != want {
			t.Errorf("%q is taken for %q", r, got)
		}
	}
}

func TestTail(t *testing.T) {
	for _, c := range []struct {
		text string
		want string
		at   int
	}{{"pw123456", "123456", 2}, {"pw۱۲۳۴۵۶", "123456", 2}, {"é１２３４５６", "123456", 2}, {"12345", "", 0}, {"pw12345x", "", 0}, {"pw1234²6", "", 0}, {"\xff12345", "", 0}, {"", "", 0}} {
		if got, at := numeral.Tail([]byte(c.text), 6); string(got) != c.want || at != c.at {
			t.Errorf("%q: %q at %d", c.text, got, at)
		}
	}
}
