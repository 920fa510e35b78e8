package channel

import (
	"errors"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
)

// Lines of a script. <$application_name$> may stand in ask, <$otp$> stands in
// code once.
const (
	lineAsk   = "ask"   // "… press the pound key"
	lineAgain = "again" // after a key that means nothing
	lineYes   = "yes"   // after #
	lineFraud = "fraud" // after the fraud code
	lineCode  = "code"  // a call that says the code
)

// builtIn are the scripts that need no configuration, by language.
func builtIn() map[string]map[string]string {
	return map[string]map[string]string{
		"en": {lineAsk: "Hello. Somebody signs in to <$application_name$> with your account. If it is you, press the pound key. If it is not you, press <$fraud$>, then the pound key.",
			lineAgain: "Press the pound key to confirm that you sign in. If it is not you, press <$fraud$>, then the pound key.",
			lineYes:   "Thank you. Goodbye.", lineFraud: "Thank you. Your report was passed on. Goodbye.",
			lineCode: "Your code is <$otp$>. Again: <$otp$>. Goodbye."},
		"de": {lineAsk: "Guten Tag. Jemand meldet sich mit Ihrem Konto bei <$application_name$> an. Wenn Sie das sind, drücken Sie die Rautetaste. Wenn nicht, drücken Sie <$fraud$> und dann die Rautetaste.",
			lineAgain: "Drücken Sie die Rautetaste, um die Anmeldung zu bestätigen. Wenn Sie das nicht sind, drücken Sie <$fraud$> und dann die Rautetaste.",
			lineYes:   "Danke. Auf Wiederhören.", lineFraud: "Danke. Ihre Meldung wurde weitergegeben. Auf Wiederhören.",
			lineCode: "Ihr Code ist <$otp$>. Noch einmal: <$otp$>. Auf Wiederhören."},
		"fr": {lineAsk: "Bonjour. Une connexion à <$application_name$> a lieu avec votre compte. Si c'est vous, appuyez sur la touche dièse. Sinon, appuyez sur <$fraud$>, puis sur dièse.",
			lineAgain: "Appuyez sur la touche dièse pour confirmer la connexion. Si ce n'est pas vous, appuyez sur <$fraud$>, puis sur dièse.",
			lineYes:   "Merci. Au revoir.", lineFraud: "Merci. Votre signalement est transmis. Au revoir.",
			lineCode: "Votre code est <$otp$>. Je répète : <$otp$>. Au revoir."},
		"es": {lineAsk: "Hola. Alguien inicia sesión en <$application_name$> con su cuenta. Si es usted, pulse la tecla almohadilla. Si no es usted, pulse <$fraud$> y después almohadilla.",
			lineAgain: "Pulse la tecla almohadilla para confirmar el inicio de sesión. Si no es usted, pulse <$fraud$> y después almohadilla.",
			lineYes:   "Gracias. Adiós.", lineFraud: "Gracias. Su aviso se ha transmitido. Adiós.",
			lineCode: "Su código es <$otp$>. Repito: <$otp$>. Adiós."},
	}
}

const markFraud = "fraud"

// script is what a call says in one language.
type script struct {
	language string // as the provider knows it: en-US
	lines    map[string]Template
}

// newScript takes the lines of a language from the configuration, and those that
// are missing there from what is built in for it.
func newScript(language string, own map[string]map[string]string) (s script, err error) {
	short, _, _ := strings.Cut(strings.ToLower(language), "-")
	texts := maps.Clone(builtIn()[short])
	if texts == nil {
		texts = map[string]string{}
	}
	maps.Copy(texts, own[language])
	s = script{language: language, lines: map[string]Template{}}
	if language == "" || len(language) > 20 || !isName(language) {
		return s, errors.New("a language is written en or en-US")
	}
	known := []string{lineAsk, lineAgain, lineYes, lineFraud, lineCode}
	for name, text := range texts {
		if !slices.Contains(known, name) {
			return s, fmt.Errorf("a line of %s is none of %s", language, strings.Join(known, ", "))
		}
		marks := map[string][]string{lineAsk: {markApplication, markFraud}, lineAgain: {markFraud}, lineCode: {markCode}}[name]
		if s.lines[name], err = ParseTemplate(text, marks...); err != nil {
			return s, wrapped(language+"."+name, err)
		}
		if name == lineCode && s.lines[name].count(markCode) == 0 {
			return s, fmt.Errorf("%s.code does not say <$otp$>", language)
		}
		if strings.ContainsFunc(text, isControl) {
			return s, fmt.Errorf("%s.%s is no line of printable characters", language, name)
		}
	}
	for _, name := range known {
		if _, there := s.lines[name]; !there {
			return s, fmt.Errorf("%s has no line %s", language, name)
		}
	}
	return s, nil
}

// spelled is digits as a voice reads them one by one.
func spelled(code string) string { return strings.Join(strings.Split(code, ""), ", ") }

// say is one line, ready for a document.
func (s script) say(line, app, code, fraud string) string {
	if app == "" || isLink(app) || strings.ContainsFunc(app, isControl) {
		app = anApplication
	}
	text := s.lines[line].Fill(Values{markApplication: app, markCode: spelled(code), markFraud: spelled(fraud)}, nil)
	return `<Say language="` + escaped(s.language) + `">` + escaped(text) + `</Say>`
}

// asking is a document that says a line and waits for one key. What is pressed
// goes to action.
func (s script) asking(say, action string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?><Response><Gather input="dtmf" numDigits="1" finishOnKey="" timeout="10" method="POST" action="` +
		escaped(action) + `">` + say + `</Gather><Hangup/></Response>`)
}

// ending is a document that says a line and hangs up.
func (s script) ending(say string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?><Response>` + say + `<Hangup/></Response>`)
}

// escaped is text inside a document, or inside an attribute of it.
func escaped(s string) string { return html.EscapeString(s) }
