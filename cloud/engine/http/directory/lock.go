package directory

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// lease is a lock of the core that is held for a caller.
type lease struct {
	app    string
	unlock func() error
	timer  *time.Timer
}

// lock takes the core's lock and keeps it as long as it is renewed.
func (f *Face) lock(w http.ResponseWriter, r *http.Request) error {
	var body wire.LockRequest
	if err := serve.Read(r, &body); err != nil {
		return err
	}
	if body.Holder == "" || len(body.Holder) > 256 {
		return &cloud.Error{Kind: cloud.Invalid, Message: "holder must have 1 to 256 bytes"}
	}
	// The lock outlives this request.
	unlock, err := f.core(r).Lock(context.WithoutCancel(r.Context()), body.Holder)
	if err != nil {
		return err
	}
	id := rand.Text()
	l := &lease{app: serve.CallerOf(r.Context()).App, unlock: unlock}
	f.mu.Lock()
	f.locks[id] = l
	l.timer = time.AfterFunc(f.Lease, func() { _ = f.end(id, "") }) // a lock that cannot be undone ends with the process
	f.mu.Unlock()
	return serve.Answer(w, http.StatusCreated, wire.LockAnswer{ID: id, ExpiresIn: int(f.Lease / time.Second)})
}

// end gives a lock back; app: who asks, empty for the face itself.
func (f *Face) end(id, app string) error {
	f.mu.Lock()
	l := f.locks[id]
	if l == nil || app != "" && l.app != app {
		f.mu.Unlock()
		return gone()
	}
	delete(f.locks, id)
	l.timer.Stop()
	f.mu.Unlock()
	return l.unlock()
}

func gone() error {
	return &cloud.Error{Kind: cloud.NotFound, Message: "there is no such lock any more"}
}

func (f *Face) renew(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	f.mu.Lock()
	l := f.locks[id]
	held := l != nil && l.app == serve.CallerOf(r.Context()).App && l.timer.Reset(f.Lease)
	f.mu.Unlock()
	if !held {
		return gone()
	}
	return serve.Answer(w, http.StatusOK, wire.LockAnswer{ID: id, ExpiresIn: int(f.Lease / time.Second)})
}

func (f *Face) unlock(w http.ResponseWriter, r *http.Request) error {
	if err := f.end(r.PathValue("id"), serve.CallerOf(r.Context()).App); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// holds refuses changes under a lock that is not held any more.
func (f *Face) holds(r *http.Request) error {
	id := r.Header.Get(wire.HeaderLock)
	if id == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if l := f.locks[id]; l == nil || l.app != serve.CallerOf(r.Context()).App {
		return &cloud.Error{Kind: cloud.Locked, Message: "the lock of this run has ended: another run may write"}
	}
	return nil
}

// Close gives all locks back.
func (f *Face) Close() error {
	f.mu.Lock()
	var ids []string
	for id := range f.locks {
		ids = append(ids, id)
	}
	f.mu.Unlock()
	var errs []error
	for _, id := range ids {
		if err := f.end(id, ""); err != nil && cloud.KindOf(err) != cloud.NotFound {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
