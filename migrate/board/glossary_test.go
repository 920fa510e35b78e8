package board_test

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"mfabridge/cloud"
	"mfabridge/migrate"
	"mfabridge/migrate/board"
)

// A board does not have to ask what a word means: every abbreviation and every
// name of a column that a finding uses is explained among the words, and so is
// what else is no everyday English.
func TestWordsAreExplained(t *testing.T) {
	text := page(t, plan(10), board.Options{})
	_, words, ok := strings.Cut(text, `<dl class="glossary">`)
	words, _, end := strings.Cut(words, "</dl>")
	if !ok || !end {
		t.Fatal("there are no words")
	}
	words = html.UnescapeString(words)
	special := regexp.MustCompile(`\b([A-Z]{2,}|[A-Z][a-z]+[A-Z]\w*|Sid|Username|Phone|Mode|shim|serial number|seed file|provider|c2dm|mpns|bps|dial script|guest|policy|voiceprint|cut-over|alias|invitation|token|push|switchboard)s?\b`)
	for _, e := range migrate.Catalogue() {
		for _, word := range special.FindAllStringSubmatch(e.Meaning+" "+e.Action, -1) {
			if !regexp.MustCompile(`(?i)\b` + word[1]).MatchString(words) {
				t.Errorf("%s says %q, which is not explained", e.Code, word[1])
			}
		}
		if strings.Contains(e.Meaning+e.Action, "--") && !strings.Contains(words, "--") {
			t.Errorf("%s names an option, and no word says what that is", e.Code)
		}
	}
}

// No method stands on the page by the word that programs have for it.
func TestEveryMethodHasAName(t *testing.T) {
	for _, m := range append(cloud.Methods(), cloud.DefaultMethod, cloud.Blocked, cloud.Account) {
		if string(board.MethodName(m)) == string(m) {
			t.Errorf("%s has no name in plain words", m)
		}
	}
}
