package engine

import (
	"context"
	"fmt"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

// windowResync is how far off a clock may be that an administrator brings in
// line, in steps to each side: a day of 30 seconds, as at activation in Entra ID.
const windowResync = 2880

// Resync brings a generator in line whose clock has drifted out of reach, by
// two codes that it showed one after the other. serial tells which one, where
// the user has several; empty: whichever showed them. Both codes are used with
// it; codes at or before one that was accepted prove nothing. It returns the
// drift in steps. Conflict: no generator of the user showed these codes. Denied:
// see [Actor].
func (e *Engine) Resync(ctx context.Context, by Actor, id cloud.UserID, serial string, first, second secret.Bytes) (drift int, err error) {
	if err := by.check(); err != nil {
		return 0, err
	}
	one, two := cleanCode(first.Reveal()), cleanCode(second.Reveal())
	defer clear(one)
	defer clear(two)
	err = e.store.Update(ctx, func(tx Tx) error {
		now := e.now()
		if _, err := by.findUser(tx, id); err != nil {
			return err
		}
		tokens, err := tx.Tokens(id)
		if err != nil {
			return err
		}
		for i := range tokens {
			t := &tokens[i]
			if serial != "" && t.Serial != serial {
				continue
			}
			clock, found, err := e.resync(t, one, two, now)
			if err != nil {
				return err
			}
			if found {
				drift = clock.Drift
				if err := use(tx, tokens, i, clock); err != nil {
					return err
				}
				return tx.Append(e.entry(by, "user.resync", string(id), fmt.Sprintf("token=%s drift=%d", t.ID, drift), now))
			}
		}
		return refuse(cloud.Conflict, "no generator of this user shows these two codes, one after the other, within a day of now")
	})
	return drift, asError(err)
}

// resync looks for two consecutive codes of one generator, nearest first.
func (e *Engine) resync(t *Token, one, two []byte, now time.Time) (Clock, bool, error) {
	key, err := e.key.Open(t.Sealed, tokenBinding(t))
	if err != nil {
		return t.Clock, false, fmt.Errorf("generator %s: %w", t.ID, err)
	}
	defer key.Wipe()
	g, err := newGenerator(key.Reveal(), &t.OATH)
	if err != nil {
		return t.Clock, false, err
	}
	step := now.Unix() / int64(t.Period)
	for i := range int64(2*windowResync + 1) {
		at := step + outward(i)
		if at <= t.Last {
			continue
		}
		right, err := g.is(one, at)
		if err != nil {
			return t.Clock, false, err
		}
		if !right {
			continue
		}
		if right, err = g.is(two, at+1); err != nil {
			return t.Clock, false, err
		}
		if right {
			return Clock{Proven: true, Drift: int(at + 1 - step), Last: at + 1}, true, nil
		}
	}
	return t.Clock, false, nil
}
