package channel

import (
	"encoding/xml"
	"strings"
	"testing"
)

// document is what a service that calls makes of a script.
type document struct {
	Say    []spoken `xml:"Say"`
	Gather *struct {
		Action string   `xml:"action,attr"`
		Say    []spoken `xml:"Say"`
		Inner  []any    `xml:",any"`
	} `xml:"Gather"`
	Hangup []struct{} `xml:"Hangup"`
	Other  []struct {
		XMLName xml.Name
	} `xml:",any"`
}

type spoken struct {
	Language string `xml:"language,attr"`
	Text     string `xml:",chardata"`
	Inner    []struct {
		XMLName xml.Name
	} `xml:",any"`
}

func read(t *testing.T, text []byte) (d document) {
	t.Helper()
	if err := xml.Unmarshal(text, &d); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if len(d.Other) > 0 || len(d.Hangup) != 1 {
		t.Errorf("it does something else: %s", text)
	}
	return d
}

// The name of an application, a line of the configuration and an address are text
// in a document, whatever is in them: they make a call say something, and do
// nothing else.
func TestScriptsOnlySpeak(t *testing.T) {
	const sly = `</Say><Dial>+34600000000</Dial><Say>"x"&amp;`
	s, err := newScript("en-GB", map[string]map[string]string{"en-GB": {lineYes: sly}})
	if err != nil {
		t.Fatal(err)
	}
	d := read(t, s.ending(s.say(lineYes, "", "", "")))
	if len(d.Say) != 1 || d.Say[0].Text != sly || d.Say[0].Language != "en-GB" || len(d.Say[0].Inner) > 0 {
		t.Errorf("%+v", d)
	}
	const address = `https://mfa.contoso.example/?a=1&b="/><Dial>1</Dial>`
	d = read(t, s.asking(s.say(lineAsk, `a "b" <c>`, "", "09"), address))
	if d.Gather == nil || d.Gather.Action != address || len(d.Gather.Inner) > 0 || len(d.Gather.Say) != 1 || !strings.Contains(d.Gather.Say[0].Text, `signs in to a "b" <c> with`) ||
		!strings.Contains(d.Gather.Say[0].Text, "press 0, 9,") || len(d.Gather.Say[0].Inner) > 0 {
		t.Errorf("%+v", d.Gather)
	}
	for _, app := range []string{"", "https://evil.example/x", "a\nb", "a\x07b"} {
		if said := s.say(lineAsk, app, "", "0"); app != "" && strings.Contains(said, app) || !strings.Contains(said, anApplication) {
			t.Errorf("%q: %s", app, said)
		}
	}
	if said := s.say(lineCode, "", "123456", ""); strings.Count(said, "1, 2, 3, 4, 5, 6") != 2 {
		t.Errorf("a code is not read digit by digit: %s", said)
	}
}

func TestScriptsThatAreRefused(t *testing.T) {
	whole := func(edit func(map[string]string)) map[string]string {
		lines := map[string]string{lineAsk: "ask", lineAgain: "again", lineYes: "yes", lineFraud: "fraud", lineCode: "<$otp$>"}
		edit(lines)
		return lines
	}
	for what, c := range map[string]struct {
		language string
		edit     func(map[string]string)
		say      string // empty: it is taken
	}{
		"all lines":              {"pt-BR", func(map[string]string) {}, ""},
		"a code that is kept":    {"pt-BR", func(l map[string]string) { l[lineCode] = "your code" }, "does not say"},
		"a line too few":         {"pt-BR", func(l map[string]string) { delete(l, lineFraud) }, "no line fraud"},
		"a line too many":        {"pt-BR", func(l map[string]string) { l["bye"] = "bye" }, "none of"},
		"a line break":           {"pt-BR", func(l map[string]string) { l[lineYes] = "a\nb" }, "printable"},
		"a code where none is":   {"pt-BR", func(l map[string]string) { l[lineYes] = "<$otp$>" }, "yes"},
		"no language":            {"", func(map[string]string) {}, "is written"},
		"a language too long":    {"pt-BRBRBRBRBRBRBRBRBRBR", func(map[string]string) {}, "is written"},
		"a language with quotes": {`pt"BR`, func(map[string]string) {}, "is written"},
	} {
		_, err := newScript(c.language, map[string]map[string]string{c.language: whole(c.edit)})
		if (err == nil) != (c.say == "") || err != nil && !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
