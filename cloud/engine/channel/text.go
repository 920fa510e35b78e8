package channel

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// sender hands a note to a provider.
type sender interface {
	Send(ctx context.Context, n Note) error
	Close() error
}

// way is a provider with its setting.
type way struct {
	*Provider
	sender
}

// Texts are the providers of text messages, one after the other, and the
// outbox for what goes to none of them. It is an [engine.Sender].
type Texts struct {
	conf      *Text
	ways      []way
	templates map[string]Template // by language
	outbox    engine.Sender
	log       *slog.Logger
}

var _ engine.Sender = (*Texts)(nil)

// OpenTexts reads the secrets of a channel that was checked. Messages to users
// whom no provider is live for go to the outbox, which stays the caller's.
func OpenTexts(conf *Text, outbox engine.Sender, log *slog.Logger) (*Texts, error) {
	t := &Texts{conf: conf, outbox: outbox, log: log, templates: map[string]Template{}}
	for language, text := range conf.Templates {
		template, err := ParseText(text)
		if err != nil {
			return nil, wrapped("channels.text.templates", err)
		}
		t.templates[language] = template
	}
	for i := range conf.Providers {
		p := &conf.Providers[i]
		if p.Mode == Off {
			continue
		}
		s, err := open(p)
		if err != nil {
			return nil, errors.Join(hint.Wrap(fmt.Errorf("channels.text.providers.%s: %w", p.Name, err), hint.Of(err)), t.Close())
		}
		t.ways = append(t.ways, way{p, s})
	}
	return t, nil
}

func open(p *Provider) (sender, error) {
	if p.HTTP != nil {
		return NewCaller(p.HTTP)
	}
	return NewMailer(p.SMTP)
}

// Send implements [engine.Sender]: the first provider that is live for the user
// gets the message, the next one if it does not take it. Providers that are
// evaluated are logged. A message that providers were asked to take, and none
// has, is an error; one that nobody was asked to take goes to the outbox.
func (t *Texts) Send(ctx context.Context, m engine.Message) error {
	number, err := e164(m.To)
	if err != nil {
		return err
	}
	n := t.note(m, number)
	var failures []error
	for _, w := range t.ways {
		if !w.has(m.User) {
			continue
		}
		if w.Mode == Evaluate {
			t.log.InfoContext(ctx, "text would be sent", "provider", w.Name, "message", m.ID, "to", m.Masked(), "application", m.Application, "bytes", len(n.Text))
			continue
		}
		err := w.Send(ctx, n)
		if err == nil {
			if failures != nil {
				t.log.WarnContext(ctx, "provider did not take a text; the next one has", "message", m.ID, "err", errors.Join(failures...))
			}
			t.log.InfoContext(ctx, "text was taken over", "provider", w.Name, "message", m.ID, "to", m.Masked())
			return nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", w.Name, err))
	}
	switch {
	case len(failures) == 1:
		return failures[0]
	case len(failures) > 1:
		return fmt.Errorf("%w; %w", failures[0], failures[1])
	}
	m.Text = secret.FromString(n.Text)
	return t.outbox.Send(ctx, m)
}

// note is a message as a provider gets it: by the template of the language of
// its country, if the channel has templates.
func (t *Texts) note(m engine.Message, number string) Note {
	n := Note{ID: m.ID, Number: number, Text: string(m.Text.Reveal()), Code: string(m.Code.Reveal()), Application: m.Application}
	if isLink(n.Application) || n.Application == "" {
		n.Application = anApplication
	}
	language, _, found := byPrefix(t.conf.Languages, number)
	if !found {
		language = defaultLanguage
	}
	template, there := t.templates[language]
	if !there {
		template, _ = ParseText(engine.DefaultText) // a test parses it
	}
	n.Text = render(template, n.Code, n.Application)
	return n
}

// has tells whether a user's messages go this way: the user's bucket, of 100,
// is the same on every node and for every provider.
func (w way) has(user cloud.UserID) bool { return bucket(user) < w.Percent }

func bucket(user cloud.UserID) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte("delivery\x00" + string(user)))
	return int(h.Sum32() % 100)
}

// Delivers implements [engine.Sender]: one provider is live for every user.
func (t *Texts) Delivers() bool { return t.conf.Delivers() }

// Try sends one message by one provider, live or evaluated; who is asked to be
// in its percentage does not matter.
func (t *Texts) Try(ctx context.Context, provider string, m engine.Message) error {
	number, err := e164(m.To)
	if err != nil {
		return err
	}
	for _, w := range t.ways {
		if w.Name == provider {
			return w.Send(ctx, t.note(m, number))
		}
	}
	return hint.New("there is no such provider, or its mode is off", "mfabridge engine provider list shows them")
}

// Close gives connections back.
func (t *Texts) Close() error {
	var errs []error
	for _, w := range t.ways {
		errs = append(errs, w.sender.Close())
	}
	return errors.Join(errs...)
}

// e164 is a number as networks take it. One with an extension gets no texts.
func e164(s string) (string, error) {
	number := strings.ReplaceAll(s, " ", "")
	digits, plus := strings.CutPrefix(number, "+")
	if !plus || len(digits) < 7 || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" || digits[0] == '0' {
		return "", errors.New("the number is none that texts can go to")
	}
	return number, nil
}
