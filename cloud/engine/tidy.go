package engine

import (
	"context"
	"time"
)

// tidyLimit is how many slips, and how many challenges, one Tidy forgets at the
// most.
const tidyLimit = 1024

// Tidy forgets slips that have ended and challenges that nobody can ask for any
// more, a bounded amount. Whoever writes either clears old ones away in passing;
// this is for what is written seldom, or not any more: of channels and
// applications that were taken out of use, and where few people log in. A
// program that runs for long calls it now and then.
func (e *Engine) Tidy(ctx context.Context) error {
	return asError(e.store.Update(ctx, func(tx Tx) error {
		now := e.now()
		return firstOf(pruneSlips(tx, now, tidyLimit), e.prune(tx, now, tidyLimit))
	}))
}

// pruneSlips forgets slips that ended a while ago. One that says that a sign-in
// is over has to outlive its tokens at every node, and the clocks of nodes
// differ.
func pruneSlips(tx Tx, now time.Time, limit int) error {
	return tx.PruneSlips(now.Add(-flowWhole), limit)
}
