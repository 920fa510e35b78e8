package engine

import (
	"context"
	"iter"
	"sync"

	"mfabridge/cloud"
)

// backlog is how many decisions a subscriber may be behind.
const backlog = 4096

// hub hands verdicts to whoever listens in this process: those that it reached,
// and while somebody listens those of other processes too. Publishing never
// waits: a subscriber that is too far behind loses its stream, with an error.
// The zero hub is ready.
type hub struct {
	starting sync.Mutex // held by who begins to follow: the store is asked, and no verdict waits for that

	mu     sync.Mutex
	closed bool
	subs   map[*subscriber]struct{}
	follow func()                            // ends the follower; nil: there is none
	told   [2]map[cloud.ChallengeID]struct{} // what was published while somebody follows, newest and before
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
	if len(h.subs) == 0 && h.follow != nil {
		h.follow()
		h.follow, h.told = nil, [2]map[cloud.ChallengeID]struct{}{}
	}
}

// wantsFollower tells whether somebody listens and nobody follows.
func (h *hub) wantsFollower() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.follow == nil && len(h.subs) > 0
}

// takeFollower keeps what ends the follower; false: nobody listens any more.
func (h *hub) takeFollower(stop func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subs) == 0 {
		return false
	}
	h.follow = stop
	return true
}

// publish hands a verdict out, unless that was done a moment ago.
func (h *hub) publish(d Verdict) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subs) == 0 || h.knows(d.Challenge) {
		return
	}
	if len(h.told[0]) >= backlog || h.told[0] == nil {
		h.told[0], h.told[1] = map[cloud.ChallengeID]struct{}{}, h.told[0]
	}
	h.told[0][d.Challenge] = struct{}{}
	for s := range h.subs {
		select {
		case s.ch <- d:
		default:
			h.endLocked(s, refuse(cloud.Unavailable, "the reader of decisions fell too far behind"))
		}
	}
}

func (h *hub) knows(id cloud.ChallengeID) bool {
	for _, told := range h.told {
		if _, ok := told[id]; ok {
			return true
		}
	}
	return false
}

// was tells whether the verdict on a challenge was published.
func (h *hub) was(id cloud.ChallengeID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.knows(id)
}

// breakOff ends all streams; what their readers wait for they have to look for.
func (h *hub) breakOff(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		h.endLocked(s, err)
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

// Decisions implements [cloud.Verifier]: verdicts that any process on the store
// reaches from now on. The stream may be ranged over once.
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
	if err := e.followOthers(ctx); err != nil {
		e.hub.end(s, asError(err))
	}
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

// publish hands verdicts that this process has reached to who listens, and to
// who counts.
func (e *Engine) publish(reached ...Verdict) {
	for _, v := range reached {
		if observe := e.observe.Load(); observe != nil {
			(*observe)(v.Decision)
		}
		e.hub.publish(v)
		if v.Decision.Method == cloud.Push {
			e.bell.ring(v.Decision.User)
		}
	}
}

// Observe has each verdict that this process reaches from now on counted,
// before anybody is told. f must not wait.
func (e *Engine) Observe(f func(cloud.Decision)) { e.observe.Store(&f) }
