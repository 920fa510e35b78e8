package oauth

import (
	"context"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// standLimit is how long a look at the store for several requests may take.
const standLimit = 10 * time.Second

// look is one look at the store, for all requests that wait for it.
type look struct {
	done chan struct{} // closed when standing and err are there
	engine.Standing
	err error
}

// looks are those for one application: the one that runs, and the one after
// it. Who comes while one runs waits for the next: what it read may be older
// than the request.
type looks struct{ next *look }

// standing is how an application stands at a moment after the call. Requests
// that come at once share a look, and none shares one that began before it.
func (f *Face) standing(ctx context.Context, app string) (engine.Standing, error) {
	f.mu.Lock()
	q := f.looking[app]
	if q == nil {
		q = &looks{}
		f.looking[app] = q
		f.mu.Unlock()
		s, err := f.core.Standing(ctx, app, keptKeys)
		f.after(app, q)
		return s, err
	}
	if q.next == nil {
		q.next = &look{done: make(chan struct{})}
	}
	mine := q.next
	f.mu.Unlock()
	select {
	case <-mine.done:
		return mine.Standing, mine.err
	case <-ctx.Done():
		return engine.Standing{}, &cloud.Error{Kind: cloud.Unavailable, Message: "the request has ended", Err: ctx.Err()}
	}
}

// after begins the next look, if somebody waits for one.
func (f *Face) after(app string, q *looks) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := q.next
	if l == nil {
		delete(f.looking, app)
		return
	}
	q.next = nil
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), standLimit)
		defer cancel()
		l.Standing, l.err = f.core.Standing(ctx, app, keptKeys)
		close(l.done)
		f.after(app, q)
	}()
}
