package channel

import (
	"maps"
	"slices"
	"strings"
	"time"

	"mfabridge/internal/hint"
)

// Config is the block channels of engine.yaml.
type Config struct {
	Text *Text `yaml:"text"` // codes to telephones

	// Not built yet.
	Email    any `yaml:"email"`
	Voice    any `yaml:"voice"`
	WhatsApp any `yaml:"whatsapp"`
	RCS      any `yaml:"rcs"`
}

// Text is the channel of text messages.
type Text struct {
	// Providers are asked in this order, at most two: the second one gets what
	// the first does not take.
	Providers []Provider `yaml:"providers"`

	Budget Budget `yaml:"budget"`

	// Templates of messages by language; "default" is used for all others.
	// Each holds <$otp$> once and may hold <$application_name$>.
	Templates map[string]string `yaml:"templates"`

	// Languages says which template goes to which country: {"+49": de}. The
	// longest prefix counts.
	Languages map[string]string `yaml:"languages"`
}

// Budget bounds what may be spent in one day (UTC). It is counted in the store,
// for all nodes together and across restarts.
type Budget struct {
	Day       int            `yaml:"day"`       // texts to all; 0: 5000
	Countries map[string]int `yaml:"countries"` // texts to numbers by prefix: {"+44": 500}; 0 closes a country
	Others    *int           `yaml:"others"`    // texts to each country that is not listed; absent: as many as day, 0: none
}

// Provider is one way of delivering.
type Provider struct {
	Name string `yaml:"name"` // in logs and commands

	// Mode is live, evaluate (deliver nothing, log what would be sent) or off.
	Mode string `yaml:"mode"`

	// Percent of all users whose codes go this way, 1 to 100; default 100. A
	// user stays in or out while the number stays or grows.
	Percent int `yaml:"percent"`

	HTTP *HTTP `yaml:"http"`
	SMTP *SMTP `yaml:"smtp"`

	// Not built yet.
	Receipts any `yaml:"receipts"`
	SMPP     any `yaml:"smpp"`
}

// Kind is http, with its profile, or smtp.
func (p Provider) Kind() string {
	switch {
	case p.HTTP == nil:
		return "smtp"
	case p.HTTP.Profile != "":
		return "http (" + p.HTTP.Profile + ")"
	}
	return "http"
}

// Host is the host that is called.
func (p Provider) Host() string {
	if p.HTTP == nil {
		return p.SMTP.Host
	}
	_, rest, _ := strings.Cut(p.HTTP.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// HTTP is a provider that is called over HTTPS. In url (behind the host),
// form and json stand marks: <$number$> (+442079460000), <$digits$> (the same
// without +), <$text$>, <$otp$>, <$application_name$>, <$id$>, and the names in
// vars. The code may stand in the body only.
type HTTP struct {
	Profile string            `yaml:"profile"` // twilio, form or json: fills what is left out here
	Vars    map[string]string `yaml:"vars"`    // of the profile and of marks: a text, or file:PATH or env:NAME
	Method  string            `yaml:"method"`  // POST (default) or PUT
	URL     string            `yaml:"url"`     // https://HOST/…
	Headers map[string]string `yaml:"headers"` // a text, or file:PATH or env:NAME
	Basic   *Basic            `yaml:"basic"`
	Bearer  string            `yaml:"bearer"` // file:PATH or env:NAME
	Form    map[string]string `yaml:"form"`   // application/x-www-form-urlencoded
	JSON    map[string]any    `yaml:"json"`   // texts anywhere in it are templates
	Success Success           `yaml:"success"`
	Timeout string            `yaml:"timeout"` // 500ms to 8s; default 4s
	CA      string            `yaml:"ca"`      // file of authorities (PEM); default: the system's

	// AllowPrivate lets the host be in a private network or on this machine.
	AllowPrivate bool `yaml:"allow_private"`
}

// Basic is a user with a password (RFC 7617).
type Basic struct {
	User     string `yaml:"user"`     // may hold marks of vars
	Password string `yaml:"password"` // file:PATH or env:NAME
}

// Success says which answers mean that the provider has taken a message over.
type Success struct {
	Status []int    `yaml:"status"` // of 200 to 299; default all of them
	Field  string   `yaml:"field"`  // of a JSON answer: messages.0.status
	Is     []string `yaml:"is"`     // what it may be; null, true and numbers as JSON writes them
}

// SMTP is a mail server that takes messages.
type SMTP struct {
	Host     string `yaml:"host"`
	Port     int    `yaml:"port"`     // default 587, with tls: implicit 465
	TLS      string `yaml:"tls"`      // starttls (default) or implicit; none is for a loopback host
	CA       string `yaml:"ca"`       // file of authorities (PEM); default: the system's
	User     string `yaml:"user"`     // default: no authentication
	Password string `yaml:"password"` // file:PATH or env:NAME
	From     string `yaml:"from"`     // address
	To       string `yaml:"to"`       // address with <$number$> or <$digits$>, as the gateway of the telephone network wants it
	Subject  string `yaml:"subject"`  // may hold <$application_name$>; default: Verification code
	Timeout  string `yaml:"timeout"`  // 500ms to 8s; default 4s
}

// Modes of a provider.
const (
	Live     = "live"
	Evaluate = "evaluate"
	Off      = "off"
)

// Times of one try. All that a login asks has ten seconds.
const (
	timeoutDefault, timeoutLeast, timeoutMost = 4 * time.Second, 500 * time.Millisecond, 8 * time.Second
)

// maxProviders of one channel, maxTable entries of a table.
const (
	maxProviders = 2
	maxTable     = 300
)

// Delivers tells whether every user's texts reach a telephone, as far as the
// configuration says: one provider is live for all.
func (t *Text) Delivers() bool {
	return t != nil && slices.ContainsFunc(t.Providers, func(p Provider) bool { return p.Mode == Live && p.Percent == 100 })
}

// Check completes the configuration and says everything that is wrong with it.
// Relative paths count from the folder.
func (c *Config) Check(folder string) []error {
	k := &checking{folder: folder}
	k.later("channels.email", c.Email, "an address that was imported is not confirmed, and nothing secret goes there; codes go by text")
	k.later("channels.voice", c.Voice, "calls are not built into this version")
	k.later("channels.whatsapp", c.WhatsApp, "WhatsApp is not built into this version")
	k.later("channels.rcs", c.RCS, "RCS is not built into this version")
	switch {
	case c.Text == nil && len(k.problems) == 0:
		k.refuse("write channels: {text: {providers: […]}}, or remove it", "channels names no channel")
	case c.Text != nil:
		k.text(c.Text)
	}
	return k.problems
}

func (k *checking) text(t *Text) {
	switch n := len(t.Providers); {
	case n == 0:
		k.refuse("list one, as in docs/delivery.md", "channels.text has no providers")
	case n > maxProviders:
		k.refuse("leave one for all and one for what it does not take", "channels.text has more than %d providers", maxProviders)
	}
	names := map[string]bool{}
	for i := range t.Providers {
		p := &t.Providers[i]
		if names[strings.ToLower(p.Name)] {
			k.refuse("give each a name of its own", "two providers of channels.text have one name")
		}
		names[strings.ToLower(p.Name)] = true
		k.provider(p)
	}
	k.budget(&t.Budget)
	k.templates(t)
}

func (k *checking) budget(b *Budget) {
	if b.Day < 0 || b.Day > maxDay || b.Others != nil && (*b.Others < 0 || *b.Others > maxDay) {
		k.refuse("write a number", "channels.text.budget: day and others are from 0 to %d", maxDay)
	}
	if len(b.Countries) > maxTable {
		k.refuse("list fewer", "channels.text.budget.countries has more than %d entries", maxTable)
	}
	for prefix, n := range b.Countries {
		if !isPrefix(prefix) {
			k.refuse(`write them as "+44": 500`, "channels.text.budget.countries: a key is no country prefix")
		} else if n < 0 || n > maxDay {
			k.refuse("write a number", "channels.text.budget.countries: %s is not from 0 to %d", prefix, maxDay)
		}
	}
}

func (k *checking) templates(t *Text) {
	if len(t.Templates) > maxTable || len(t.Languages) > maxTable {
		k.refuse("list fewer", "channels.text has more than %d templates or languages", maxTable)
		return
	}
	for _, language := range slices.Sorted(maps.Keys(t.Templates)) {
		if _, err := ParseText(t.Templates[language]); err != nil {
			k.problems = append(k.problems, hint.Wrap(wrapped("channels.text.templates", err), `write for example "Your code for <$application_name$> is <$otp$>."`))
		}
	}
	if len(t.Templates) > 0 && t.Templates[defaultLanguage] == "" {
		k.refuse("add default: TEXT", "channels.text.templates has none for all other languages")
	}
	for prefix, language := range t.Languages {
		if !isPrefix(prefix) || t.Templates[language] == "" {
			k.refuse(`write for example languages: {"+49": de}, and templates: {de: …}`, "channels.text.languages: a key is no country prefix, or its language has no template")
		}
	}
}

// defaultLanguage is the template for everybody else.
const defaultLanguage = "default"

// maxDay is the largest budget.
const maxDay = 10_000_000

// isPrefix tells whether s is how numbers begin: "+44", "+1868".
func isPrefix(s string) bool {
	if len(s) < 2 || len(s) > 8 || s[0] != '+' || s[1] == '0' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}

// byPrefix is the entry of the longest prefix that a number begins with.
func byPrefix[T any](table map[string]T, number string) (value T, prefix string, found bool) {
	for n := min(len(number), 8); n >= 2; n-- {
		if v, ok := table[number[:n]]; ok {
			return v, number[:n], true
		}
	}
	return value, "", false
}
