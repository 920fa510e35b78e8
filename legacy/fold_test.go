package legacy_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"mfabridge/legacy"
)

func TestFold(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"Ada@Contoso.Example", "ada@contoso.example", true},
		{" ada ", "ada", true},
		{"\u00a0ada\t", "ada", true},
		{"JÜRGEN", "jürgen", true},
		{"Jürgen", "Jurgen", false},
		{"ΟΔΥΣΣΕΥΣ", "οδυσσευς", true},
		{"ſam", "SAM", true}, // long s
		{"İlker", "ilker", false},
		{"straße", "STRASSE", false}, // another length
		{"ａｄａ", "ada", false},        // full-width
		{`CONTOSO\ada`, `contoso\ADA`, true},
		{"ada@contoso.example", "ada@contoso.example.", false},
	} {
		if got := legacy.Fold(tt.a) == legacy.Fold(tt.b); got != tt.same {
			t.Errorf("%q and %q are the same: %v, want %v", tt.a, tt.b, got, tt.same)
		}
	}
}

func TestFoldDoesNotAllocate(t *testing.T) {
	name := " ada.lovelace@contoso.example "
	if n := testing.AllocsPerRun(100, func() { legacy.Fold(name) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFold(f *testing.F) {
	f.Add("Ada", "ADA ")
	f.Add("K", "K")
	f.Add("ς", "Σ")
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		want := strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
		if got := legacy.Fold(a) == legacy.Fold(b); got != want {
			t.Errorf("%q and %q fold alike: %v, but EqualFold says %v", a, b, got, want)
		}
		if once := legacy.Fold(a); legacy.Fold(once) != once {
			t.Errorf("folding %q twice is not folding it once", a)
		}
	})
}
