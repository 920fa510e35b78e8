package channel_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/carrier"
)

// waits is a provider that never answers.
type waits struct{}

func (*waits) Send(ctx context.Context, _ carrier.Note) (carrier.Taken, error) {
	<-ctx.Done()
	return carrier.Taken{}, carrier.Mark(carrier.ErrUnknown, "no answer")
}
func (*waits) Close() error { return nil }

// ill is a provider that fails until it is well.
type ill struct {
	asked  int
	err    error
	before func() // it answers; nil: nothing
}

func (p *ill) Send(context.Context, carrier.Note) (carrier.Taken, error) {
	if p.asked++; p.before != nil {
		p.before()
	}
	return carrier.Taken{}, p.err
}
func (*ill) Close() error { return nil }

// A provider that fails again and again is left alone, tried again by one
// message after a while, and asked as before once it is well. Messages that are
// at fault themselves say nothing about it.
func TestProviderRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &ill{err: carrier.ErrUnwell}
		texts := channel.SlowTexts(p, 10)
		send := func(n int) {
			for range n {
				_ = texts.Send(t.Context(), to("x"))
			}
		}
		send(20)
		if p.asked != 5 {
			t.Errorf("asked %d times while it is ill", p.asked)
		}
		time.Sleep(31 * time.Second)
		send(5)
		if p.asked != 6 {
			t.Errorf("asked %d times after it has rested", p.asked)
		}
		time.Sleep(31 * time.Second)
		p.err = nil
		send(5)
		if p.asked != 11 {
			t.Errorf("asked %d times when it is well", p.asked)
		}
		p.err = carrier.ErrUnreachable
		send(20)
		if p.asked != 31 {
			t.Errorf("asked %d times for numbers that it cannot reach", p.asked)
		}
		p.err = carrier.ErrUnknown
		send(20)
		if p.asked != 36 {
			t.Errorf("asked %d times while nobody knows what it does", p.asked)
		}
	})
}

// A number that one provider says is not there is asked for of no other, and once
// the caller has left nobody is asked.
func TestWhenTheNextProviderIsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		next int
	}{
		"unwell": {carrier.ErrUnwell, 1}, "unknown": {carrier.ErrUnknown, 1}, "some other": {errors.New("no"), 1}, "unreachable": {carrier.ErrUnreachable, 0}, "it has left": {context.Canceled, 0},
	} {
		ctx, leave := context.WithCancel(t.Context())
		first, second := &ill{err: c.err}, &ill{}
		if errors.Is(c.err, context.Canceled) {
			first.before = leave
		}
		err := channel.TextsBy(first, second).Send(ctx, to("x"))
		if first.asked != 1 || second.asked != c.next || (err == nil) != (c.next == 1) {
			t.Errorf("%s: asked %d and %d times, %v", name, first.asked, second.asked, err)
		}
		leave()
	}
}
