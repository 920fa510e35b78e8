package engine

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"mfabridge/internal/secret"
)

// Bounds of a password that people choose in native authentication, in
// characters.
const (
	shortestWord = 8
	longestWord  = 256
	longEnough   = 16 // from which no kinds of characters are asked for
	kindsNeeded  = 3  // of lower case, upper case, digits and the rest
)

// bannedWords are what many people choose, without the letters and digits that
// are put around it.
var bannedWords = []string{"password", "passwort", "contoso", "welcome", "willkommen", "qwert", "letmein", "iloveyou", "12345678", "87654321",
	"changeme", "summer", "winter", "spring", "autumn", "football", "baseball", "superman", "sunshine", "princess", "dragon", "monkey", "master"}

// checkWord says why a password is not taken.
func checkWord(password secret.Bytes, name string) error {
	text := string(password.Reveal())
	switch {
	case utf8.RuneCountInString(text) < shortestWord:
		return refuseAs(RefusedTooShort)
	case utf8.RuneCountInString(text) > longestWord:
		return refuseAs(RefusedTooLong)
	}
	kinds := map[int]bool{}
	different := map[rune]bool{}
	for _, r := range text {
		different[r] = true
		switch {
		case unicode.IsLower(r):
			kinds[0] = true
		case unicode.IsUpper(r):
			kinds[1] = true
		case unicode.IsDigit(r):
			kinds[2] = true
		default:
			kinds[3] = true
		}
	}
	if utf8.RuneCountInString(text) < longEnough && len(kinds) < kindsNeeded || len(different) < 5 {
		return refuseAs(RefusedTooWeak)
	}
	return checkGuessable(strings.ToLower(text), Fold(name))
}

// checkGuessable refuses what is a common word or the user's own name with a
// little around it.
func checkGuessable(text, name string) error {
	plain := strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "@", "a", "$", "s", "!", "i").Replace(text)
	local, _, _ := strings.Cut(name, "@")
	words := bannedWords
	if len(local) >= 4 {
		words = append([]string{local}, words...)
	}
	for _, word := range words {
		for _, t := range []string{text, plain} {
			if strings.Contains(t, word) && len(t)-len(word) < 8 {
				return refuseAs(RefusedBanned)
			}
		}
	}
	return nil
}
