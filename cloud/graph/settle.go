package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"mfabridge/cloud"
)

// visible are the pauses before a user is looked at again: what was written may
// be seen later. A longer Retry-After counts.
var visible = [...]time.Duration{0, 2 * time.Second, 5 * time.Second, 15 * time.Second}

// looksAtRefusals is how often a user is looked at whose change Graph found
// wrong (400) at once. It has stored nothing then; somebody else may have, a
// moment ago.
const looksAtRefusals = 2

// look settles steps that Graph did not answer with success: what the user has
// now is the answer. A refusal that is certain needs no look, except where the
// reference says that the method may have been stored all the same. What the
// service failed at, or nothing is known of, is sent again, but only where the
// user has just been seen as the change expects: it cannot be made twice.
func (w *writing) look(ctx context.Context, version string, steps []*step) {
	open := w.judge(steps)
	for _, s := range open {
		s.wrong = s.item.refused()
	}
	for n, pause := range visible {
		if n == looksAtRefusals {
			open = slices.DeleteFunc(open, func(s *step) bool { return s.wrong })
		}
		if len(open) == 0 {
			return
		}
		asked := w.asked(open)
		if asked > shortly {
			w.unknown(open, &cloud.Error{Kind: cloud.Unavailable, Message: "Graph asks to wait", RetryAfter: asked})
			return
		}
		err := w.d.o.Sleep(ctx, max(pause, asked))
		var rest []*step
		if err == nil {
			rest, err = w.still(ctx, open)
		}
		if err != nil {
			w.unknown(open, err)
			return
		}
		var again []*step
		var items []*item
		for _, s := range rest {
			if s.item.repeatable() {
				again, items = append(again, s), append(items, s.item)
			}
		}
		if len(again) == 0 {
			open = w.judge(rest)
			continue
		}
		if err := w.d.client.changes(ctx, version, items); err != nil {
			w.unknown(rest, err)
			return
		}
		open = w.judge(rest)
	}
	for _, s := range open {
		if s.item.answered && s.item.repeatable() {
			w.fail(s.index, w.d.alone(s.user.ID, s.item.answer.failed()))
		}
	}
}

// alone marks an error that the service gave each time for a change of a user
// who can be read: the others need not wait for that one. At many users it is
// the service that is out of order.
func (d *Directory) alone(id cloud.UserID, e *cloud.Error) *cloud.Error {
	e.Alone = e.Kind == cloud.Unavailable && !d.failsAtMany([]cloud.UserID{id})
	return e
}

// unknown answers steps of which nobody can tell what became of them: whoever
// gives them again has the user read first.
func (w *writing) unknown(open []*step, cause error) {
	for _, s := range open {
		w.fail(s.index, isUnknown(cause))
	}
}

// isUnknown is an error of the kind that passes, whatever kept us from looking:
// any other kind says that nothing was written.
func isUnknown(cause error) error {
	unknown := &cloud.Error{Kind: cloud.Unavailable, Message: "whether the change was made is not known", Err: cause}
	if e, ok := errors.AsType[*cloud.Error](cause); ok {
		unknown.RetryAfter = e.RetryAfter
	}
	return unknown
}

// judge answers steps by what Graph said, and returns those of which that is
// not the last word.
func (w *writing) judge(steps []*step) []*step {
	var open []*step
	for _, s := range steps {
		if s.item.ok() {
			w.done(s, s.made())
			continue
		}
		w.fail(s.index, s.item.failed())
		if !s.item.certain() {
			open = append(open, s)
		}
	}
	return open
}

// asked is the longest time that Graph asks to wait before some steps go on.
func (w *writing) asked(open []*step) time.Duration {
	var pause time.Duration
	for _, s := range open {
		if s.item.answered && s.item.repeatable() {
			pause = max(pause, retryAfter(s.item.answer.header, w.d.client.serverTime()))
		}
	}
	return pause
}

// still answers the steps whose change the user has by now, and those that no
// longer fit. It returns the others.
func (w *writing) still(ctx context.Context, open []*step) ([]*step, error) {
	ids := make([]cloud.UserID, len(open))
	for k, s := range open {
		ids[k] = s.user.ID
	}
	users, err := w.d.Read(ctx, ids)
	refused, err := cloud.Unread(err)
	if err != nil {
		return nil, err
	}
	var rest []*step
	for k, s := range open {
		if e := refused[ids[k]]; e != nil {
			w.fail(s.index, isUnknown(e))
			continue
		}
		c := s.change
		before := users[k].Value(c.Method, c.ID, c.Before)
		now := before
		if !c.After.IsZero() {
			now = users[k].Value(c.Method, c.ID, c.After)
		}
		switch {
		case users[k].ID == "":
			w.absent(s.index)
		case holds(c.Method, now, c.After):
			w.d.o.Log.InfoContext(ctx, "a change stands although Graph did not answer so", "user", s.user.ID, "method", c.Method, "status", s.item.answer.status)
			w.done(s, methodID(c))
		case !holds(c.Method, before, c.Before):
			w.results[s.index] = cloud.Result{Outcome: cloud.Outdated, ID: methodID(c),
				Err: &cloud.Error{Kind: cloud.Stale, Message: fmt.Sprintf("%s was changed by somebody else in the meantime", c.Method), Err: s.item.failed()}}
		default:
			rest = append(rest, s)
		}
	}
	return rest, nil
}

// repeatable tells whether the service failed at a request, or nothing is known
// of it, as behind a success of another kind or a redirection: then it may be
// sent again after a look.
func (i *item) repeatable() bool {
	if !i.answered {
		return unasked(i.err) == nil
	}
	return !i.ok() && (i.answer.status < http.StatusBadRequest || passes(i.answer.status))
}

// refused tells whether Graph found a request wrong.
func (i *item) refused() bool { return i.answered && i.answer.status == http.StatusBadRequest }

// certain tells whether an answer leaves no doubt that nothing was written.
func (i *item) certain() bool {
	if !i.answered {
		return unasked(i.err) != nil
	}
	switch i.answer.status {
	case http.StatusForbidden, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusMethodNotAllowed,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return true
	case http.StatusNotFound:
		return i.method != http.MethodDelete && !i.whole // one that is gone is what was wanted
	}
	return false
}
