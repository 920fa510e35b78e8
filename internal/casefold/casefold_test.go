package casefold_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"mfabridge/internal/casefold"
)

func TestString(t *testing.T) {
	for _, pair := range [][2]string{{"ADA@Contoso.Example", "ada@contoso.example"}, {"ÅSA", "a\u030Asa"}, {"Straße", "STRASSE"}, {"ΣΑΣ", "σας"}, {"ᏣᎳᎩ", "ꮳꮃꭹ"}, {"Ᏽ", "ᏽ"}} {
		if casefold.String(pair[0]) != casefold.String(pair[1]) {
			t.Errorf("%q and %q differ", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"asa", "åsa"}, {"ada", "ada "}, {"ａｄａ", "ada"}, {`CORP\ada`, "ada"}, {"admin", "adm\u0130n"}, {"аda", "ada"}, {"\xff\u13F8", "\xfe\u13F8"}} {
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

func FuzzString(f *testing.F) {
	for _, s := range []string{"Ada", "ÅSA", "Straße", "ΣΑΣ", "\xff\xfe", "A\u0345\u0308", "\u1E9E", "\u0390", "\u13D8\xE1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := casefold.String(s)
		if twice := casefold.String(once); twice != once {
			t.Errorf("%q folds to %q, that to %q", s, once, twice)
		}
	})
}
