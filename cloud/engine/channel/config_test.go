package channel_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mfabridge/cloud/engine/channel"
	"mfabridge/internal/hint"
	"mfabridge/internal/strictyaml"
)

const good = `text:
  providers:
    - name: main
      mode: live
      percent: 20
      http:
        profile: twilio
        vars: {account: AC1, from: "+14255550100"}
        basic: {password: "file:main.secret"}
        headers: {X-Team: identity}
    - name: mail
      mode: evaluate
      smtp: {host: mail.contoso.example, user: codes, password: "env:MAIL", from: codes@contoso.example, to: "<$digits$>@sms.contoso.example"}
  budget: {day: 2000, countries: {"+44": 500, "+881": 0}, others: 10}
  templates: {default: "Code <$otp$>", de: "Ihr Code für <$application_name$>: <$otp$>"}
  languages: {"+49": de}
`

// parse reads and checks a block.
func parse(t testing.TB, text string) (*channel.Config, error) {
	t.Helper()
	c := new(channel.Config)
	kind := strictyaml.Kind{Name: "channels", Manual: "docs/delivery.md", Empty: "-"}
	if err := kind.Decode([]byte(text), "channels.yaml", c); err != nil {
		return nil, err
	}
	return c, errors.Join(c.Check("/srv")...)
}

func TestProfilesFill(t *testing.T) {
	c, err := parse(t, good)
	if err != nil {
		t.Fatal(err)
	}
	h := c.Text.Providers[0].HTTP
	if h.URL != "https://api.twilio.com/2010-04-01/Accounts/<$account$>/Messages.json" || h.Basic.User != "<$account$>" || h.Basic.Password != "file:/srv/main.secret" ||
		h.Form["Body"] != "<$text$>" || h.Success.Field != "status" || h.Method != "POST" || c.Text.Providers[1].SMTP.Port != 587 {
		t.Errorf("filled as %+v", h)
	}
	if c.Text.Delivers() {
		t.Error("a fifth of all users counts as all of them")
	}
	c, err = parse(t, strings.Replace(good, "headers:", "receipts: {key: env:K, status: Other}\n        headers:", 1))
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Text.Providers[0].HTTP.Receipts; r.Signature != "twilio" || r.ID != "MessageSid" || r.Status != "Other" || len(r.Map) == 0 {
		t.Errorf("receipts filled as %+v", r)
	}
	for _, name := range channel.Profiles() {
		if name == "twilio-voice" {
			continue // of calls
		}
		text := `text: {providers: [{name: a, mode: live, http: {profile: ` + name + `, url: "https://sms.contoso.example/send", bearer: "env:X", vars: {account: a, from: b}}}]}`
		c, err := parse(t, text)
		if err != nil {
			t.Errorf("profile %s: %v", name, err)
		} else if !c.Text.Delivers() {
			t.Errorf("profile %s does not deliver", name)
		}
	}
	if len(channel.Profiles()) != 4 {
		t.Errorf("profiles: %v", channel.Profiles())
	}
}

// wrong is what stands in place of a part of the good ones, and what is said of it.
type wrong struct{ old, new, want string }

// ofWhatsApp is a provider of WhatsApp with a wrong setting behind right ones.
func ofWhatsApp(setting, want string) wrong {
	key, _, _ := strings.Cut(setting, ":")
	var right []string
	for _, s := range []string{`number: "1"`, "template: az_09", "token: \"env:T\""} {
		if !strings.HasPrefix(s, key+":") {
			right = append(right, s)
		}
	}
	return wrong{"text:\n", "whatsapp: {providers: [{name: x, mode: live, whatsapp: {" + strings.Join(append(right, setting), ", ") + "}}]}\ntext:\n", want}
}

func ofRCS(setting, want string) wrong {
	if !strings.HasPrefix(setting, "agent:") {
		setting = "agent: a, " + setting
	}
	return wrong{"text:\n", "rcs: {providers: [{name: x, mode: live, rcs: {account: \"env:A\", " + setting + "}}]}\ntext:\n", want}
}

func ofEmail(domain, want string) wrong {
	return wrong{"text:\n", "email: {templates: {default: \"Code <$otp$>\", de: \"Code <$otp$>\"}, languages: {\"" + domain + "\": de}, providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", want}
}

func ofReceipts(settings, want string) wrong {
	return wrong{"profile: twilio", "profile: form\n        url: https://a.example/\n        receipts: {signature: body-sha256, key: env:K, " + settings + "}", want}
}

// What the wrong ones are made of is right, whatever is said of what stands beside it.
func TestRightChannels(t *testing.T) {
	for _, c := range []wrong{ofWhatsApp(`url: "https://a.example/v1"`, ""), ofWhatsApp(`url: "http://127.0.0.1/", allow_private: true`, ""), ofWhatsApp("template: "+strings.Repeat("z", 512), ""),
		ofWhatsApp("at_once: 1", ""), ofWhatsApp("at_once: 1024", ""), ofRCS("at_once: 1", ""), ofRCS("at_once: 1024", ""), ofRCS("agent: "+strings.Repeat("a", 128), ""),
		ofEmail("contoso.example", ""), {"text:\n", "whatsapp: {announce: {default: \"Codes come here.\", de: \"Codes kommen hier.\"}, providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", ""}, {"  budget:", "  at_once: 4096\n  budget:", ""}, {"day: 2000", "day: 10000000", ""}, {"others: 10", "others: 0, alarm: 100", ""}, {`"+44": 500`, `"+1234567": 10000000`, ""},
		ofReceipts("header: X-Sign, time: X-Time, status: s, map: {read: [x]}", "")} {
		_, err := parse(t, strings.Replace(good, c.old, c.new, 1))
		for _, said := range strings.Split(fmt.Sprint(err), "\n") {
			if err != nil && !strings.Contains(said, "together") && !strings.Contains(said, "basic needs a user") {
				t.Errorf("%s: %s", c.new, said)
			}
		}
	}
}

func TestWrongChannels(t *testing.T) {
	for name, c := range map[string]wrong{
		"unknown key":              {"  budget:", "  bugdet:", "unknown key"},
		"email without providers":  {"text:\n", "email: {}\ntext:\n", "channels.email has no providers"},
		"mail by HTTP":             {"text:\n", "email: {providers: [{name: x, mode: live, http: {profile: json}}]}\ntext:\n", "http is nothing for channels.email"},
		"calls to everybody":       {"text:\n", "voice: {providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "channels.voice.countries is empty"},
		"calls by their body":      {"text:\n", "voice: {countries: [\"+44\"], providers: [{name: x, mode: live, http: {profile: twilio-voice, vars: {account: AC1, from: \"+14255550100\"}, basic: {password: \"env:K\"}, receipts: {signature: body-sha256, key: \"env:K\"}}}]}\ntext:\n", "does not cover the address"},
		"a fraud code":             {"text:\n", "voice: {fraud_code: a, countries: [\"+44\"], providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "fraud_code must be"},
		"a language of nobody":     {"text:\n", "voice: {languages: {\"+44\": xx}, countries: [\"+44\"], providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "no script speaks"},
		"WhatsApp without text":    {"text:\n", "whatsapp: {}\ntext:\n", "channels.whatsapp has no providers"},
		"WhatsApp by mail":         {"text:\n", "whatsapp: {providers: [{name: x, mode: live, smtp: {}}]}\ntext:\n", "smtp is nothing for channels.whatsapp"},
		"WhatsApp for the world":   {"text:\n", "whatsapp: {countries: [IN], providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "an entry is no country prefix"},
		"an impatient chain":       {"text:\n", "whatsapp: {wait: 1s, providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "no time that a receipt may take"},
		"a link as announcement":   {"text:\n", "whatsapp: {announce: {default: \"see wa.example\"}, providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "no link"},
		"a token in the open":      {"text:\n", "whatsapp: {providers: [{name: x, mode: live, whatsapp: {number: \"1\", template: t, token: hunter2}}]}\ntext:\n", "token does not say where"},
		"one name twice":           {"text:\n", "email: {providers: [{name: main, mode: live, outbox: {folder: f}}]}\ntext:\n", "have one name"},
		"WhatsApp without TLS":     ofWhatsApp(`url: "http://a.example/", allow_private: true`, "must begin with https"),
		"WhatsApp on loopback":     ofWhatsApp(`url: "http://127.0.0.1/"`, "must begin with https"),
		"WhatsApp by FTP":          ofWhatsApp(`url: "ftp://127.0.0.1/", allow_private: true`, "must begin with https"),
		"WhatsApp of no host":      ofWhatsApp(`url: "https:///v23.0"`, "must begin with https"),
		"WhatsApp with a user":     ofWhatsApp(`url: "https://a:b@a.example/"`, "hold no user"),
		"WhatsApp with a query":    ofWhatsApp(`url: "https://a.example/?a=b"`, "no query"),
		"WhatsApp with a place":    ofWhatsApp(`url: "https://a.example/#b"`, "no query"),
		"a number that is a path":  ofWhatsApp(`number: "1/2"`, "number is no id"),
		"no number of WhatsApp":    ofWhatsApp(`number: ""`, "number is no id"),
		"a template in capitals":   ofWhatsApp(`template: Code`, "template is no name"),
		"a template with a dash":   ofWhatsApp(`template: a-b`, "template is no name"),
		"a template with a brace":  ofWhatsApp("template: \"a{b\"", "template is no name"),
		"a template with a colon":  ofWhatsApp(`template: "a:b"`, "template is no name"),
		"a template with a slash":  ofWhatsApp(`template: "a/b"`, "template is no name"),
		"a template with a tick":   ofWhatsApp("template: \"a`b\"", "template is no name"),
		"a long template":          ofWhatsApp(`template: `+strings.Repeat("a", 513), "template is no name"),
		"no template":              ofWhatsApp(`template: ""`, "template is no name"),
		"a strange language":       ofWhatsApp(`language: "en us"`, "language of the template is none"),
		"one of many languages":    ofWhatsApp(`languages: {de: "d/e"}`, "language of the template is none"),
		"no token of WhatsApp":     ofWhatsApp(`token: ""`, "token does not say where"),
		"an app in the open":       ofWhatsApp(`app_secret: hunter2`, "app_secret does not say where"),
		"much at once":             ofWhatsApp(`at_once: 1025`, "at_once cannot be 1025"),
		"less than one at once":    ofWhatsApp(`at_once: -1`, "at_once cannot be -1"),
		"a patient WhatsApp":       ofWhatsApp(`timeout: 9s`, "no time that a try may take"),
		"RCS of no host":           ofRCS(`url: "https:///v1"`, "must begin with https"),
		"RCS with a user":          ofRCS(`url: "https://a:b@a.example"`, "hold no user"),
		"RCS with a query":         ofRCS(`url: "https://a.example?a=b"`, "no query"),
		"RCS with a place":         ofRCS(`url: "https://a.example#b"`, "no query"),
		"an agent of two lines":    ofRCS(`agent: "a\nb"`, "agent is no id"),
		"a long agent":             ofRCS(`agent: `+strings.Repeat("a", 129), "agent is no id"),
		"many RCS at once":         ofRCS(`at_once: 1025`, "at_once cannot be 1025"),
		"no RCS at once":           ofRCS(`at_once: -1`, "at_once cannot be -1"),
		"a patient RCS":            ofRCS(`timeout: 9s`, "no time that a try may take"),
		"a time of twilio":         {"headers:", "receipts: {key: env:K, time: X-Time}\n        headers:", "are of body-sha256"},
		"a header of twilio":       {"headers:", "receipts: {key: env:K, header: X-Sign}\n        headers:", "are of body-sha256"},
		"a header with a gap":      ofReceipts(`header: "X Sign", status: s, map: {read: [x]}`, "no name of a header"),
		"a time with a gap":        ofReceipts(`time: "X Time", status: s, map: {read: [x]}`, "no name of a header"),
		"receipts that say little": ofReceipts(`map: {read: [x]}`, "needs status and map"),
		"receipts without a map":   ofReceipts(`status: s`, "needs status and map"),
		"chats alone":              {good, "voice: {countries: [\"+44\"], providers: [{name: x, mode: live, outbox: {folder: f}}]}\nwhatsapp: {providers: [{name: y, mode: live, outbox: {folder: g}}]}\n", "without text"},
		"RCS alone":                {good, "voice: {countries: [\"+44\"], providers: [{name: x, mode: live, outbox: {folder: f}}]}\nrcs: {providers: [{name: y, mode: live, outbox: {folder: g}}]}\n", "without text"},
		"only a chat":              {good, "whatsapp: {providers: [{name: y, mode: live, outbox: {folder: g}}]}\n", "no channel that stands by itself"},
		"speech without calls":     {"  budget:", "  speak: true\n  budget:", "speak needs calls"},
		"many texts at once":       {"  budget:", "  at_once: 4097\n  budget:", "at_once cannot be 4097"},
		"no texts at once":         {"  budget:", "  at_once: -1\n  budget:", "at_once cannot be -1"},
		"a day of less":            {"day: 2000", "day: -1", "day and others are from 0"},
		"a day of more":            {"day: 2000", "day: 10000001", "day and others are from 0"},
		"others of less":           {"others: 10", "others: -1", "day and others are from 0"},
		"others of more":           {"others: 10", "others: 10000001", "day and others are from 0"},
		"much for a country":       {`"+44": 500`, `"+44": 10000001`, "is not from 0"},
		"an alarm beyond all":      {"others: 10", "others: 10, alarm: 101", "alarm is no percentage"},
		"an alarm of less":         {"others: 10", "others: 10, alarm: -1", "alarm is no percentage"},
		"a country without end":    {`"+44": 500`, `"+12345678": 500`, "no country prefix"},
		"a country of zero":        {`"+44": 500`, `"+0": 500`, "no country prefix"},
		"no country":               {`"+44": 500`, `"+": 500`, "no country prefix"},
		"a chat that waits long":   {"text:\n", "whatsapp: {wait: 121s, providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "no time that a receipt may take"},
		"RCS that is announced":    {"text:\n", "rcs: {announce: {default: \"Codes come by RCS.\"}, providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "only WhatsApp is announced"},
		"no announcement":          {"text:\n", "whatsapp: {announce: {de: \"Codes kommen nun hier.\"}, providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "none for all other languages"},
		"a long fraud code":        {"text:\n", "voice: {fraud_code: \"1234\", countries: [\"+44\"], providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "fraud_code must be"},
		"a language of no place":   {"text:\n", "voice: {languages: {\"44\": de-DE}, countries: [\"+44\"], providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "no country prefix"},
		"calls without limits":     {"text:\n", "voice: {budget: {day: -1}, countries: [\"+44\"], providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "voice.budget: day"},
		"calls beyond the world":   {"text:\n", "voice: {countries: [UK], providers: [{name: x, mode: live, outbox: {folder: f}}]}\ntext:\n", "voice.countries: an entry"},
		"mail of no domain":        ofEmail("example", "a key is none"),
		"mail of a shout":          ofEmail("Contoso.example", "a key is none"),
		"mail of a place":          ofEmail("contoso.example/x y", "a key is none"),
		"http that may be private": {"profile: twilio", "profile: twilio\n        url: http://sms.contoso.example/\n        allow_private: true", "must begin with https"},
		"SMPP for WhatsApp":        {"text:\n", "whatsapp: {providers: [{name: x, mode: live, smpp: {}}]}\ntext:\n", "smpp is nothing for channels.whatsapp"},
		"RCS for texts":            {"name: mail", "name: x\n      mode: live\n      rcs: {}\n    - name: mail", "rcs is nothing for channels.text"},
		"SMPP in the open":         {"smtp: {", "smpp: {host: smpp.example, tls: none, system_id: a, password: \"env:P\"}\n      #", "is for a centre in a private network"},
		"SMPP with sometimes TLS":  {"smtp: {", "smpp: {host: smpp.example, tls: starttls, system_id: a, password: \"env:P\"}\n      #", "tls must be implicit"},
		"SMPP with a port":         {"smtp: {", "smpp: {host: \"smpp.example:2775\", system_id: a, password: \"env:P\"}\n      #", "no name of a host"},
		"a centre's password":      {"smtp: {", "smpp: {host: smpp.example, system_id: a, password: hunter2}\n      #", "password does not say where"},
		"SMPP of nobody":           {"smtp: {", "smpp: {host: smpp.example, password: \"env:P\"}\n      #", "system_id has 1 to 15"},
		"a sender with a link":     {"smtp: {", "smpp: {host: smpp.example, system_id: a, password: \"env:P\", from: \"https://x\"}\n      #", "the source is neither"},
		"an alphabet of nobody":    {"smtp: {", "smpp: {host: smpp.example, system_id: a, password: \"env:P\", alphabet: ebcdic}\n      #", "alphabet is gsm"},
		"ids of nobody":            {"smtp: {", "smpp: {host: smpp.example, system_id: a, password: \"env:P\", message_ids: octal}\n      #", "message_ids is same"},
		"a wide window":            {"smtp: {", "smpp: {host: smpp.example, system_id: a, password: \"env:P\", window: 2000}\n      #", "window is 1 to 1000"},
		"a long silence":           {"smtp: {", "smpp: {host: smpp.example, system_id: a, password: \"env:P\", enquire: 1h}\n      #", "enquire is no time"},
		"an agent of nobody":       {"text:\n", "rcs: {providers: [{name: x, mode: live, rcs: {account: \"env:A\"}}]}\ntext:\n", "agent is no id"},
		"an account in the open":   {"text:\n", "rcs: {providers: [{name: x, mode: live, rcs: {agent: a, account: hunter2}}]}\ntext:\n", "account does not say where"},
		"a webhook in the open":    {"text:\n", "rcs: {providers: [{name: x, mode: live, rcs: {agent: a, account: \"env:A\", token: hunter2}}]}\ntext:\n", "token does not say where"},
		"RCS by HTTP":              {"text:\n", "rcs: {providers: [{name: x, mode: live, rcs: {agent: a, account: \"env:A\", url: \"http://a.example\"}}]}\ntext:\n", "must begin with https"},
		"traffic of nobody":        {"text:\n", "rcs: {providers: [{name: x, mode: live, rcs: {agent: a, account: \"env:A\", traffic: \"a b\"}}]}\ntext:\n", "no type of traffic"},
		"RCS without providers":    {"text:\n", "rcs: {}\ntext:\n", "channels.rcs has no providers"},
		"two kinds":                {"percent: 20", "outbox: {folder: f}", "needs one of http, smpp, smtp"},
		"an unsigned receipt":      {"headers:", "receipts: {signature: none, key: env:K}\n        headers:", "not signed is not believed"},
		"a key in the open":        {"headers:", "receipts: {key: hunter2}\n        headers:", "key does not say where"},
		"a strange receipt":        {"profile: twilio", "profile: form\n        url: https://a.example/\n        receipts: {signature: body-sha256, key: env:K, status: s, map: {eaten: [x]}}", "a key is no status"},
		"a small price":            {"percent: 20", "price: -1", "price cannot be"},
		"no mode":                  {"mode: live", "mode: on", "main.mode must be"},
		"much percent":             {"percent: 20", "percent: 101", "percent cannot be 101"},
		"less than nothing":        {"percent: 20", "percent: -1", "percent cannot be -1"},
		"two of a name":            {"name: mail", "name: MAIN", "have one name"},
		"a strange name":           {"name: mail", "name: a/b", "no plain name"},
		"a profile that is none":   {"profile: twilio", "profile: other", "profile is none of"},
		"a var is missing":         {"account: AC1, ", "", "needs vars: {account"},
		"a var named as a mark":    {"account: AC1", "account: AC1, otp: x", "a name cannot be used"},
		"GET":                      {"profile: twilio", "profile: twilio\n        method: GET", "must be POST or PUT"},
		"http":                     {"profile: twilio", "profile: twilio\n        url: http://sms.contoso.example/", "must begin with https"},
		"http on loopback":         {"profile: twilio", "profile: twilio\n        url: http://127.0.0.1/", "must begin with https"},
		"a mark in the host":       {"profile: twilio", "profile: twilio\n        url: https://<$account$>.contoso.example/", "in its host"},
		"a mark as port":           {"profile: twilio", "profile: twilio\n        url: https://contoso.example:8<$account$>/", "in its host"},
		"a mark behind the host":   {"profile: twilio", "profile: twilio\n        url: https://contoso.example<$account$>/", "in its host"},
		"a host in a query":        {"profile: twilio", "profile: twilio\n        url: https://contoso.example?<$account$>/", "in its host"},
		"the code in the address":  {"profile: twilio", "profile: twilio\n        url: https://contoso.example/<$otp$>", "means nothing here"},
		"a user in the address":    {"profile: twilio", "profile: twilio\n        url: https://a:b@contoso.example/", "without a user"},
		"a password in the open":   {"file:main.secret", "hunter2-in-the-open", "says where the password is"},
		"basic and bearer":         {"headers:", "bearer: env:X\n        headers:", "basic and bearer"},
		"an open authorization":    {"X-Team: identity", "Authorization: abc", "in the open"},
		"a header of the request":  {"X-Team", "host", "cannot be set"},
		"a header with a line":     {"X-Team: identity", `X-Team: "a\r\nb"`, "cannot be set"},
		"a header with a space":    {"X-Team", `"X Team"`, "cannot be set"},
		"form and json":            {"headers:", "form: {a: \"<$number$><$text$>\"}\n        json: {a: b}\n        headers:", "needs form or json"},
		"no number":                {"headers:", "form: {a: \"<$text$>\"}\n        headers:", "must hold <$number$>"},
		"no code":                  {"headers:", "form: {a: \"<$number$>\"}\n        headers:", "must hold <$text$>"},
		"the code twice":           {"headers:", "json: {a: [\"<$number$>\", \"<$text$>\", \"<$otp$>\"]}\n        headers:", "once"},
		"a mark that is none":      {"headers:", "json: {a: \"<$number$><$text$><$bank$>\"}\n        headers:", "means nothing here"},
		"a failure as success":     {"headers:", "success: {status: [302]}\n        headers:", "302 is no success"},
		"half a rule":              {"headers:", "success: {field: status}\n        headers:", "one of field and is"},
		"a long time":              {"headers:", "timeout: 9s\n        headers:", "no time that a try may take"},
		"a long time together":     {"headers:", "timeout: 6s\n        headers:", "more than 9s together"},
		"mail to a fixed address":  {"<$digits$>@sms", "x@sms", "no address of mail with"},
		"mail to any domain":       {"<$digits$>@sms.contoso.example", "a@<$digits$>.example", "domain of to"},
		"mail from a name":         {"from: codes@contoso.example", `from: "A <a@b.example>"`, "from is no address"},
		"mail without TLS":         {"host: mail.contoso.example, user: codes, password: \"env:MAIL\"", "host: mail.contoso.example, tls: none", "is for a loopback host"},
		"a password without TLS":   {"host: mail.contoso.example", "host: 127.0.0.1, tls: none", "sends a password without TLS"},
		"mail by sometimes TLS":    {"host: mail.contoso.example", "host: mail.contoso.example, tls: opportunistic", "must be starttls"},
		"a host with a port":       {"host: mail.contoso.example", "host: \"mail.contoso.example:25\"", "no name of a host"},
		"half of a login":          {"user: codes, ", "", "needs both of user and password"},
		"a subject of two lines":   {"host: mail.contoso.example", `host: mail.contoso.example, subject: "a\r\nBcc: b"`, "one line"},
		"the code as subject":      {"host: mail.contoso.example", `host: mail.contoso.example, subject: "<$otp$>"`, "means nothing here"},
		"a country without +":      {`"+44"`, `"44"`, "no country prefix"},
		"less than no texts":       {`"+44": 500`, `"+44": -1`, "is not from 0"},
		"a link":                   {"Code <$otp$>", "Code <$otp$> https://x", "never holds a link"},
		"no default":               {"default: \"Code", "en: \"Code", "has none for all other"},
		"a language without text":  {`"+49": de`, `"+49": fr`, "its language has no template"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%s changes nothing", name)
		}
		_, err := parse(t, text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		} else if hint.Of(err) == "" && !strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: no advice with %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "identity")) {
			t.Errorf("%s: a value is told: %v", name, err)
		}
	}
}
