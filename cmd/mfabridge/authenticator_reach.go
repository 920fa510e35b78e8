package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/remote/device"
	"mfabridge/internal/hint"
)

// testPatience is how long a test event is waited for, and testTries how often it
// is asked for where no stream got it: of several engines at one address another
// one may hold it.
const (
	testPatience = 10 * time.Second
	testTries    = 3
)

// reached is how a test event went.
type reached struct {
	Type    string       `json:"type"`
	Arrived bool         `json:"arrived"`
	Millis  *float64     `json:"milliseconds"` // from the request to the event; null: it has not arrived
	Streams int          `json:"streams"`      // of this authenticator, also of other programs
	Service engine.Woken `json:"push_service"`
}

func (p *program) testDevice(c *cli.Context, client *device.Client, d *device.Device) error {
	asJSON, err := format(c)
	if err != nil {
		return err
	}
	if c.Duration("wait") <= 0 {
		return usage("--wait must be more than 0", "e.g. --wait 10s")
	}
	got, err := tryOut(c.Context, client, d, c.Duration("wait"))
	if err != nil {
		return err
	}
	if asJSON {
		got.Type = "test"
		err = p.jsonLine(got)
	} else if got.Arrived {
		_, err = fmt.Fprintf(p.out, "a request reaches this authenticator, in %.0f ms\n", *got.Millis)
	}
	if err == nil && !got.Arrived {
		err = notReached(got, c.Duration("wait"))
	}
	return err
}

// notReached says what to do about it.
func notReached(got reached, wait time.Duration) error {
	if got.Streams == 0 {
		return hint.New("the engine knows of no stream of this authenticator", "something between the two has cut it, or several engines answer at this address and another one holds it: try again")
	}
	return hint.New(fmt.Sprintf("the test has not arrived within %v, though the engine has sent it", wait),
		"a proxy between the two holds streams back: it must pass /authenticator/v1/events on without buffering")
}

// tryOut opens a stream, has a test event sent, and waits for it.
func tryOut(ctx context.Context, client *device.Client, d *device.Device, wait time.Duration) (got reached, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	id, open, came, ended := rand.Text(), make(chan struct{}, 1), make(chan time.Time, 1), make(chan error, 1)
	go func() {
		ended <- client.Events(ctx, d, func(e device.Event) bool {
			if e.IsTest(id) {
				came <- time.Now()
				return false
			}
			select {
			case open <- struct{}{}:
			default:
			}
			return true
		})
	}()
	over := time.NewTimer(wait)
	defer over.Stop()
	select {
	case <-open:
	case err := <-ended:
		return got, errors.Join(err, ctx.Err())
	case <-over.C:
		return got, hint.Wrap(&cloud.Error{Kind: cloud.Unavailable, Message: "the engine opens no stream"}, "a proxy between the two may hold it back: it must pass /authenticator/v1/events on without buffering")
	}
	start := time.Now()
	for n := 0; n < testTries && got.Streams == 0; n++ {
		answer, err := client.Test(ctx, d, id)
		if err != nil {
			return got, err
		}
		got.Streams, got.Service = answer.Streams, engine.Woken(answer.Service)
	}
	select {
	case <-ended: // it came, or the stream broke
	case <-over.C:
	}
	select {
	case at := <-came:
		millis := float64(at.Sub(start).Microseconds()) / 1000
		got.Arrived, got.Millis = true, &millis
	default:
	}
	return got, ctx.Err()
}
