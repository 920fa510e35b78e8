package engine

import (
	"context"
	"maps"
	"sync"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/sleep"
)

// New challenges are looked for at each signal, from a glance behind the newest
// that was seen, and once more within wholeEvery from rescan behind it: ids of
// several processes are made a moment before they can be seen, and not quite in
// that order. hearPause is how long what others do is left alone after a look at
// it: a store may signal each of their commits, and what thousands of logins of
// theirs have written would be read over and over.
const (
	glance     = 500 * time.Millisecond
	rescan     = 3 * time.Second
	wholeEvery = time.Second
	hearPause  = 50 * time.Millisecond
)

// bell wakes who waits for the pushes of a user, in this process. It is a hint:
// it may ring for nothing, and whoever waits looks from time to time anyway.
// The zero bell is ready.
type bell struct {
	starting sync.Mutex // held by who begins to hear others: the store is asked, and nobody who rings waits for that

	mu      sync.Mutex
	closed  bool
	waiting map[cloud.UserID]map[*Ear]struct{}
	all     map[chan cloud.UserID]struct{} // who waits for every user
	stop    func()                         // ends the follower; nil: there is none
}

// ring wakes all who wait for a user.
func (b *bell) ring(user cloud.UserID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ear := range b.waiting[user] {
		ear.rung = true
		ear.wake()
	}
	for ch := range b.all {
		select {
		case ch <- user:
		default: // too far behind
		}
	}
}

func (b *bell) addAll() (ch chan cloud.UserID, leave func()) {
	ch = make(chan cloud.UserID, everybody)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[chan cloud.UserID]struct{}{}
	}
	b.all[ch] = struct{}{}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.all, ch)
	}
}

// maxEars is how many streams and waits of one user there are at once: some for
// each device and tab, and far from all that there is room for.
const maxEars = 32

// add is nil where a user has enough of them.
func (b *bell) add(user cloud.UserID, device string) *Ear {
	ear := &Ear{bell: b, user: user, device: device, ch: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting[user]) >= maxEars {
		return nil
	}
	if b.waiting == nil {
		b.waiting = map[cloud.UserID]map[*Ear]struct{}{}
	}
	if b.waiting[user] == nil {
		b.waiting[user] = map[*Ear]struct{}{}
	}
	b.waiting[user][ear] = struct{}{}
	return ear
}

func (b *bell) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.stop != nil {
		b.stop()
		b.stop = nil
	}
}

// hears tells whether pushes of other processes ring here already.
func (b *bell) hears() (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false, refuse(cloud.Unavailable, "the engine is closed")
	}
	return b.stop != nil, nil
}

// take keeps what ends the follower.
func (b *bell) take(stop func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return refuse(cloud.Unavailable, "the engine is closed")
	}
	b.stop = stop
	return nil
}

// Listen returns what signals when the pushes of a user may have changed, also by
// another process on the store; whoever takes it leaves it. Throttled: a user has
// enough of them, and is to leave room for others.
func (e *Engine) Listen(ctx context.Context, user cloud.UserID) (*Ear, error) {
	return e.Attend(ctx, user, "")
}

// Attend is Listen for a stream of a device, which hears its test events too.
func (e *Engine) Attend(ctx context.Context, user cloud.UserID, device string) (*Ear, error) {
	ear := e.bell.add(user, device)
	if ear == nil {
		return nil, &cloud.Error{Kind: cloud.Throttled, Message: "the user waits for pushes in too many places at once", RetryAfter: 30 * time.Second}
	}
	if err := e.hearOthers(ctx); err != nil {
		ear.Leave()
		return nil, asError(err)
	}
	return ear, nil
}

// hearOthers makes sure that pushes that other processes begin ring here.
func (e *Engine) hearOthers(ctx context.Context) error {
	e.bell.starting.Lock()
	defer e.bell.starting.Unlock()
	if hears, err := e.bell.hears(); hears || err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	signals, err := e.store.Watch(ctx)
	if err != nil {
		stop()
		return err
	}
	if err := e.bell.take(stop); err != nil {
		stop()
		return err
	}
	go e.hear(ctx, signals, e.now())
	go e.hearVerdicts(ctx)
	return nil
}

// hear rings for what others have begun since a time.
func (e *Engine) hear(ctx context.Context, signals <-chan struct{}, since time.Time) {
	rung := map[cloud.ChallengeID]struct{}{}
	var whole <-chan time.Time // a look from further behind is owed; nil: none is
	for more := true; more; {
		back := glance
		select {
		case _, more = <-signals:
			if !more {
				continue
			}
			if whole == nil {
				whole = time.After(wholeEvery)
			}
		case <-whole:
			back, whole = rescan, nil
		}
		newest, seen, err := e.ringSince(ctx, since, back, rung)
		if err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "pushes of other processes cannot be read; they are found later", "err", err)
			whole = time.After(wholeEvery)
			continue
		}
		since = newest
		if back == rescan {
			rung = seen // what is older is not looked at again
		} else {
			maps.Copy(rung, seen)
		}
		_ = sleep.For(ctx, hearPause) // if ctx is done, signals ends
	}
	e.bell.mu.Lock()
	defer e.bell.mu.Unlock()
	if ctx.Err() == nil { // the store gave up: the next who waits begins anew
		e.bell.stop = nil
	}
}

// hearVerdicts has verdicts of others followed as long as somebody waits here:
// whoever follows them rings.
func (e *Engine) hearVerdicts(ctx context.Context) {
	for ctx.Err() == nil {
		for range e.Verdicts(ctx) {
		}
		_ = sleep.For(ctx, rescan) // it was broken off
	}
}

// ringSince rings once for each push that was begun after a time, or so long
// before it, and returns when the newest of all challenges was begun, and which
// pushes it has seen. A challenge of a clock that runs ahead is no newer than now:
// what clocks that are right do meanwhile is not to be passed over.
func (e *Engine) ringSince(ctx context.Context, since time.Time, back time.Duration, rung map[cloud.ChallengeID]struct{}) (newest time.Time, seen map[cloud.ChallengeID]struct{}, err error) {
	users := map[cloud.UserID]struct{}{}
	now := e.now()
	newest, seen = since, map[cloud.ChallengeID]struct{}{}
	last := oldestID(since.Add(-back))
	for more := true; more && ctx.Err() == nil; {
		err := e.store.View(ctx, func(r Reader) error {
			page, err := r.ChallengesAfter(last, pageSize)
			for _, c := range page {
				if last = c.ID; c.Method == cloud.Push {
					seen[c.ID] = struct{}{}
					if _, before := rung[c.ID]; !before {
						users[c.User] = struct{}{}
					}
				}
				if c.Created.After(newest) && !c.Created.After(now) {
					newest = c.Created
				}
			}
			more = len(page) == pageSize
			return err
		})
		if err != nil {
			return since, rung, err
		}
	}
	for user := range users {
		e.bell.ring(user)
	}
	return newest, seen, nil
}
