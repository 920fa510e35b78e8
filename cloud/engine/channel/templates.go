package channel

import (
	"errors"
	"strings"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel/carrier"
)

// defaultLife is how long a code is said to be good: what the engine gives a text.
const defaultLife = engine.TextLife

// templates are the texts of a channel by language.
type templates struct {
	texts     map[string]Template
	languages map[string]string
}

func openTemplates(at string, texts, languages map[string]string) (templates, error) {
	t := templates{texts: map[string]Template{}, languages: languages}
	for language, text := range texts {
		template, err := ParseText(text)
		if err != nil {
			return t, wrapped(at+".templates", err)
		}
		t.texts[language] = template
	}
	return t, nil
}

// note is a message as a driver gets it: by the template of a language, if the
// channel has templates. A notice has the words that it came with.
func (t templates) note(m engine.Message, language string) carrier.Note {
	n := carrier.Note{ID: m.ID, Public: public(m.ID), Text: string(m.Text.Reveal()), Subject: m.Subject, Code: string(m.Code.Reveal()), Application: m.Application,
		Language: language, Life: defaultLife}
	if isLink(n.Application) || n.Application == "" {
		n.Application = anApplication
	}
	if n.Code == "" {
		return n
	}
	template, there := t.texts[language]
	if !there {
		if template, there = t.texts[defaultLanguage]; !there {
			template, _ = ParseText(engine.DefaultText) // a test parses it
		}
	}
	n.Text = render(template, n.Code, n.Application)
	return n
}

// ofNumber is the language of the country of a number.
func (t templates) ofNumber(number string) string {
	language, _, found := byPrefix(t.languages, number)
	if !found {
		return defaultLanguage
	}
	return language
}

// ofAddress is the language of the domain of an address.
func (t templates) ofAddress(address string) string {
	_, domain, _ := strings.Cut(strings.ToLower(address), "@")
	if language, there := t.languages[domain]; there {
		return language
	}
	return defaultLanguage
}

// checkNotice takes a text without any mark.
func checkNotice(s string) error {
	switch {
	case s == "" || len(s) > maxText:
		return errors.New("a notice has 1 to 300 bytes")
	case strings.ContainsFunc(s, isControl):
		return errors.New("a notice is one line of printable characters")
	case isLink(s) || strings.Contains(s, "<$"):
		return errors.New("a notice holds no link, no address and no mark")
	}
	return nil
}
