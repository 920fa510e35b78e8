package channel

import (
	"context"
	"errors"
	"strings"

	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/channel/carrier"
)

// callsAtOnce is how many calls are being handed over at once.
const callsAtOnce = 32

// Calls are calls to telephones. It is an [engine.Sender].
type Calls struct {
	*line
	conf *Voice
}

var _ engine.Ringer = (*Calls)(nil)

func (c *Channels) openCalls(o *Options) (*Calls, error) {
	l, err := c.line("voice", "channels.voice", o.Config.Voice.Providers, o, callsAtOnce)
	if err != nil {
		return nil, err
	}
	return &Calls{line: l, conf: o.Config.Voice}, nil
}

// Opens implements [engine.Ringer]: whether calls go to the country of a number.
func (c *Calls) Opens(to string) bool {
	number, _, err := dialled(to)
	return err == nil && inCountry(c.conf.Countries, number)
}

// errClosed is said of a country that is not listed.
var errClosed = errors.New("calls to this country are closed")

// Send implements [engine.Sender].
func (c *Calls) Send(ctx context.Context, m engine.Message) error {
	if !c.enter() {
		return errBusy
	}
	defer c.leave()
	if !c.Opens(m.To) {
		return errClosed
	}
	n, err := c.note(m)
	if err != nil {
		return err
	}
	_, err = c.line.send(ctx, m, n)
	return err
}

// note is a call as drivers get it.
func (c *Calls) note(m engine.Message) (carrier.Note, error) {
	number, extension, err := dialled(m.To)
	if err != nil {
		return carrier.Note{}, err
	}
	n := templates{}.note(m, "")
	n.Number, n.Extension = number, extension
	return n, nil
}

// dialled is a number with the digits to send once somebody answers.
func dialled(to string) (number, extension string, err error) {
	number, extension, _ = strings.Cut(to, "x")
	number, err = e164(number)
	return number, extension, err
}

// Delivers implements [engine.Sender]: one provider is live for every user.
func (c *Calls) Delivers() bool { return c.delivers() }
