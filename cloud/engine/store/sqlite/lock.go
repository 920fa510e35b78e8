package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/mattn/go-sqlite3"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/internal/durable"
	"mfabridge/internal/hint"
)

// metaHolder is the Meta value that names who holds the lock, for people.
const metaHolder = "lock-holder"

// Lock implements [engine.Store] by holding an exclusive transaction on an
// empty database beside the store. Unlock may be called more than once.
func (s *Store) Lock(ctx context.Context, holder string) (func() error, error) {
	path := s.path + ".lock"
	if err := makeLock(path, s.path); err != nil {
		return nil, s.lockDenied("the lock file cannot be made", err)
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

// makeLock makes the lock's file where there is none. It is the store's owner's,
// also where root is the first to need it; one that is there is left as it is:
// root gives away nothing that somebody has put in its place.
func makeLock(path, store string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(durable.KeepOwner(f, store), f.Close())
}

// lockFailure tells a lock that is held from a file that cannot be used.
func (s *Store) lockFailure(ctx context.Context, cause error) error {
	e, ok := errors.AsType[sqlite3.Error](cause)
	if ok && full(e) {
		return failure(cause)
	}
	if !ok || e.Code != sqlite3.ErrBusy && e.Code != sqlite3.ErrLocked {
		return s.lockDenied("the lock cannot be taken", cause)
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

// lockDenied is for a lock's file that cannot be used. Where we may not write
// it, trying again does not help.
func (s *Store) lockDenied(message string, cause error) error {
	err := unavailable(message, cause)
	f, no := os.OpenFile(s.path+".lock", os.O_RDWR, 0)
	if no == nil {
		f.Close()
	}
	if errors.Is(cause, fs.ErrPermission) || errors.Is(no, fs.ErrPermission) {
		err = &cloud.Error{Kind: cloud.Denied, Message: message, Err: cause}
	}
	return hint.Wrap(err, "run as the user who owns the store, and give that user "+s.path+".lock, too")
}
