package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"mfabridge/cloud"
)

// metaLease is the Meta value of the lease that is given out, if any is.
const metaLease = "lease"

// Bounds of a lease.
const (
	maxLease  = time.Hour
	maxHolder = 256 // bytes of its holder's name
)

// lease is the lock of a run that reaches the store through a network: who may
// renew it until when. It is in the store, so that any node knows of it.
type lease struct {
	ID     []byte    `json:"id"` // digest of the word that its holder shows
	App    string    `json:"app"`
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`

	Life time.Duration `json:"life,omitzero"` // that it was given last
}

// apart is how far the clocks of nodes may be from each other.
const apart = time.Minute

// longest is how far away the end of the lease can be from any node.
func (l *lease) longest() time.Duration {
	if l.Life <= 0 { // of an older program
		return maxLease
	}
	return l.Life + apart
}

// leaseOf is the lease of a store that has not ended; nil: there is none.
func (e *Engine) leaseOf(r Reader) (*lease, error) {
	value, err := r.Meta(metaLease)
	if err != nil || len(value) == 0 {
		return nil, err
	}
	l := new(lease)
	if err := json.Unmarshal(value, l); err != nil {
		return nil, refuse(cloud.Internal, "the lease of a run cannot be read")
	}
	// A lease that ends later than it was given for was written by a clock that has
	// been set back since, and would otherwise stay for as long.
	if left := l.Until.Sub(e.now()); left <= 0 || left > l.longest() {
		return nil, nil
	}
	return l, nil
}

// free tells that no lease is given out, or who has it.
func (e *Engine) free(r Reader) error {
	l, err := e.leaseOf(r)
	if err == nil && l != nil {
		err = refuse(cloud.Locked, fmt.Sprintf("the store is locked by %s until %s, unless that run goes on", l.Holder, l.Until.UTC().Format(time.RFC3339)))
	}
	return err
}

// Lock keeps two runs of apply apart; see [cloud.Locker]. It keeps them apart
// from those that hold a lease, too.
func (e *Engine) Lock(ctx context.Context, holder string) (func() error, error) {
	unlock, err := e.store.Lock(ctx, holder)
	if err != nil {
		return nil, err
	}
	if err := e.store.View(ctx, e.free); err != nil {
		return nil, errors.Join(asError(err), unlock())
	}
	return unlock, nil
}

// Lease is a lock for somebody who cannot hold one open: it ends by itself
// after a time, unless it is renewed, by whichever node. The word that comes
// back is needed for that. Locked: another run has the lock or a lease.
func (c *Caller) Lease(ctx context.Context, holder string, life time.Duration) (word string, err error) {
	if holder == "" || len(holder) > maxHolder || life <= 0 || life > maxLease {
		return "", refuse(cloud.Invalid, fmt.Sprintf("holder must have 1 to %d bytes", maxHolder))
	}
	e := c.e
	// Whoever holds the lock itself is asked for by taking it for a moment:
	// lock and lease are looked at together, and never both given.
	unlock, err := e.store.Lock(ctx, holder)
	if err != nil {
		return "", err
	}
	word = rand.Text()
	err = e.store.Update(ctx, func(tx Tx) error {
		if err := e.free(tx); err != nil {
			return err
		}
		return putLease(tx, &lease{ID: leaseID(word), App: c.app, Holder: holder, Until: e.now().Add(life), Life: life})
	})
	if err := errors.Join(asError(err), unlock()); err != nil {
		return "", err
	}
	return word, nil
}

// Renew lets a lease live on for a time from now. NotFound: it has ended, or it
// is somebody else's.
func (c *Caller) Renew(ctx context.Context, word string, life time.Duration) error {
	if life <= 0 || life > maxLease {
		return refuse(cloud.Invalid, "a lease cannot live that long")
	}
	return c.onLease(ctx, word, func(tx Tx, l *lease) error {
		l.Until, l.Life = c.e.now().Add(life), life
		return putLease(tx, l)
	})
}

// Return ends a lease. NotFound as Renew.
func (c *Caller) Return(ctx context.Context, word string) error {
	return c.onLease(ctx, word, func(tx Tx, _ *lease) error { return tx.SetMeta(metaLease, []byte{}) })
}

func (c *Caller) onLease(ctx context.Context, word string, do func(Tx, *lease) error) error {
	return asError(c.e.store.Update(ctx, func(tx Tx) error {
		l, err := c.e.leaseOf(tx)
		switch {
		case err != nil:
			return err
		case l == nil || !l.holds(c.app, word):
			return refuse(cloud.NotFound, "there is no such lock any more")
		}
		return do(tx, l)
	}))
}

// WriteUnder is Write under a lease: in the transaction that writes it is
// certain that the lease has not ended. Locked: it has, and nothing is written.
func (c *Caller) WriteUnder(ctx context.Context, word string, changes []cloud.Change) []cloud.Result {
	return c.e.writeIf(ctx, c.app, changes, func(tx Tx) error {
		l, err := c.e.leaseOf(tx)
		if err == nil && (l == nil || !l.holds(c.app, word)) {
			err = refuse(cloud.Locked, "the lock of this run has ended: another run may write")
		}
		return err
	})
}

func (l *lease) holds(app, word string) bool {
	return l.App == app && subtle.ConstantTimeCompare(l.ID, leaseID(word)) == 1
}

func leaseID(word string) []byte {
	sum := sha256.Sum256([]byte(word))
	return sum[:]
}

func putLease(tx Tx, l *lease) error {
	value, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("a lease cannot be written: %w", err)
	}
	return tx.SetMeta(metaLease, value)
}
