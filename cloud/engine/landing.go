package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"mfabridge/cloud"
)

// receiptName is a provider's name for a message as it is kept.
func (e *Engine) receiptName(name string) string { return digest("receipt\x00" + name) }

// Landing is what a receipt meant.
type Landing struct {
	Flight   cloud.ChallengeID
	Channel  string
	Announce Message // to be sent by SMS: codes come another way now; zero: nothing
	Due      bool    // the next leg is to be sent now
}

// Land takes a receipt. known: it speaks of a message that is remembered. A
// receipt that was heard before, or says less than another one, changes nothing.
func (e *Engine) Land(ctx context.Context, name string, status LegStatus) (l Landing, known bool, err error) {
	err = e.store.Update(ctx, func(tx Tx) error {
		l, known = Landing{}, false
		row, err := tx.FlightOf(e.receiptName(name))
		if err != nil || row == nil {
			return err
		}
		known = true
		l, err = e.land(tx, row, name, status)
		return err
	})
	return l, known, asError(err)
}

func (e *Engine) land(tx Tx, row *Flight, name string, status LegStatus) (l Landing, err error) {
	f, err := readFlight(row)
	if err != nil {
		return l, err
	}
	i := slices.IndexFunc(f.Legs, func(g leg) bool { return channelOf(name) == g.Channel })
	if i < 0 || !status.Outranks(f.Legs[i].Status) {
		return l, nil
	}
	l.Flight, l.Channel = row.ID, f.Legs[i].Channel
	f.Legs[i].Status = status
	if f.Over {
		return l, putFlight(tx, row.ID, row.User, time.Time{}, &f)
	}
	now, due := e.now(), row.Due
	switch {
	case status == LegDelivered || status == LegRead:
		if l.Announce, err = e.arrived(tx, row, &f, l.Channel, now); err != nil {
			return l, err
		}
		f.Over = i >= f.At // a channel that was given up may have been late, and the next one is under way
	case status == LegFailed || status == LegUnreachable:
		if status == LegUnreachable {
			err = remember(tx, row, &f, l.Channel, "no", now, reachNo)
		}
		if i == f.At {
			due, l.Due = now, true
		}
	}
	return l, errors.Join(err, putFlight(tx, row.ID, row.User, due, &f))
}

// arrived remembers that a number is on a channel. The first time that WhatsApp
// has brought something it is announced by a text.
func (e *Engine) arrived(tx Tx, row *Flight, f *flight, channel string, now time.Time) (announce Message, err error) {
	if err := remember(tx, row, f, channel, "yes", now, reachYes); err != nil || channel != ChannelWhatsApp {
		return announce, err
	}
	id := "told/" + reachSlip(channel, f.Number)
	s, err := tx.Slip(id)
	if err != nil || s != nil && now.Before(s.Until) {
		return announce, err
	}
	m, err := e.openCargo(row, f.Sealed)
	if err != nil { // of a key that went meanwhile: the next one is announced
		e.log.Warn("that codes come another way now is not announced", "challenge", row.ID, "err", err)
		return announce, nil
	}
	defer m.wipe()
	return Message{ID: string(newChallengeID(now)), Time: now, To: m.To, Application: m.Application, User: row.User, Way: cloud.SMS},
		tx.PutSlip(&Slip{ID: id, User: row.User, Data: []byte("told"), Until: now.Add(told)})
}

// ReceiptName is how a receipt of a provider of a channel is named.
func ReceiptName(channel, provider, id string) string {
	return channel + "\x00" + provider + "\x00" + id
}

func channelOf(receipt string) string {
	for i := range len(receipt) {
		if receipt[i] == 0 {
			return receipt[:i]
		}
	}
	return receipt
}
