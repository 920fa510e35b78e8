package channel

import (
	"context"
	"errors"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/secret"
)

// mailsAtOnce is how many mails are being handed over at once: a mail server
// that is slow holds no more callers than that.
const mailsAtOnce = 32

// Mails are the mail servers that codes by mail go to. It is an [engine.Sender].
type Mails struct {
	*line
	template templates
	outbox   engine.Sender
}

var _ engine.Sender = (*Mails)(nil)

func (c *Channels) openMails(o *Options) (*Mails, error) {
	conf := o.Config.Email
	t, err := openTemplates("channels.email", conf.Templates, conf.Languages)
	if err != nil {
		return nil, err
	}
	l, err := c.line("email", "channels.email", conf.Providers, o, mailsAtOnce)
	if err != nil {
		return nil, err
	}
	return &Mails{line: l, template: t, outbox: o.Outbox}, nil
}

// Send implements [engine.Sender].
func (m *Mails) Send(ctx context.Context, msg engine.Message) error {
	if !m.enter() {
		return errBusy
	}
	defer m.leave()
	n := m.note(msg)
	_, err := m.line.send(ctx, msg, n)
	if !errors.Is(err, errNobody) {
		return err
	}
	msg.Text = secret.FromString(n.Text)
	return m.outbox.Send(ctx, msg)
}

func (m *Mails) note(msg engine.Message) carrier.Note {
	n := m.template.note(msg, m.template.ofAddress(msg.To))
	n.Number = msg.To
	return n
}

// Delivers implements [engine.Sender]: one server is live for every user.
func (m *Mails) Delivers() bool { return m.delivers() }
