package main

import "strings"

// beginnings are how the help of an option writes values of which the first
// part is fixed.
var beginnings = []string{"sqlite:PATH", "postgres://USER", "https://HOST", "entra:TENANT", "file:PATH", "env:NAME", "age:IDENTITYFILE", "users:FILE", "group:ID"}

// choices are the values that options of a name can have. An option has those
// that stand in its help: --format is another one in show than in list.
var choices = map[string][]string{
	"algorithm":          {"SHA1", "SHA256", "SHA512"},
	"answer":             {"approve", "deny", "fraud"},
	"as":                 {"engine", "entra"},
	"cloud":              {"global", "usgov", "usdod", "china"},
	"default-method":     {"unset", "always", "secure"},
	"digits":             {"6", "8"},
	"email":              {"off", "external", "all"},
	"encoding":           {"utf-8", "utf-16", "windows-1252"},
	"existing":           {"keep", "replace"},
	"filter-style":       {"prefix", "substring", "wildcard"},
	"first":              {"password", "email"},
	"format":             {"text", "json", "html", "csv", "jsonl"},
	"grant":              {"mfa", "block"},
	"language":           {"en", "de"},
	"phone-validity":     {"possible", "strict"},
	"phones":             {"export", "directory", "newest"},
	"pin":                {"yes", "no"},
	"required":           {"yes", "no"},
	"role":               {"migrate", "shim", "helpdesk", "auditor", "admin"},
	"scope":              {"all"},
	"secret-format":      {"base32", "hex", "base64"},
	"self-activation":    {"yes", "no"},
	"self-enrolment":     {"yes", "no"},
	"skip":               {"devices", "blocked"},
	"state":              {"enabled", "disabled", "on", "report", "off"},
	"telephony-provider": {"sms", "voice"},
	"weak-pins":          {"yes", "no"},
}

// splitLine divides a line into words, as shells do: blanks divide, and what is
// quoted or escaped is taken as it is. word is the last one, of which nothing
// may be there yet.
func splitLine(line string) (before []string, word string) {
	for {
		line = strings.TrimLeft(line, " \t\n")
		word, line = takeWord(line)
		if line == "" {
			return before, word
		}
		before = append(before, word)
	}
}

// takeWord takes the first word of text, without its quotes. What is behind it
// begins with a blank; nothing: it may go on.
func takeWord(text string) (word, rest string) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			return b.String(), text[i:]
		case c == '\\' && quote != '\'':
			if i++; i < len(text) {
				b.WriteByte(text[i])
			}
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote && quote != 0:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}
