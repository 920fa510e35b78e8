package engine

import (
	"context"
	"sync"
	"time"

	"mfabridge/cloud"
)

// Times and places of messages that go out after the answer.
const (
	laterTime   = 15 * time.Second
	laterAtOnce = 64
)

// lates are places of messages that go out after the answer to whoever asked:
// where nobody is to learn who there is, how long a message takes to be handed
// over would tell.
type lates struct {
	places chan struct{}
	all    *sync.WaitGroup
}

func newLates(all *sync.WaitGroup) lates { return lates{make(chan struct{}, laterAtOnce), all} }

// late is a place, and what goes out from it; nil: nothing does.
type late struct {
	lates
	ctx  context.Context
	send func(ctx context.Context)
}

// take takes a place, before anything is known of whom a message would be for.
// Whoever gets one calls hand. Throttled: there is none.
func (l lates) take(ctx context.Context) (*late, error) {
	select {
	case l.places <- struct{}{}:
		return &late{lates: l, ctx: context.WithoutCancel(ctx)}, nil
	default:
		return nil, &cloud.Error{Kind: cloud.Throttled, Message: "too many messages are being sent", RetryAfter: time.Second}
	}
}

// hand has the message sent, if there is one, and gives the place back then.
func (l *late) hand() {
	if l.send == nil {
		<-l.places
		return
	}
	l.all.Go(func() {
		defer func() { <-l.places }()
		ctx, cancel := context.WithTimeout(l.ctx, laterTime)
		defer cancel()
		l.send(ctx)
	})
}

// delivering is what hands over the message of a challenge that was begun.
func (e *Engine) delivering(b *beginning) func(context.Context) {
	return func(ctx context.Context) {
		if err := e.deliver(ctx, b); err != nil {
			e.log.WarnContext(ctx, "that a code was not sent was not recorded", "challenge", b.c.ID, "err", err)
		}
	}
}

// AwaitSent waits for messages that go out after an answer.
func (e *Engine) AwaitSent() { e.laters.Wait() }
