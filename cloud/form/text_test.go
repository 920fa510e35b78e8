package form_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"mfabridge/cloud/form"
)

func TestWhatIsSeen(t *testing.T) {
	for _, s := range []string{"Ada", "Zoë", "Zoe\u0308", "İsmail Işık", "Großmann", "عبدالله", "שָׁלוֹם", "สมชาย", "आदित्य", "Nguye\u0302\u0303n", "𠮷田", "김민수", "\u1100\u1175\u11b7",
		"می\u200cنا", "क्\u200dष", "ශ්\u200dරී", "नेपाल्\u200cका"} {
		if !form.IsPlain(s) || !form.IsName(s) {
			t.Errorf("%q: plain %v, a name %v", s, form.IsPlain(s), form.IsName(s))
		}
	}
	for _, s := range []string{"葛\U000e0100城", "Ada 👩\u200d💻", "Ada 👩🏽\u200d💻", "❤\ufe0f\u200d🔥", "می\u200cنا ❤\ufe0f"} {
		if !form.IsPlain(s) || strings.ContainsRune(s, '\ufe0f') && form.IsName(s) {
			t.Errorf("%q: plain %v, a name %v", s, form.IsPlain(s), form.IsName(s))
		}
	}
	for _, s := range []string{"a\u200bda", "ada\u200d", "\u200cada", "a\u200cda", "a\u200dda", "ада\u200c", "می\u200c", "\u200cمی", "می\u200c\u200cنا", "می\u200dنا", "क्\u200d\u200dष", "👩\u200d", "👩\u200d\u200d💻", "a\u200d💻",
		"ada\u202e", "ada\u2066", "ada\u00ad", "ada\u034f", "ada\u115f", "ada\u3164", "ada\uffa0", "ada\ufeff", "ada\u061c", "ada\U000e0041", "ada\ue000", "ada\xff", "ada\u00a0b"} {
		if form.IsPlain(s) || form.IsName(s) {
			t.Errorf("%q: plain %v, a name %v", s, form.IsPlain(s), form.IsName(s))
		}
	}
}

func TestDomains(t *testing.T) {
	for _, s := range []string{"example", "home-1.example", "müller.example", "mu\u0308ller.example", "डाटामेल.भारत", "ที่ทำงาน.ไทย", "vie\u0323\u0302t.example", "نامه\u200cای.example",
		"ශ්\u200dරී.example", "שלום.example", "例え.example", "xn--mller-kva.example", strings.Repeat("ü", 50) + ".example"} {
		if !form.IsDomain(s) {
			t.Errorf("%q is none", s)
		}
	}
	for _, s := range []string{"", ".", "a..b", "a.example.", "home_1.example", "hö me.example", "a\u200db.example", "hö\u00adme.example", "hö\u202eme.example", "hö\ufe0fme.example", "例え。example", "abcא.example",
		"\u0301a.example", "\xff.example", strings.Repeat("ü", 70) + ".example", strings.Repeat("ü.", 120) + "example"} {
		if form.IsDomain(s) {
			t.Errorf("%q is one", s)
		}
	}
}

// A domain is one in whatever form it is written, and what is none stays apart.
func TestDomainsAreCompared(t *testing.T) {
	for s, want := range map[string]string{
		"Contoso.Example":       "contoso.example",
		"B\u00dcCHER.example":   "xn--bcher-kva.example",
		"bu\u0308cher.example":  "xn--bcher-kva.example",
		"XN--Bcher-KVA.example": "xn--bcher-kva.example",
		"bucher.example":        "bucher.example",
		"Stra\u00dfe.example":   "xn--strae-oqa.example",
		"a b\u00fc.Example":     "a b\u00fc.example",
		"":                      "",
	} {
		if got := form.FoldDomain(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for s, want := range map[string]bool{"ada@contoso.example": true, "ada@contoso": true, "zoë+1@häuser.example": true, "आदित्य@डाटामेल.भारत": true, "o'neil@contoso.example": true,
		"a..b@c.example": false, ".a@c.example": false, "a[b@c.example": false, "ü..b@c.example": false, "ada\u3164@c.example": false, "ada\u202e@c.example": false, "@c.example": false, "ada": false} {
		if err := form.CheckEmail(s); (err == nil) != want {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// Fit does with texts that are plain nothing but to take spaces out.
func TestFitOfOddTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	letters := []rune("aB  \t\u00a0ü\u202e~")
	for range 100_000 {
		word := make([]rune, r.IntN(12))
		for i := range word {
			word[i] = letters[r.IntN(len(letters))]
		}
		s := string(word)
		want := strings.Join(slices.Collect(strings.FieldsFuncSeq(s, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) })), " ")
		if got := form.Fit(s, form.MaxLabel); got != want {
			t.Fatalf("%q becomes %q, want %q", s, got, want)
		}
	}
}

func TestFitCutsBetweenLetters(t *testing.T) {
	for _, c := range []struct {
		s     string
		limit int
		want  string
	}{
		{"Ada 👩\u200d💻", 64, "Ada 👩\u200d💻"}, {"می\u200cنا", 64, "می\u200cنا"}, {"a\u200dda", 64, "ada"},
		{"กี่กี่", 9, "กี่"}, {"กี่กี่", 15, "กี่"}, {"aee\u0301", 4, "ae"}, {"क्\u200dष", 9, ""}, {"می\u200cنا", 8, "می"}, {"a" + strings.Repeat("\u0301", 9), 6, "a\u0301\u0301"},
		{"ab cd", 3, "ab"}, {"ü", 1, ""},
	} {
		got := form.Fit(c.s, c.limit)
		if c.want == "" && got != "" && len(got) <= c.limit && utf8.ValidString(got) {
			continue // one letter that is too long: some of it
		}
		if got != c.want {
			t.Errorf("%q in %d bytes: %q, want %q", c.s, c.limit, got, c.want)
		}
	}
}

func FuzzFit(f *testing.F) {
	for _, s := range []string{"Ada", " a\tb ", "می\u200cنا", "a\u200dda", "👩\u200d💻", "\u0301\u0301\u0301", "\xff\u200d", "क्\u200dष", "ada\u3164"} {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if limit = min(max(limit, 0), 300); len(s) > 2000 {
			return
		}
		got := form.Fit(s, limit)
		if len(got) > limit || !form.IsPlain(got) || strings.TrimSpace(got) != got {
			t.Errorf("%q in %d bytes: %q", s, limit, got)
		}
		if again := form.Fit(got, limit); again != got {
			t.Errorf("%q becomes %q, that %q", s, got, again)
		}
	})
}
