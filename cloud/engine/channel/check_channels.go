package channel

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud/form"
	"mfabridge/internal/confcheck"
	"mfabridge/internal/hint"
)

// Bounds of how long a receipt is waited for.
const (
	waitDefault, waitLeast, waitMost = 15 * time.Second, 3 * time.Second, 2 * time.Minute
)

// firstCountries are where chats begin, unless a configuration says more: India,
// Indonesia, New Zealand.
func firstCountries() []string { return []string{"+91", "+62", "+64"} }

// everywhere stands for all countries.
const everywhere = "all"

// Check completes the configuration and says everything that is wrong with it.
// Relative paths count from the folder.
func (c *Config) Check(folder string) []error {
	k := &checking{Check: confcheck.Check{Folder: folder}, names: map[string]bool{}}
	if c.Text == nil && c.Email == nil && c.Voice == nil {
		k.Refuse("write channels: {text: {providers: […]}}, or remove it", "channels names no channel that stands by itself")
	}
	if c.Text == nil && (c.WhatsApp != nil || c.RCS != nil) {
		k.Refuse("add text: {providers: […]}", "channels has whatsapp or rcs without text: who has none of them would get no code")
	}
	if c.Text != nil {
		k.text(c.Text)
	}
	k.chat("whatsapp", c.WhatsApp)
	k.chat("rcs", c.RCS)
	k.patient("text, whatsapp and rcs")
	if c.Voice != nil {
		k.voice(c.Voice)
		k.patient("voice")
	}
	if c.Text != nil && c.Text.Speak && c.Voice == nil {
		k.Refuse("add voice: {providers: […], countries: […]}", "channels.text.speak needs calls")
	}
	if c.Email != nil {
		k.providers("email", c.Email.Providers)
		k.templates("channels.email", c.Email.Templates, c.Email.Languages, isDomain, `{"contoso.example": de}`)
		k.patient("email")
	}
	return k.Problems
}

// patient holds the times of the providers that one message may ask against what
// a login has.
func (k *checking) patient(of string) {
	if k.patience > maxPatience {
		k.Refuse("give them less time", "the timeouts of all providers of channels.%s are more than %v together", of, maxPatience)
	}
	k.patience = 0
}

func (k *checking) providers(channel string, all []Provider) {
	k.channel = channel
	switch n := len(all); {
	case n == 0:
		k.Refuse("list one, as in docs/delivery.md", "channels.%s has no providers", channel)
	case n > maxProviders:
		k.Refuse("leave one for all and one for what it does not take", "channels.%s has more than %d providers", channel, maxProviders)
	}
	for i := range all {
		p := &all[i]
		if k.names[strings.ToLower(p.Name)] {
			k.Refuse("give each a name of its own", "two providers of channels have one name")
		}
		k.names[strings.ToLower(p.Name)] = true
		k.provider(p)
	}
}

func (k *checking) text(t *Text) {
	k.providers("text", t.Providers)
	k.budget("channels.text", &t.Budget)
	k.templates("channels.text", t.Templates, t.Languages, isPrefix, `{"+49": de}`)
	k.atOnce("channels.text", &t.AtOnce, 128, 4096)
}

func (k *checking) chat(name string, c *Chat) {
	if c == nil {
		return
	}
	at := "channels." + name
	k.providers(name, c.Providers)
	if len(c.Countries) == 0 {
		c.Countries = firstCountries()
	}
	k.countries(at, c.Countries)
	c.WaitTime = waitDefault
	if c.Wait != "" {
		d, err := time.ParseDuration(c.Wait)
		if err != nil || d < waitLeast || d > waitMost {
			k.Refuse(fmt.Sprintf("write a time from %v to %v", waitLeast, waitMost), "%s.wait is no time that a receipt may take", at)
		}
		c.WaitTime = d
	}
	if name != "whatsapp" && c.Announce != nil {
		k.Refuse("remove it", "%s.announce means nothing: only WhatsApp is announced", at)
	}
	for _, language := range slices.Sorted(maps.Keys(c.Announce)) {
		if err := checkNotice(c.Announce[language]); err != nil {
			k.Add(hint.Wrap(wrapped(at+".announce", err), `write for example {default: "Codes come to you by WhatsApp from now on."}`))
		}
	}
	if c.Announce != nil && c.Announce[defaultLanguage] == "" {
		k.Refuse("add default: TEXT", "%s.announce has none for all other languages", at)
	}
}

func (k *checking) countries(at string, list []string) {
	if len(list) > maxTable {
		k.Refuse("list fewer", "%s.countries has more than %d entries", at, maxTable)
	}
	for _, prefix := range list {
		if prefix != everywhere && !isPrefix(prefix) {
			k.Refuse(`write them as ["+44", "+1425"]`, "%s.countries: an entry is no country prefix", at)
		}
	}
}

func (k *checking) voice(v *Voice) {
	const at = "channels.voice"
	k.providers("voice", v.Providers)
	k.budget(at, &v.Budget)
	if len(v.Countries) == 0 {
		k.Refuse(`list the countries that are called: ["+44"]`, "%s.countries is empty: calls cost most, so each country is opened by itself", at)
	}
	k.countries(at, v.Countries)
	if v.FraudCode == "" {
		v.FraudCode = "0"
	}
	if len(v.FraudCode) > 3 || strings.Trim(v.FraudCode, "0123456789") != "" {
		k.Refuse(`write fraud_code: "0"`, "%s.fraud_code must be 1 to 3 digits", at)
	}
	for prefix, language := range v.Languages {
		if _, err := newScript(language, v.Scripts); err != nil || !isPrefix(prefix) {
			k.Refuse(`write for example languages: {"+49": de-DE}`, "%s.languages: a key is no country prefix, or no script speaks its language", at)
		}
	}
	for _, language := range slices.Sorted(maps.Keys(v.Scripts)) {
		if _, err := newScript(language, v.Scripts); err != nil {
			k.Add(hint.Wrap(wrapped(at+".scripts", err), "docs/delivery.md lists the lines of a script"))
		}
	}
}

func (k *checking) budget(at string, b *Budget) {
	if b.Day < 0 || b.Day > maxDay || b.Others != nil && (*b.Others < 0 || *b.Others > maxDay) {
		k.Refuse("write a number", "%s.budget: day and others are from 0 to %d", at, maxDay)
	}
	if b.Alarm < 0 || b.Alarm > 100 {
		k.Refuse("write 1 to 100", "%s.budget.alarm is no percentage", at)
	}
	if len(b.Countries) > maxTable {
		k.Refuse("list fewer", "%s.budget.countries has more than %d entries", at, maxTable)
	}
	for prefix, n := range b.Countries {
		if !isPrefix(prefix) {
			k.Refuse(`write them as "+44": 500`, "%s.budget.countries: a key is no country prefix", at)
		} else if n < 0 || n > maxDay {
			k.Refuse("write a number", "%s.budget.countries: %s is not from 0 to %d", at, prefix, maxDay)
		}
	}
}

func (k *checking) templates(at string, texts, languages map[string]string, isKey func(string) bool, example string) {
	if len(texts) > maxTable || len(languages) > maxTable {
		k.Refuse("list fewer", "%s has more than %d templates or languages", at, maxTable)
		return
	}
	for _, language := range slices.Sorted(maps.Keys(texts)) {
		if _, err := ParseText(texts[language]); err != nil {
			k.Add(hint.Wrap(wrapped(at+".templates", err), `write for example "Your code for <$application_name$> is <$otp$>."`))
		}
	}
	if len(texts) > 0 && texts[defaultLanguage] == "" {
		k.Refuse("add default: TEXT", "%s.templates has none for all other languages", at)
	}
	for key, language := range languages {
		if !isKey(key) || texts[language] == "" {
			k.Refuse("write for example languages: "+example+", and templates: {de: …}", "%s.languages: a key is none, or its language has no template", at)
		}
	}
}

// isDomain tells whether s is the domain of an address, in small letters.
func isDomain(s string) bool {
	return s == strings.ToLower(s) && strings.Contains(s, ".") && form.IsDomain(s)
}
