package sqlite

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/mattn/go-sqlite3"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// metaHolder is the Meta value that names who holds the lock, for people.
const metaHolder = "lock-holder"

// Lock implements [engine.Store] by holding an exclusive transaction on an
// empty database beside the store. Unlock may be called more than once.
func (s *Store) Lock(ctx context.Context, holder string) (func() error, error) {
	path := s.path + ".lock"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unavailable("the lock file cannot be made", err)
	}
	if err := f.Close(); err != nil {
		return nil, unavailable("the lock file cannot be made", err)
	}
	c, err := dial(path, "rw", "", 0)
	if err != nil {
		return nil, s.lockFailure(ctx, err)
	}
	if err := c.script("BEGIN EXCLUSIVE"); err != nil {
		return nil, errors.Join(s.lockFailure(ctx, err), c.close())
	}
	if err := s.Update(ctx, func(tx engine.Tx) error { return tx.SetMeta(metaHolder, []byte(holder)) }); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return sync.OnceValue(c.close), nil
}

// lockFailure tells a lock that is held from a file that cannot be used.
func (s *Store) lockFailure(ctx context.Context, cause error) error {
	e, ok := errors.AsType[sqlite3.Error](cause)
	if !ok || e.Code != sqlite3.ErrBusy && e.Code != sqlite3.ErrLocked {
		return unavailable("the lock cannot be taken", cause)
	}
	var holder []byte
	err := s.View(ctx, func(r engine.Reader) (err error) {
		holder, err = r.Meta(metaHolder)
		return err
	})
	if err != nil || len(holder) == 0 {
		holder = []byte("another run")
	}
	return &cloud.Error{Kind: cloud.Locked, Message: "the store is locked by " + string(holder)}
}
