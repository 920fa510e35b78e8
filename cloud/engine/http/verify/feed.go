package verify

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
)

// Limits of what is kept for callers that are away.
const (
	maxBehind = 4096            // verdicts of one caller
	keepFor   = 5 * time.Minute // after its stream ended
	maxFeeds  = 1024            // callers
	maxNodes  = 64              // open streams of one caller
)

// feeds are the streams of all nodes of all callers and who waits for one challenge.
type feeds struct {
	ctx   context.Context
	epoch string // of this process: numbers of another mean nothing

	mu      sync.Mutex
	byApp   map[string]*feed
	waiters map[waited]map[chan struct{}]struct{}
}

type waited struct {
	app string
	id  cloud.ChallengeID
}

// feed is what one caller is told, in order. All its nodes read the same one,
// so that a node which comes back goes on where it was.
type feed struct {
	next    uint64             // number of the next event
	ring    []engine.Verdict   // the last ones; ring[i] has number next-len(ring)+i
	streams map[string]*stream // the open ones, by node
	left    time.Time          // when the last of them ended
}

// stream is one connection. wake holds a token when there is something new.
type stream struct {
	wake     chan struct{}
	replaced chan struct{} // closed when another stream of the same node took over
	at       uint64        // number of the next event to send
	reset    bool          // something was missed
}

func newFeeds(ctx context.Context) *feeds {
	return &feeds{ctx: ctx, epoch: rand.Text()[:8], byApp: map[string]*feed{}, waiters: map[waited]map[chan struct{}]struct{}{}}
}

// publish hands a verdict to its caller's feed and to who waits for it.
func (f *feeds) publish(v engine.Verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := waited{v.Owner, v.Challenge}
	for ch := range f.waiters[key] {
		close(ch)
	}
	delete(f.waiters, key)
	q := f.byApp[v.Owner]
	if q == nil {
		return
	}
	if len(q.ring) >= maxBehind {
		q.ring = append(q.ring[:0:0], q.ring[maxBehind/4:]...)
	}
	q.ring = append(q.ring, v)
	q.next++
	q.wake()
}

func (q *feed) wake() {
	for _, s := range q.streams {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// reset says that verdicts were missed by everybody.
func (f *feeds) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for app, q := range f.byApp {
		if len(q.streams) == 0 {
			delete(f.byApp, app)
			continue
		}
		// A number is left out: a node that has all the others, be it here or away,
		// has missed something too.
		q.ring, q.next = nil, q.next+1
		q.wake()
	}
	for key, chans := range f.waiters {
		for ch := range chans {
			close(ch)
		}
		delete(f.waiters, key)
	}
}

// open begins the stream of a caller's node, in place of the one that this node
// had before. last is the id of the last event that it has, empty at first. The
// id that comes back is the one after which the stream begins.
func (f *feeds) open(app, node, last string, now time.Time) (*stream, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for other, q := range f.byApp {
		if len(q.streams) == 0 && now.Sub(q.left) > keepFor {
			delete(f.byApp, other)
		}
	}
	q := f.byApp[app]
	switch {
	case q == nil && len(f.byApp) >= maxFeeds:
		return nil, "", &cloud.Error{Kind: cloud.Unavailable, Message: "too many callers have streams", RetryAfter: time.Second}
	case q == nil:
		// Numbers begin anew: ids of a feed that was forgotten must not look
		// like ids of this one.
		q = &feed{next: uint64(now.UnixNano()), streams: map[string]*stream{}}
		f.byApp[app] = q
	}
	before := q.streams[node]
	if before == nil && len(q.streams) >= maxNodes {
		return nil, "", &cloud.Error{Kind: cloud.Unavailable, Message: "too many nodes of this application have streams", RetryAfter: time.Second}
	}
	if before != nil {
		close(before.replaced)
	}
	s := &stream{wake: make(chan struct{}, 1), replaced: make(chan struct{}), at: q.next}
	q.streams[node] = s
	if last != "" {
		at, ok := f.number(last)
		if oldest := q.next - uint64(len(q.ring)); ok && at+1 >= oldest && at < q.next {
			s.at = at + 1
		} else {
			s.reset = true
		}
	}
	s.wake <- struct{}{}
	return s, f.id(s.at - 1), nil
}

// close ends a stream; what comes now is kept for a while.
func (f *feeds) close(app, node string, s *stream, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.byApp[app]; q != nil && q.streams[node] == s {
		delete(q.streams, node)
		q.left = now
	}
}

// take returns what a stream has not sent yet, and the number of the first.
func (f *feeds) take(app, node string, s *stream) (missed bool, first uint64, news []engine.Verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.byApp[app]
	if q == nil || q.streams[node] != s {
		return false, 0, nil
	}
	oldest := q.next - uint64(len(q.ring))
	missed = s.reset || s.at < oldest
	s.reset, first = false, max(s.at, oldest)
	news = append(news, q.ring[first-oldest:]...)
	s.at = q.next
	return missed, first, news
}

// id is the name of an event, which a caller gives back to go on after it.
func (f *feeds) id(number uint64) string { return fmt.Sprintf("%s-%d", f.epoch, number) }

func (f *feeds) number(id string) (uint64, bool) {
	epoch, digits, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && epoch == f.epoch
}

// watch returns a channel that is closed at the verdict on a challenge.
func (f *feeds) watch(app string, id cloud.ChallengeID) (<-chan struct{}, func()) {
	key, ch := waited{app, id}, make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiters[key] == nil {
		f.waiters[key] = map[chan struct{}]struct{}{}
	}
	f.waiters[key][ch] = struct{}{}
	return ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if delete(f.waiters[key], ch); len(f.waiters[key]) == 0 {
			delete(f.waiters, key)
		}
	}
}
