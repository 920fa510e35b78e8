package channel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/internal/secret"
)

// Texts are messages to telephones: by WhatsApp and RCS where a number has them,
// else by SMS. It is an [engine.Router].
type Texts struct {
	*Channels
	conf      *Text
	chats     map[string]*Chat
	byName    map[string]*line // of legs
	template  templates
	announces map[string]string
	outbox    engine.Sender
	later     map[string]chan struct{} // by channel: bounds the messages on their way to it that nobody waits for
}

var _ engine.Router = (*Texts)(nil)

// laterAtOnce is how many messages that nobody waits for are handed over at once
// to one channel; dueAtOnce is how many due messages are read at a time.
const (
	laterAtOnce = 32
	dueAtOnce   = 16 * laterAtOnce
)

func (c *Channels) openTexts(o *Options) (t *Texts, err error) {
	conf := o.Config.Text
	t = &Texts{Channels: c, conf: conf, outbox: o.Outbox, later: map[string]chan struct{}{"": make(chan struct{}, laterAtOnce)},
		chats: map[string]*Chat{}, byName: map[string]*line{}}
	if t.template, err = openTemplates("channels.text", conf.Templates, conf.Languages); err != nil {
		return nil, err
	}
	if t.byName[engine.ChannelSMS], err = c.line(engine.ChannelSMS, "channels.text", conf.Providers, o, conf.AtOnce); err != nil {
		return nil, err
	}
	for name, chat := range map[string]*Chat{engine.ChannelWhatsApp: o.Config.WhatsApp, engine.ChannelRCS: o.Config.RCS} {
		if chat == nil {
			continue
		}
		if t.byName[name], err = c.line(name, "channels."+name, chat.Providers, o, conf.AtOnce); err != nil {
			return nil, err
		}
		t.chats[name] = chat
	}
	if conf.Speak && c.Calls != nil {
		t.byName[engine.ChannelSpoken] = c.Calls.line
	}
	for name := range t.byName {
		t.later[name] = make(chan struct{}, laterAtOnce)
	}
	if o.Config.WhatsApp != nil {
		t.announces = o.Config.WhatsApp.Announce
	}
	return t, nil
}

// Legs implements [engine.Router].
func (t *Texts) Legs(user cloud.UserID, to string) (legs []string) {
	number, err := e164(to)
	if err != nil {
		return nil
	}
	for _, name := range []string{engine.ChannelWhatsApp, engine.ChannelRCS} {
		chat := t.chats[name]
		if chat != nil && inCountry(chat.Countries, number) && t.byName[name].live(user) {
			legs = append(legs, name)
		}
	}
	legs = append(legs, engine.ChannelSMS)
	if l := t.byName[engine.ChannelSpoken]; l != nil && inCountry(t.Calls.conf.Countries, number) && l.live(user) {
		legs = append(legs, engine.ChannelSpoken)
	}
	return legs
}

func inCountry(countries []string, number string) bool {
	return slices.ContainsFunc(countries, func(p string) bool { return p == everywhere || strings.HasPrefix(number, p) })
}

// Send implements [engine.Sender]: each channel of the message is asked until one
// has taken it. A message that providers were asked to take, and none has, is an
// error; one that nobody was asked to take goes to the outbox.
func (t *Texts) Send(ctx context.Context, m engine.Message) error {
	if len(m.Legs) < 2 || t.book == nil {
		_, err := t.handNow(ctx, engine.ChannelSMS, m)
		return err
	}
	return t.fly(ctx, m, 0, "", t.handNow)
}

// fly hands a message to its channels one after the other, beginning at the leg
// at, until one has taken it. Then it is called back from those channels of which
// nobody knows whether they took it, too; late is one from an earlier try.
func (t *Texts) fly(ctx context.Context, m engine.Message, at int, late string, hand hands) error {
	var failures []error
	var lates []string
	if late != "" {
		lates = append(lates, late)
	}
	for at >= 0 && at < len(m.Legs) {
		name := m.Legs[at]
		taken, err := hand(ctx, name, m)
		l := engine.Leg{Flight: cloud.ChallengeID(m.ID), At: at, Status: engine.LegTaken}
		switch {
		case errors.Is(err, carrier.ErrUnreachable):
			l.Status = engine.LegUnreachable
		case err != nil:
			l.Status = engine.LegFailed
			if errors.Is(err, carrier.ErrUnknown) {
				lates = append(lates, name)
			}
		case taken.taken.ID != "":
			l.Receipts = []string{engine.ReceiptName(name, taken.provider, taken.taken.ID)}
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", name, err))
		}
		if chat := t.chats[name]; chat != nil {
			l.Wait = chat.WaitTime
		}
		next, logged := t.book.Logged(context.WithoutCancel(ctx), l)
		if logged != nil {
			// What was sent was sent. The flight is due by itself after its guard, and
			// goes on from there.
			t.log.ErrorContext(ctx, "what became of a message was not recorded", "message", m.ID, "err", logged)
		}
		if err == nil {
			t.overtaken(ctx, l.Receipts)
			for _, late := range lates {
				t.revoke(ctx, m, late)
			}
			return nil
		}
		if logged != nil {
			break
		}
		at = next
	}
	return errors.Join(failures...)
}

// hands is a way to give a message to one channel.
type hands func(ctx context.Context, channel string, m engine.Message) (handed, error)

// handNow gives a message to one channel for a caller that waits, unless too many
// wait for it already.
func (t *Texts) handNow(ctx context.Context, channel string, m engine.Message) (handed, error) {
	if l := t.byName[channel]; l != nil {
		if !l.enter() {
			return handed{}, errBusy
		}
		defer l.leave()
	}
	return t.hand(ctx, channel, m)
}

// errNotHere is said of a channel that a message was planned for under another
// configuration.
var errNotHere = errors.New("the channel is not set up any more")

// hand gives a message to one channel.
func (t *Texts) hand(ctx context.Context, channel string, m engine.Message) (handed, error) {
	n, err := t.note(m)
	if err != nil {
		return handed{}, err
	}
	l := t.byName[channel]
	if l == nil {
		return handed{}, errNotHere
	}
	taken, err := l.send(ctx, m, n)
	if !errors.Is(err, errNobody) {
		return taken, err
	}
	if channel != engine.ChannelSMS {
		return taken, carrier.ErrUnreachable
	}
	m.Text = secret.FromString(n.Text)
	return taken, t.outbox.Send(ctx, m)
}

// note is a message as drivers get it.
func (t *Texts) note(m engine.Message) (carrier.Note, error) {
	number, err := e164(m.To)
	if err != nil {
		return carrier.Note{}, err
	}
	n := t.template.note(m, t.template.ofNumber(number))
	n.Number = number
	return n, nil
}

// Delivers implements [engine.Sender]: one provider is live for every user.
func (t *Texts) Delivers() bool { return t.byName[engine.ChannelSMS].delivers() }

// Run sends messages on to their next channel when their time has come, until
// ctx is done. Every node may run it: each message is one node's.
func (t *Texts) Run(ctx context.Context) {
	if t == nil || t.book == nil || len(t.byName) < 2 {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			for _, places := range t.later { // those that are under way end first
				for range laterAtOnce {
					places <- struct{}{}
				}
			}
			return
		case <-tick.C:
		case <-t.early.kick:
		}
		t.goOn(ctx)
	}
}

// goOn sends on what is due. A channel without a free place does not hold up the
// messages of others.
func (t *Texts) goOn(ctx context.Context) {
	flights, err := t.book.DueFlights(ctx, dueAtOnce)
	if err != nil {
		if ctx.Err() == nil {
			t.log.WarnContext(ctx, "messages that are due cannot be read", "err", err)
		}
		return
	}
	for _, f := range flights {
		to := f.Next
		if f.Lost && t.repeats(f.Channel) {
			to = f.Channel
		}
		places := t.later[to]
		if places == nil { // of a channel that is not set up here any more
			places = t.later[""]
		}
		select {
		case places <- struct{}{}:
		default:
			continue // it is due at the next tick as well
		}
		go func() {
			defer func() { <-places }()
			t.board(context.WithoutCancel(ctx), f.ID)
		}()
	}
}

// boardTime is what all channels of a message may take that nobody waits for.
const boardTime = 15 * time.Second

func (t *Texts) board(ctx context.Context, id cloud.ChallengeID) {
	ctx, cancel := context.WithTimeout(ctx, boardTime)
	defer cancel()
	b, ok, err := t.book.Board(ctx, id, t.repeats)
	if err != nil {
		t.log.WarnContext(ctx, "a message that is due was not sent on", "message", id, "err", err)
		return
	}
	for _, lost := range b.Lost {
		t.log.WarnContext(ctx, "it is not known whether a message was sent: the program ended meanwhile; it is not sent again by that channel", "message", id, "channel", lost)
	}
	if !ok || b.Message.ID == "" {
		return
	}
	t.log.InfoContext(ctx, "message goes to the next channel", "message", b.Message.ID, "channel", b.Message.Legs[b.At], "again", b.Again)
	if err := t.fly(ctx, b.Message, b.At, b.Late, t.hand); err != nil {
		t.log.WarnContext(ctx, "code was not sent", "message", b.Message.ID, "err", err)
	}
	b.Message.Text.Wipe()
	b.Message.Code.Wipe()
}

// revoke calls a message back from a channel that may have it and has not delivered
// it, where its provider can: so that it does not come late, beside the same code by
// another channel. It holds nobody up. Where it fails the same code arrives twice,
// and the log says so.
func (t *Texts) revoke(ctx context.Context, m engine.Message, channel string) {
	l := t.byName[channel]
	n, err := t.note(m)
	if l == nil || err != nil {
		return
	}
	for _, w := range l.ways {
		r, can := w.Driver.(carrier.Revoker)
		if !can || !l.live(m.User) {
			continue
		}
		t.tellers.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), boardTime)
			defer cancel()
			if err := r.Revoke(ctx, n, carrier.Taken{}); err != nil {
				t.log.InfoContext(ctx, "a message could not be called back: it may arrive as well, with the same code", "message", m.ID, "channel", channel, "provider", w.Name, "err", err)
			}
		})
	}
}

// repeats tells whether every provider of a channel recognises a message that it
// was sent before, so that it may be sent again.
func (t *Texts) repeats(channel string) bool {
	l := t.byName[channel]
	return l != nil && !slices.ContainsFunc(l.ways, func(w *way) bool {
		r, ok := w.Driver.(carrier.Repeater)
		return !ok || !r.Repeats()
	})
}

// announce tells a number by SMS that its codes come by WhatsApp. It holds up
// nobody: above all not who told that the first one has arrived.
func (t *Texts) announce(ctx context.Context, m engine.Message) {
	number, err := e164(m.To)
	if err != nil {
		return
	}
	text, there := t.announces[t.template.ofNumber(number)]
	if !there {
		if text, there = t.announces[defaultLanguage]; !there {
			text = "Your sign-in codes come to you by WhatsApp from now on. If you cannot use it, they come by text as before."
		}
	}
	m.Text = secret.FromString(text)
	said := func(err error) {
		if err != nil {
			t.log.WarnContext(ctx, "the first message by WhatsApp was not announced", "to", m.Masked(), "err", err)
		}
	}
	l := t.byName[engine.ChannelSMS]
	if !l.enter() {
		said(errBusy)
		return
	}
	t.tellers.Go(func() {
		defer l.leave()
		ctx, cancel := context.WithTimeout(ctx, boardTime)
		defer cancel()
		_, err := t.hand(ctx, engine.ChannelSMS, m)
		said(err)
	})
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
