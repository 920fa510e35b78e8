package migrate_test

import (
	"math/rand/v2"
	"net/mail"
	"strings"
	"testing"

	"mfabridge/cloud/form"
	"mfabridge/migrate"
)

// words are texts of a few letters that are odd in every way.
func words(letters string, yield func(string)) {
	r := rand.New(rand.NewPCG(1, 2))
	all := []rune(letters)
	for range 200_000 {
		word := make([]rune, r.IntN(12))
		for i := range word {
			word[i] = all[r.IntN(len(all))]
		}
		yield(string(word))
	}
}

func TestMailboxes(t *testing.T) {
	taken := 0
	words("aaZ9@@..-_+ \"ü(,", func(s string) {
		a, err := mail.ParseAddress(s)
		want := err == nil && a.Address == s && !strings.ContainsAny(s, ` "\`) && strings.Contains(s[strings.LastIndexByte(s, '@')+1:], ".") &&
			form.CheckEmail(s) == nil // an engine refuses all others
		if got := migrate.IsMailbox(s); got != want {
			t.Fatalf("%q is a mailbox: %v, want %v", s, got, want)
		}
		if want {
			taken++
		}
	})
	if taken < 100 {
		t.Errorf("only %d of the texts are addresses", taken)
	}
}
