package engine

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/form"
)

// ChannelVoice is the channel of calls that ask for a key.
const ChannelVoice = "voice"

// Ringer is a [Sender] of calls: it knows which countries are called.
type Ringer interface {
	Sender

	// Opens tells whether calls go to the country of a number.
	Opens(number string) bool
}

// CallKey is what came of a call.
type CallKey string

// What comes of calls.
const (
	CallConfirmed CallKey = "confirmed" // # was pressed
	CallFraud     CallKey = "fraud"     // the fraud code and # were pressed
	CallDeclined  CallKey = "declined"  // it ended without a key
	CallFailed    CallKey = "failed"    // nobody answered
)

// isCall tells whether a way is a call, which a person answers elsewhere.
func isCall(way cloud.Preference) bool {
	return way == cloud.VoiceMobile || way == cloud.VoiceAlternateMobile || way == cloud.VoiceOffice
}

// isPressed tells whether a person decides by pressing something elsewhere.
func isPressed(way cloud.Preference) bool { return way == cloud.Push || isCall(way) }

// number is the telephone that a call goes to, or "".
func (u *User) number(way cloud.Preference) string {
	switch way {
	case cloud.VoiceMobile:
		return u.Mobile
	case cloud.VoiceAlternateMobile:
		return u.Alternate
	case cloud.VoiceOffice:
		return u.Office
	}
	return ""
}

// calls are the ways in which a user can be called.
func (e *Engine) calls(u *User) (ways []cloud.Preference) {
	for _, way := range []cloud.Preference{cloud.VoiceMobile, cloud.VoiceOffice, cloud.VoiceAlternateMobile} {
		if e.senders[way] != nil && u.number(way) != "" {
			ways = append(ways, way)
		}
	}
	return ways
}

// sayCalls is what users are told who have had too many calls.
const sayCalls = "You have reached the limit on verification calls. Try again later."

// callQuotas are all that a call counts in: apart from texts.
func (e *Engine) callQuotas(user cloud.UserID, number, place string, proven bool, now time.Time) []quota {
	number, _, _ = strings.Cut(number, "x")
	return e.telephony(e.callLimit, telephony{kind: "call", say: sayCalls, user: user, number: number, place: place, proven: proven}, now)
}

// mayCall counts one more call, or says what the user is told instead. Countries
// that are closed to calls are told like those where there is trouble.
func (b *beginning) mayCall(way cloud.Preference) (say string, err error) {
	number := b.user.number(way)
	if ringer, ok := b.e.senders[way].(Ringer); ok && !ringer.Opens(number) {
		return sayTrouble, nil
	}
	return b.e.mayText(b.tx, b.e.callQuotas(b.user.ID, number, b.c.Place, b.c.Proven, b.now), b.now)
}

// prepareCall ends the call that waits for the same login, and makes this one.
func (b *beginning) prepareCall(way cloud.Preference) error {
	login := digest("call\x00" + b.c.App + "\x00" + b.c.Place)
	if err := b.supersede(login); err != nil {
		return err
	}
	to := b.user.number(way)
	b.c.Prompt = "Answer the call to " + form.MaskPhone(to) + " and press #"
	b.c.Sent = b.e.sentMAC(b.c.ID, to, nil)
	app := b.c.App
	if app == "" {
		app = "your sign-in"
	}
	b.message = &Message{ID: string(b.c.ID), Time: b.c.Created, To: to, Way: way, Application: app, User: b.c.User}
	f := flight{Legs: []leg{{Channel: ChannelVoice}}}
	if err := putFlight(b.tx, b.c.ID, b.c.User, time.Time{}, &f); err != nil {
		return err
	}
	if err := b.tx.PutReceipt(b.e.receiptName(NoteName(ChannelVoice, PublicID(string(b.c.ID)))), b.c.ID); err != nil {
		return err
	}
	return b.tx.SetLastSent(b.user.ID, login, b.c.ID)
}

// PublicID is the id of a message as providers and logs may see it: that of a
// challenge is for who began it.
func PublicID(id string) string {
	sum := sha256.Sum256([]byte("message\x00" + id))
	return hex.EncodeToString(sum[:16])
}

// NoteName is how a receipt is named that comes with the public id of a message.
func NoteName(channel, public string) string { return ReceiptName(channel, "", public) }

// Keyed takes what came of a call, as its provider told: whoever calls has
// checked that it did. known: it speaks of a call that is remembered. A call that
// has its verdict keeps it; fraud counts also then.
func (e *Engine) Keyed(ctx context.Context, name string, key CallKey) (known bool, err error) {
	var s *keyed
	err = e.store.Update(ctx, func(tx Tx) error {
		s = &keyed{e: e, tx: tx, now: e.now()}
		row, err := tx.FlightOf(e.receiptName(name))
		if err != nil || row == nil {
			return err
		}
		c, err := tx.Challenge(row.ID)
		if err != nil || c == nil || !isCall(c.Method) {
			return err
		}
		s.c = c
		return s.run(key)
	})
	if err != nil {
		return false, asError(err)
	}
	if s.decided {
		e.publish(Verdict{s.c.Owner, s.c.decision(false)})
	}
	if s.fraud != nil {
		e.notifyFraud(ctx, s.fraud)
	}
	return s.c != nil, nil
}

// keyed is one Keyed inside its transaction.
type keyed struct {
	e       *Engine
	tx      Tx
	now     time.Time
	c       *Challenge
	decided bool
	fraud   *FraudReport
}

func (s *keyed) run(key CallKey) (err error) {
	if key == CallFraud {
		if s.fraud, err = s.e.fraudOnce(s.tx, s.c, "call", s.now); err != nil {
			return err
		}
	}
	if s.c.State != cloud.Pending {
		return nil
	}
	reason, err := s.e.mayStill(s.tx, s.c.User, s.c.Method, s.now)
	if err == nil && reason == "" {
		reason, err = s.isTheirs()
	}
	if err != nil {
		return err
	}
	u, err := s.tx.User(s.c.User)
	if err != nil {
		return err
	}
	over, err := s.e.outlived(s.c, u, s.now)
	switch {
	case err != nil:
		return err
	case over:
		s.c.conclude(cloud.Expired, cloud.TimedOut, s.now)
	case key == CallFraud:
		s.c.conclude(cloud.Refused, cloud.UserDenied, s.now)
	case key == CallDeclined:
		s.c.conclude(cloud.Refused, cloud.TimedOut, s.now)
	case key == CallFailed:
		s.c.conclude(cloud.Refused, cloud.Undeliverable, s.now)
	case key != CallConfirmed:
		return nil
	case reason != "":
		s.c.conclude(cloud.Refused, reason, s.now)
	default:
		s.c.conclude(cloud.Approved, "", s.now)
	}
	s.decided = true
	return errors.Join(s.tx.PutChallenge(s.c), s.e.auditVerdict(s.tx, s.c, s.now))
}

// isTheirs says why a call has rung at a telephone that is not the user's any
// more, or "".
func (s *keyed) isTheirs() (cloud.Reason, error) {
	u, err := findUser(s.tx, s.c.User)
	if err == nil && subtle.ConstantTimeCompare(s.c.Sent, s.e.sentMAC(s.c.ID, u.number(s.c.Method), nil)) != 1 {
		return cloud.NoMethod, nil
	}
	return "", err
}
