package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// Channels that a text may go by, in the order in which they are asked.
const (
	ChannelWhatsApp = "whatsapp"
	ChannelRCS      = "rcs"
	ChannelSMS      = "sms"
	ChannelSpoken   = "spoken" // a call that says the code
)

// Router is a [Sender] that has more than one channel for a text.
type Router interface {
	Sender

	// Legs are the channels that are set up for a number and user, in the order in
	// which they are asked; whether the number is on them shows when they are.
	Legs(user cloud.UserID, number string) []string
}

// LegStatus is what became of a message on one channel. A later one of these
// outranks an earlier one, in whichever order they are heard of.
type LegStatus string

// Statuses of a leg.
const (
	LegSending     LegStatus = "sending" // and if this process ends now, nobody knows
	LegTaken       LegStatus = "taken"   // the provider has it
	LegSent        LegStatus = "sent"
	LegFailed      LegStatus = "failed"
	LegUnreachable LegStatus = "unreachable" // the number is not on this channel
	LegDelivered   LegStatus = "delivered"
	LegRead        LegStatus = "read"
)

var legRanks = []LegStatus{"", LegSending, LegTaken, LegSent, LegFailed, LegUnreachable, LegDelivered, LegRead}

// Outranks tells whether it is said of a leg of which o was said before.
func (s LegStatus) Outranks(o LegStatus) bool {
	return slices.Index(legRanks, s) > slices.Index(legRanks, o)
}

// How long it is remembered whether a number is on a channel.
const (
	reachYes = 30 * 24 * time.Hour
	reachNo  = 7 * 24 * time.Hour
	reachOff = time.Hour // it is, but nothing arrived in time
	told     = 365 * 24 * time.Hour
)

// flightGuard is after which a leg that is being sent is taken for lost: longer
// than all providers of a text may take together.
const flightGuard = 20 * time.Second

// leg is one channel of a flight.
type leg struct {
	Channel string    `json:"channel"`
	Status  LegStatus `json:"status,omitempty"`
}

// flight is Flight.State.
type flight struct {
	Legs   []leg  `json:"legs"`
	At     int    `json:"at"`     // the leg that is under way
	Number string `json:"number"` // a digest of where it goes
	Over   bool   `json:"over,omitempty"`
	Sealed []byte `json:"sealed,omitempty"` // what is sent; gone when it is over
}

// cargo is what is sealed of a message.
type cargo struct {
	To, Text, Code, App string
	Time                time.Time
}

func bindingFlight(id cloud.ChallengeID) string { return "flight/" + string(id) }

// depart plans the channels of a text and makes it a flight where there is more
// than one, in the transaction that begins its challenge.
func (b *beginning) depart(m *Message, may Allowed) error {
	router, ok := b.e.senders[m.Way].(Router)
	if !ok || m.Way != cloud.SMS {
		return nil
	}
	for _, channel := range router.Legs(m.User, m.To) {
		open, err := b.e.mayFly(b.tx, may, channel, m.To, b.now)
		if err != nil {
			return err
		}
		if open {
			m.Legs = append(m.Legs, channel)
		}
	}
	if len(m.Legs) < 2 {
		return nil
	}
	sealed, err := b.e.sealCargo(m)
	if err != nil {
		return err
	}
	f := flight{Legs: make([]leg, len(m.Legs)), Sealed: sealed, Number: b.e.numberDigest(m.To)}
	for i, channel := range m.Legs {
		f.Legs[i].Channel = channel
		if err := b.tx.PutReceipt(b.e.receiptName(NoteName(channel, PublicID(m.ID))), b.c.ID); err != nil {
			return err
		}
	}
	f.Legs[0].Status = LegSending
	return putFlight(b.tx, cloud.ChallengeID(m.ID), m.User, b.now.Add(flightGuard), &f)
}

// mayFly tells whether policy lets a text go by a channel, and the number is not
// known to be off it.
func (e *Engine) mayFly(r Reader, may Allowed, channel, number string, now time.Time) (bool, error) {
	switch channel {
	case ChannelSMS:
		return true, nil
	case ChannelSpoken:
		return may.Voice, nil
	case ChannelWhatsApp:
		if !may.WhatsApp {
			return false, nil
		}
	case ChannelRCS:
		if !may.RCS {
			return false, nil
		}
	}
	s, err := r.Slip(reachSlip(channel, e.numberDigest(number)))
	if err != nil || s == nil || !now.Before(s.Until) {
		return err == nil, err
	}
	return string(s.Data) != "no", nil
}

// reachSlip is where it is kept whether a number is on a channel.
func reachSlip(channel, number string) string { return "reach/" + channel + "/" + number }

func (e *Engine) numberDigest(number string) string {
	return hex.EncodeToString(e.sentMAC("reach", number, nil)[:16])
}

// remember keeps for a while whether a number is on a channel, and forgets what
// was kept of others and has ended.
func remember(tx Tx, row *Flight, f *flight, channel, word string, now time.Time, life time.Duration) error {
	if channel == ChannelSMS || channel == ChannelSpoken {
		return nil
	}
	if err := tx.PutSlip(&Slip{ID: reachSlip(channel, f.Number), User: row.User, Data: []byte(word), Until: now.Add(life)}); err != nil {
		return err
	}
	return pruneSlips(tx, now, pruneLimit)
}

func (e *Engine) sealCargo(m *Message) ([]byte, error) {
	plain, err := json.Marshal(cargo{To: m.To, Text: string(m.Text.Reveal()), Code: string(m.Code.Reveal()), App: m.Application, Time: m.Time})
	if err != nil {
		return nil, errors.New("a message cannot be kept")
	}
	defer clear(plain)
	return e.key.Seal(plain, bindingFlight(cloud.ChallengeID(m.ID)))
}

func (e *Engine) openCargo(f *Flight, sealed []byte) (m Message, err error) {
	plain, err := e.key.Open(sealed, bindingFlight(f.ID))
	if err != nil {
		return m, fmt.Errorf("message %s cannot be opened: %w", f.ID, err)
	}
	defer plain.Wipe()
	var c cargo
	if err := json.Unmarshal(plain.Reveal(), &c); err != nil {
		return m, errors.New("a message that was kept cannot be read")
	}
	return Message{ID: string(f.ID), Time: c.Time, To: c.To, Text: secret.FromString(c.Text), Application: c.App, Code: secret.FromString(c.Code), User: f.User, Way: cloud.SMS}, nil
}

func putFlight(tx Tx, id cloud.ChallengeID, user cloud.UserID, due time.Time, f *flight) error {
	if f.Over {
		f.Sealed, due = nil, time.Time{}
	}
	state, err := json.Marshal(f)
	if err != nil {
		return errors.New("a message cannot be kept")
	}
	return tx.PutFlight(&Flight{ID: id, User: user, Due: due, State: state})
}

func readFlight(row *Flight) (f flight, err error) {
	if err := json.Unmarshal(row.State, &f); err != nil || f.At < 0 || f.At >= len(f.Legs) {
		return f, refuse(cloud.Internal, "a message on its way cannot be read")
	}
	return f, nil
}

// Leg is what became of one try.
type Leg struct {
	Flight   cloud.ChallengeID
	At       int
	Status   LegStatus     // LegTaken, LegFailed or LegUnreachable
	Receipts []string      // names by which the provider will tell of it
	Wait     time.Duration // how long to wait for a receipt before the next channel is asked; 0: for ever
}

// Logged records what became of a try. The next leg, if there is one and this
// one was not taken, is under way from then on; next tells its number, -1: there
// is none to be tried now.
func (e *Engine) Logged(ctx context.Context, l Leg) (next int, err error) {
	err = e.store.Update(ctx, func(tx Tx) error {
		next = -1
		row, err := tx.Flight(l.Flight)
		if err != nil || row == nil {
			return err
		}
		f, err := readFlight(row)
		if err != nil || f.Over || l.At != f.At {
			return err
		}
		for _, name := range l.Receipts {
			if err := tx.PutReceipt(e.receiptName(name), l.Flight); err != nil {
				return err
			}
		}
		now := e.now()
		if l.Status.Outranks(f.Legs[f.At].Status) {
			f.Legs[f.At].Status = l.Status
		}
		var due time.Time
		switch is := f.Legs[f.At].Status; {
		case l.Status == LegTaken && (is == LegFailed || is == LegUnreachable):
			due = now // whoever took it has said already that it did not arrive
		case l.Status == LegTaken && (l.Wait == 0 || f.At == len(f.Legs)-1):
		case l.Status == LegTaken:
			due = now.Add(l.Wait)
		default:
			if due, err = fallBack(tx, row, &f, now); err != nil {
				return err
			}
			next = f.At
			if f.Over {
				next = -1
			}
		}
		return putFlight(tx, row.ID, row.User, due, &f)
	})
	return next, asError(err)
}

// fallBack goes on to the next leg.
func fallBack(tx Tx, row *Flight, f *flight, now time.Time) (due time.Time, err error) {
	gone := f.Legs[f.At]
	switch gone.Status {
	case LegUnreachable:
		err = remember(tx, row, f, gone.Channel, "no", now, reachNo)
	case LegTaken, LegSent:
		err = remember(tx, row, f, gone.Channel, "no", now, reachOff)
	}
	if err != nil {
		return due, err
	}
	if f.At == len(f.Legs)-1 {
		f.Over = true
		return due, nil
	}
	f.At++
	f.Legs[f.At].Status = LegSending
	return now.Add(flightGuard), nil
}

// DueFlight is a flight whose time has come.
type DueFlight struct {
	ID      cloud.ChallengeID
	Channel string // of the leg that is under way
	Lost    bool   // it was being sent, and who did so has not said what came of it
	Next    string // channel of the leg behind it; empty: there is none
}

// DueFlights are flights whose time has come, at most limit, the oldest first.
func (e *Engine) DueFlights(ctx context.Context, limit int) (due []DueFlight, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		due = nil
		rows, err := r.FlightsDue(e.now(), limit)
		for _, row := range rows {
			d := DueFlight{ID: row.ID}
			if f, err := readFlight(row); err == nil { // else whoever boards it is told
				d.Channel, d.Lost = f.Legs[f.At].Channel, f.Legs[f.At].Status == LegSending
				if f.At+1 < len(f.Legs) {
					d.Next = f.Legs[f.At+1].Channel
				}
			}
			due = append(due, d)
		}
		return err
	})
	return due, asError(err)
}

// Boarding is a leg that whoever has it is to send now.
type Boarding struct {
	Message Message  // with all Legs
	At      int      // which of them
	Again   bool     // it may have been sent before
	Late    string   // the channel that may have the message, of which nothing was heard; empty: none
	Lost    []string // channels of which it is not known whether they have sent it: their process ended meanwhile
}

// Board claims a flight that is due, for one caller of all that ask: the leg to
// be sent now. A leg that was under way when its process ended is sent again only
// where repeats says that its provider tells a repeat; else the next one is. Not
// ok: somebody else has it, or there is nothing to be done any more.
func (e *Engine) Board(ctx context.Context, id cloud.ChallengeID, repeats func(channel string) bool) (b Boarding, ok bool, err error) {
	err = e.store.Update(ctx, func(tx Tx) error {
		b, ok = Boarding{}, false
		now := e.now()
		row, err := tx.Flight(id)
		if err != nil || row == nil || row.Due.IsZero() || row.Due.After(now) {
			return err
		}
		f, err := readFlight(row)
		if err != nil {
			return err
		}
		c, err := tx.Challenge(id)
		if err != nil {
			return err
		}
		if f.Over || c == nil || c.State != cloud.Pending || !now.Before(c.Expires) {
			f.Over = true
			return putFlight(tx, row.ID, row.User, time.Time{}, &f)
		}
		sealed := f.Sealed
		due := now.Add(flightGuard)
		if gone := f.Legs[f.At]; gone.Status == LegSending && repeats(gone.Channel) {
			b.Again = true
		} else {
			if slices.Contains([]LegStatus{LegSending, LegTaken, LegSent}, gone.Status) {
				b.Late = gone.Channel
			}
			if gone.Status == LegSending {
				b.Lost = []string{gone.Channel}
			}
			if due, err = fallBack(tx, row, &f, now); err != nil {
				return err
			}
		}
		if !f.Over {
			if b.Message, err = e.openCargo(row, sealed); err != nil { // of another key: nobody can send it any more
				e.log.WarnContext(ctx, "a message on its way is given up", "challenge", id, "err", err)
				f.Over, ok = true, false
				return putFlight(tx, row.ID, row.User, time.Time{}, &f)
			}
			for _, l := range f.Legs {
				b.Message.Legs = append(b.Message.Legs, l.Channel)
			}
			b.At = f.At
		}
		ok = !f.Over || len(b.Lost) > 0
		return putFlight(tx, row.ID, row.User, due, &f)
	})
	return b, ok, asError(err)
}
