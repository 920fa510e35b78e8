package channel_test

import (
	"context"
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
	asked int
	err   error
}

func (p *ill) Send(context.Context, carrier.Note) (carrier.Taken, error) {
	p.asked++
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
	})
}
