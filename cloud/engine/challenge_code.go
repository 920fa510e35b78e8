package engine

import (
	"context"
	"strings"

	"mfabridge/cloud"
)

// prepareCode makes a code and ends the one that was sent before to this user
// at the same place.
func (b *beginning) prepareCode(way cloud.Preference, may Allowed) error {
	login := textedAt(b.c.App, b.c.Place)
	if strings.HasPrefix(b.owner, ownerNumber) {
		login = digest("number\x00" + b.owner + "\x00" + b.c.App + "\x00" + b.c.Place)
	}
	if err := b.supersede(login); err != nil {
		return err
	}
	code, err := randomCode(b.digits())
	if err != nil {
		return err
	}
	to := b.e.reached(b.user, way)
	if way == cloud.SMS {
		b.c.Expires = b.now.Add(waitText)
	}
	b.c.Tries = min(b.c.Tries, sentTries)
	b.c.Prompt = "Enter the code sent to " + masked(way, to)
	b.c.Sent = b.e.sentMAC(b.c.ID, to, []byte(code))
	m := message(b.c, b.text, to, code)
	if err := b.depart(&m, may); err != nil {
		return err
	}
	b.message = &m
	return b.tx.SetLastSent(b.user.ID, login, b.c.ID)
}

// digits is how long a code is: in native authentication one by mail may be all
// that somebody proves.
func (b *beginning) digits() int {
	if b.owner == ownerNative && !b.c.Proven {
		return longDigits
	}
	return sentDigits
}

// textedAt names the login for which a text was sent.
func textedAt(app, place string) string { return digest(app + "\x00" + place) }

// supersede ends the challenge of the same login that a new one replaces.
func (b *beginning) supersede(login string) error {
	id, err := b.tx.LastSent(b.user.ID, login)
	if err != nil || id == "" {
		return err
	}
	old, err := b.tx.Challenge(id)
	if err != nil || old == nil || old.State != cloud.Pending {
		return err
	}
	old.conclude(cloud.Expired, cloud.TimedOut, b.now)
	b.ended = &Verdict{old.Owner, old.decision(false)}
	if err := b.tx.PutChallenge(old); err != nil {
		return err
	}
	return b.e.auditVerdict(b.tx, old, b.now)
}

// deliver sends the message; if nobody takes it, that is the verdict.
func (e *Engine) deliver(ctx context.Context, b *beginning) error {
	cause := e.senders[b.message.Way].Send(ctx, *b.message)
	b.message.wipe()
	if cause == nil {
		return nil
	}
	e.log.WarnContext(ctx, "code was not sent", "challenge", b.c.ID, "err", cause)
	return e.store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
		c, err := tx.Challenge(b.c.ID)
		if err != nil {
			return err
		}
		if c == nil {
			return refuse(cloud.NotFound, "the challenge is gone")
		}
		b.c = c
		if c.State != cloud.Pending {
			return nil
		}
		b.decided = true
		c.conclude(cloud.Refused, cloud.Undeliverable, e.now())
		if err := tx.PutChallenge(c); err != nil {
			return err
		}
		return e.auditVerdict(tx, c, e.now())
	})
}
