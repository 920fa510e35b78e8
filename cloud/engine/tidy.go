package engine

import (
	"context"
	"time"
)

// tidyLimit is how many slips one Tidy forgets at the most.
const tidyLimit = 1024

// Tidy forgets slips that have ended, a bounded amount. Whoever writes slips
// clears old ones away in passing; this is for those that nobody writes any
// more, of channels and of applications that were taken out of use. A program
// that runs for long calls it now and then.
func (e *Engine) Tidy(ctx context.Context) error {
	return asError(e.store.Update(ctx, func(tx Tx) error { return pruneSlips(tx, e.now(), tidyLimit) }))
}

// pruneSlips forgets slips that ended a while ago. One that says that a sign-in
// is over has to outlive its tokens at every node, and the clocks of nodes
// differ.
func pruneSlips(tx Tx, now time.Time, limit int) error {
	return tx.PruneSlips(now.Add(-flowWhole), limit)
}
