package channel

import (
	"iter"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud/engine"
)

// Config is the block channels of engine.yaml.
type Config struct {
	Text     *Text  `yaml:"text"`     // codes to telephones
	WhatsApp *Chat  `yaml:"whatsapp"` // before text, where a number has it
	RCS      *Chat  `yaml:"rcs"`      // after WhatsApp, before text
	Voice    *Voice `yaml:"voice"`    // calls
	Email    *Email `yaml:"email"`    // codes to confirmed addresses, notices to all
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

	// AtOnce is how many logins may wait at once for providers of SMS, 1 to 4096;
	// default 128. As many may wait for those of WhatsApp, and for those of RCS.
	// Whoever comes beyond that is told that nothing could be sent, so that slow
	// providers never hold up other logins.
	AtOnce int `yaml:"at_once"`

	// Speak lets a call say the code where no text could be handed over.
	Speak bool `yaml:"speak"`
}

// Chat is a channel that only some numbers have. Whether one has it shows when a
// message is sent, and is remembered.
type Chat struct {
	Providers []Provider `yaml:"providers"`

	// Countries are prefixes of numbers that are asked: ["+91", "+62", "+64"],
	// which is the default, or ["all"].
	Countries []string `yaml:"countries"`

	// Wait is how long a receipt may take until the next channel is asked, 3s to
	// 2m; default 15s.
	Wait string `yaml:"wait"`

	// Announce is the text, by language, that says once to each number that codes
	// come by WhatsApp now. Of whatsapp alone.
	Announce map[string]string `yaml:"announce"`

	WaitTime time.Duration `yaml:"-"`
}

// Voice is the channel of calls.
type Voice struct {
	Providers []Provider `yaml:"providers"`
	Budget    Budget     `yaml:"budget"` // of calls, apart from that of texts

	// Countries are prefixes of numbers that are called: ["+44", "+1425"]. Calls to
	// all others are refused: they are what fraud lives on.
	Countries []string `yaml:"countries"`

	// Languages says which language is spoken to which country: {"+49": de-DE}.
	// The script is built in for en, de, fr and es; Scripts holds others, or other
	// words.
	Languages map[string]string            `yaml:"languages"`
	Scripts   map[string]map[string]string `yaml:"scripts"`

	// FraudCode is what is pressed before # by whoever did not log in; default 0.
	FraudCode string `yaml:"fraud_code"`
}

// Email is the channel of mail.
type Email struct {
	Providers []Provider `yaml:"providers"` // of kind smtp

	Templates map[string]string `yaml:"templates"` // as of text
	Languages map[string]string `yaml:"languages"` // by domain of addresses: {"contoso.example": de}
}

// Budget bounds what may be spent in one day (UTC). It is counted in the store,
// for all nodes together and across restarts.
type Budget struct {
	Day       int            `yaml:"day"`       // texts to all; 0: 5000
	Countries map[string]int `yaml:"countries"` // texts to numbers by prefix: {"+44": 500}; 0 closes a country
	Alarm     int            `yaml:"alarm"`     // percent of a budget at which the log and the metrics say so once; default 80
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

	// Price of one message, or of each part of a text, for the log of what would
	// be sent; in whatever currency.
	Price float64 `yaml:"price"`

	HTTP     *HTTP     `yaml:"http"`
	SMTP     *SMTP     `yaml:"smtp"`
	WhatsApp *WhatsApp `yaml:"whatsapp"`
	SMPP     *SMPP     `yaml:"smpp"`
	RCS      *RCS      `yaml:"rcs"`
	Outbox   *Twin     `yaml:"outbox"` // delivers nothing: a folder of files, for trials
}

// Twin is an outbox in a provider's place.
type Twin struct {
	Folder string `yaml:"folder"` // of files, one a message; made if it is not there

	// Reaches are prefixes of numbers that have this channel: ["+91"]; default all.
	Reaches []string `yaml:"reaches"`

	// Receipts is what comes back for each message: delivered, failed or none
	// (default). Of calls: confirmed, fraud or declined.
	Receipts string `yaml:"receipts"`
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

	// ID is the field of a JSON answer by which receipts name the message: sid.
	ID string `yaml:"id"`

	// Receipts say what became of messages; without them nothing is known after
	// the provider has taken one over.
	Receipts *Receipts `yaml:"receipts"`

	// AtOnce is how many requests are open at once, 1 to 1024; default 64.
	AtOnce int `yaml:"at_once"`

	// AllowPrivate lets the host be in a private network or on this machine.
	AllowPrivate bool `yaml:"allow_private"`
}

// Receipts are calls of a provider to us, at PUBLIC_URL/delivery/v1/NAME.
type Receipts struct {
	// Signature says how a call is signed: twilio (X-Twilio-Signature, over address
	// and fields) or body-sha256 (HMAC-SHA-256 of the body in hexadecimal; not of
	// calls, whose keys are told in the address).
	Signature string `yaml:"signature"`
	Header    string `yaml:"header"` // of body-sha256; default X-Signature-256
	Key       string `yaml:"key"`    // file:PATH or env:NAME

	// Time is the header with the seconds since the epoch that is signed before
	// the body, as "TIME.BODY"; a call older than five minutes is refused. Default:
	// none, and a receipt counts once by what it says.
	Time string `yaml:"time"`

	ID     string              `yaml:"id"`     // field of the form or JSON body with the message's id
	Status string              `yaml:"status"` // field with what became of it
	Map    map[string][]string `yaml:"map"`    // {delivered: [DELIVRD], failed: […], unreachable: […], sent: […], read: […]}
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
func (t *Text) Delivers() bool { return t != nil && anyLive(t.Providers) }

// Delivers tells the same of calls; to countries that are open.
func (v *Voice) Delivers() bool { return v != nil && anyLive(v.Providers) }

// Delivers tells the same of mail.
func (e *Email) Delivers() bool { return e != nil && anyLive(e.Providers) }

func anyLive(providers []Provider) bool {
	return slices.ContainsFunc(providers, func(p Provider) bool { return p.Mode == Live && p.Percent == 100 && p.Outbox == nil })
}

// Apply puts what administrators have said of providers in the place of what the
// configuration says.
func (c *Config) Apply(states map[string]engine.ProviderState) {
	for _, providers := range c.Lines() {
		for i := range providers {
			if s, set := states[providers[i].Name]; set && providers[i].Mode != Off {
				providers[i].Mode, providers[i].Percent = s.Mode, s.Percent
			}
		}
	}
}

// Lines are the channels of a configuration with their providers, in the order
// in which people think of them.
func (c *Config) Lines() iter.Seq2[string, []Provider] {
	return func(yield func(string, []Provider) bool) {
		given := map[string][]Provider{}
		if c.Text != nil {
			given["text"] = c.Text.Providers
		}
		if c.WhatsApp != nil {
			given["whatsapp"] = c.WhatsApp.Providers
		}
		if c.RCS != nil {
			given["rcs"] = c.RCS.Providers
		}
		if c.Voice != nil {
			given["voice"] = c.Voice.Providers
		}
		if c.Email != nil {
			given["email"] = c.Email.Providers
		}
		for _, name := range []string{"text", "whatsapp", "rcs", "voice", "email"} {
			if len(given[name]) > 0 && !yield(name, given[name]) {
				return
			}
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
