package channel

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"mfabridge/cloud/engine/channel/carrier"
)

// maxAsks is how often a call asks for a key before it ends.
const maxAsks = 3

// Phone makes calls through a provider that is called over HTTPS and that takes
// scripts as TwiML (Say, Gather, Hangup). It calls back with the keys that were
// pressed; which call that is about stands in the address, and every call back is
// signed.
type Phone struct {
	*Caller
	conf    *Voice
	scripts map[string]script
}

var _ carrier.Hook = (*Phone)(nil)

// NewPhone reads the secrets and scripts of a configuration that was checked.
func NewPhone(conf *Voice, h *HTTP, hook string) (*Phone, error) {
	c, err := NewCaller(h, hook)
	if err != nil {
		return nil, err
	}
	p := &Phone{Caller: c, conf: conf, scripts: map[string]script{}}
	languages := []string{defaultSpoken}
	for _, language := range conf.Languages {
		languages = append(languages, language)
	}
	for _, language := range languages {
		if p.scripts[language], err = newScript(language, conf.Scripts); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// defaultSpoken is the language of countries that have none.
const defaultSpoken = "en-US"

func (p *Phone) script(language string) script {
	if s, there := p.scripts[language]; there {
		return s
	}
	return p.scripts[defaultSpoken]
}

// Send implements [carrier.Driver]: a note with a code is said, one without asks
// for a key.
func (p *Phone) Send(ctx context.Context, n carrier.Note) (carrier.Taken, error) {
	language, _, found := byPrefix(p.conf.Languages, n.Number)
	if !found {
		language = defaultSpoken
	}
	s := p.script(language)
	if n.Code != "" {
		return p.send(ctx, n, string(s.ending(s.say(lineCode, "", n.Code, ""))))
	}
	doc := s.asking(s.say(lineAsk, n.Application, "", p.conf.FraudCode), p.action(n.Public, language, "", 1))
	return p.send(ctx, n, string(doc))
}

// action is where a key goes that is pressed.
func (p *Phone) action(message, language, typed string, ask int) string {
	v := url.Values{"message": {message}, "keys": {strconv.Itoa(ask)}, "language": {language}}
	if typed != "" {
		v.Set("typed", typed)
	}
	return p.hook + "?" + v.Encode()
}

// Call implements [carrier.Hook]: a key that was pressed, or how the call ended.
func (p *Phone) Call(ctx context.Context, c carrier.Call) (carrier.Reply, error) {
	field, err := p.believed(c)
	if err != nil {
		return carrier.Reply{}, err
	}
	message, told := c.Query.Get("message"), carrier.Status("")
	if message == "" || len(message) > maxReceiptID {
		return carrier.Reply{}, nil
	}
	reply := carrier.Reply{Media: "text/xml; charset=utf-8"}
	if ask, err := strconv.Atoi(c.Query.Get("keys")); err == nil {
		told, reply.Body = p.pressed(c.Query, ask, field("Digits"))
	} else {
		told = ended(field("CallStatus"))
	}
	if told != "" {
		reply.Receipts = []carrier.Receipt{{ID: message, ByNote: true, Status: told}}
	}
	return reply, nil
}

// pressed says what a key means, and what is said and asked next.
func (p *Phone) pressed(q url.Values, ask int, key string) (carrier.Status, []byte) {
	s, typed, message := p.script(q.Get("language")), q.Get("typed"), q.Get("message")
	switch {
	case key == "#" && typed == "":
		return carrier.Confirmed, s.ending(s.say(lineYes, "", "", ""))
	case key == "#" && typed == p.conf.FraudCode:
		return carrier.Fraud, s.ending(s.say(lineFraud, "", "", ""))
	case len(key) == 1 && strings.HasPrefix(p.conf.FraudCode, typed+key):
		return "", s.asking("", p.action(message, s.language, typed+key, ask))
	case ask >= maxAsks:
		return carrier.Declined, s.ending("")
	}
	return "", s.asking(s.say(lineAgain, "", "", p.conf.FraudCode), p.action(message, s.language, "", ask+1))
}

// ended says what the end of a call means: it was declined, or it failed. Where a
// key was pressed before, the call has its verdict, and this changes nothing.
func ended(status string) carrier.Status {
	switch status {
	case "completed":
		return carrier.Declined
	case "busy", "failed", "no-answer", "canceled":
		return carrier.Failed
	}
	return ""
}
