package engine

import (
	"context"
	"fmt"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
)

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
			g, err := e.generator(t)
			if err != nil {
				return err
			}
			clock, found, err := g.Resync(one, two, t.Clock, now)
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
