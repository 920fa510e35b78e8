package engine

import (
	"context"
	"iter"
	"sync"

	"mfabridge/cloud"
)

// backlog is how many decisions a subscriber may be behind.
const backlog = 4096

// hub hands verdicts to whoever listens in this process. Publishing never
// waits: a subscriber that is too far behind loses its stream, with an error.
// The zero hub is ready.
type hub struct {
	mu     sync.Mutex
	closed bool
	subs   map[*subscriber]struct{}
}

type subscriber struct {
	ch  chan Verdict // closed when the stream ends
	err error        // why; written before ch is closed
}

// add returns a new subscriber; one of a closed hub has ended already.
func (h *hub) add() *subscriber {
	s := &subscriber{ch: make(chan Verdict, backlog)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		s.err = refuse(cloud.Unavailable, "the engine is closed")
		close(s.ch)
		return s
	}
	if h.subs == nil {
		h.subs = map[*subscriber]struct{}{}
	}
	h.subs[s] = struct{}{}
	return s
}

// end ends a stream once.
func (h *hub) end(s *subscriber, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.endLocked(s, err)
}

func (h *hub) endLocked(s *subscriber, err error) {
	if _, ok := h.subs[s]; !ok {
		return
	}
	delete(h.subs, s)
	s.err = err
	close(s.ch)
}

func (h *hub) publish(d Verdict) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		select {
		case s.ch <- d:
		default:
			h.endLocked(s, refuse(cloud.Unavailable, "the reader of decisions fell too far behind"))
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		h.endLocked(s, refuse(cloud.Unavailable, "the engine was closed"))
	}
}

// Decisions implements [cloud.Verifier]: verdicts that this process reaches
// from now on. The stream may be ranged over once.
func (e *Engine) Decisions(ctx context.Context) iter.Seq2[cloud.Decision, error] {
	verdicts := e.Verdicts(ctx)
	return func(yield func(cloud.Decision, error) bool) {
		for v, err := range verdicts {
			if !yield(v.Decision, err) {
				return
			}
		}
	}
}

// Verdicts is Decisions with the application to which each of them goes.
func (e *Engine) Verdicts(ctx context.Context) iter.Seq2[Verdict, error] {
	s := e.hub.add()
	stop := context.AfterFunc(ctx, func() { e.hub.end(s, nil) })
	return func(yield func(Verdict, error) bool) {
		defer func() {
			stop()
			e.hub.end(s, nil)
		}()
		for d := range s.ch {
			if !yield(d, nil) {
				return
			}
		}
		if s.err != nil {
			yield(Verdict{}, s.err)
		}
	}
}
