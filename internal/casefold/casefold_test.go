package casefold_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mfabridge/internal/casefold"
)

func TestString(t *testing.T) {
	for _, pair := range [][2]string{{"ADA@Contoso.Example", "ada@contoso.example"}, {"ÅSA", "a\u030Asa"}, {"Straße", "STRASSE"}, {"ΣΑΣ", "σας"}, {"ᏣᎳᎩ", "ꮳꮃꭹ"}, {"Ᏽ", "ᏽ"},
		{"می\u200cنا", "مینا"}, {"क्\u200dष", "क्ष"}, {"e\u200c\u0301", "é"}, {"\u1112\u1161\u11ab", "한"}, {"vie\u0323\u0302t", "việt"}} {
		if casefold.String(pair[0]) != casefold.String(pair[1]) {
			t.Errorf("%q and %q differ", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"asa", "åsa"}, {"ada", "ada "}, {"ａｄａ", "ada"}, {`CORP\ada`, "ada"}, {"admin", "adm\u0130n"}, {"аda", "ada"}, {"\xff\u13F8", "\xfe\u13F8"},
		{"ada\u200b", "ada"}, {"ada\u202e", "ada"}, {"ısık", "isik"}, {"İ", "i"}} {
		if casefold.String(pair[0]) == casefold.String(pair[1]) {
			t.Errorf("%q and %q are one name", pair[0], pair[1])
		}
	}
}

// Letters that differ in case alone are one, whichever of them is folded first.
func TestEveryLetter(t *testing.T) {
	for r := range unicode.MaxRune + 1 {
		if !utf8.ValidRune(r) {
			continue
		}
		once := casefold.String(string(r))
		if twice := casefold.String(once); twice != once {
			t.Errorf("%U: %q folds to %q, that to %q", r, r, once, twice)
		}
		if other := unicode.SimpleFold(r); other != r && casefold.String(string(other)) != once {
			t.Errorf("%U folds to %q, %U to %q", r, once, other, casefold.String(string(other)))
		}
	}
}

// Equal is what comparing two folded names comes to.
func FuzzEqual(f *testing.F) {
	for _, pair := range [][2]string{{"ADA@Contoso.Example", "ada@contoso.example"}, {"ada", "adb"}, {"ada", "ad"}, {"", ""}, {"", "a"},
		{"[", "{"}, {"@", "`"}, {"K", "\u212A"}, {"\u212A", "k"}, {"i\u0307", "\u0130"}, {"e\u0301", "É"}, {"Straße", "STRASSE"}, {"\xff", "\xfe"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, pair := range [][2]string{{a, b}, {b, a}, {a, a}, {a, strings.ToUpper(a)}, {a, strings.ToLower(a)}, {a + b, b + a}} {
			want := casefold.String(pair[0]) == casefold.String(pair[1])
			if got := casefold.Equal(pair[0], pair[1]); got != want {
				t.Errorf("%q and %q: %t, their folded forms: %t", pair[0], pair[1], got, want)
			}
		}
	})
}

func FuzzString(f *testing.F) {
	for _, s := range []string{"Ada", "ÅSA", "Straße", "ΣΑΣ", "\xff\xfe", "A\u0345\u0308", "\u1E9E", "\u0390", "\u13D8\xE1", "a\u200c\u0301", "\xe2\u200d\x80\x8c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := casefold.String(s)
		if twice := casefold.String(once); twice != once {
			t.Errorf("%q folds to %q, that to %q", s, once, twice)
		}
	})
}
