package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/remote/device"
	"mfabridge/internal/secret"
	"mfabridge/migrate"
)

// push is a sign-in that waits.
type push = wire.Push

// How long a device waits in one request, and between two where the engine
// cannot be reached.
const (
	deviceWait         = 50 * time.Second
	retryFirst         = time.Second
	retryMost          = 30 * time.Second
	promptApprove      = "a approves, d denies, f denies and reports: "
	promptNumber       = "type the number that the login shows, d denies, f denies and reports: "
	maxLine            = 256
	maxDevicesOfOneRun = 10_000
)

// running is one authenticator run.
type running struct {
	p      *program
	client map[string]*device.Client // see engineOf
	fixed  engine.PushAnswer         // empty: ask
	lines  <-chan string             // what is typed
	left   int                       // answers until the end; 0: no end
	stop   context.CancelFunc
	mu     sync.Mutex // one push is shown at a time
}

func (p *program) authenticatorRun(c *cli.Context) (err error) {
	if _, err := args(c); err != nil {
		return err
	}
	r := &running{p: p, client: map[string]*device.Client{}, fixed: engine.PushAnswer(c.String("answer")), left: c.Int("count")}
	switch r.fixed {
	case "", engine.PushApprove, engine.PushDeny, engine.PushFraud:
	default:
		return usage(fmt.Sprintf("--answer cannot be %q", c.String("answer")), "use approve, deny or fraud, or leave it out to be asked")
	}
	paths := c.StringSlice("device")
	if len(paths) == 0 {
		paths = []string{"authenticator.json"}
	}
	if len(paths) > maxDevicesOfOneRun {
		return usage("too many --device files", fmt.Sprintf("give at most %d", maxDevicesOfOneRun))
	}
	devices := make([]*device.Device, len(paths))
	for i, path := range paths {
		if devices[i], err = openDevice(path); err != nil {
			return err
		}
		if r.client[engineOf(devices[i])] == nil {
			if r.client[engineOf(devices[i])], err = p.deviceClient(c, devices[i]); err != nil {
				return err
			}
		}
	}
	defer func() {
		for _, client := range r.client {
			err = errors.Join(err, client.Close())
		}
	}()
	return r.all(c.Context, devices)
}

// all waits for the pushes of all devices until it is stopped, the answers are
// given, or no device is one any more.
func (r *running) all(ctx context.Context, devices []*device.Device) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r.stop = stop
	if r.fixed == "" {
		r.lines = typed(r.p.in)
	}
	errs := make([]error, len(devices))
	var wg sync.WaitGroup
	for i, d := range devices {
		wg.Go(func() {
			if errs[i] = r.one(ctx, d); errs[i] != nil && len(devices) > 1 {
				fmt.Fprintf(r.p.err, "mfabridge: %v; the others go on\n", errs[i])
			}
		})
	}
	fmt.Fprintf(r.p.err, "mfabridge: %s for sign-ins\n", migrate.Number(len(devices), "authenticator waits", "authenticators wait"))
	wg.Wait()
	return errors.Join(errs...)
}

// typed are the lines of an input, until it ends.
func typed(in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			lines <- strings.TrimSpace(scanner.Text())
		}
	}()
	return lines
}

// engineOf is what devices have alike that one client can ask for.
func engineOf(d *device.Device) string { return d.URL + "\x00" + string(d.CA) }

// one waits for the pushes of one device, and goes on through outages.
func (r *running) one(ctx context.Context, d *device.Device) error {
	client, seen, version, pause := r.client[engineOf(d)], map[cloud.ChallengeID]bool{}, "", retryFirst
	for ctx.Err() == nil {
		got, err := client.Pushes(ctx, d, version, deviceWait)
		switch {
		case ctx.Err() != nil:
			return nil
		case cloud.KindOf(err) == cloud.Unavailable || cloud.KindOf(err) == cloud.Throttled:
			if pause == retryFirst {
				fmt.Fprintf(r.p.err, "mfabridge: %s: %v; trying again\n", migrate.Plain(d.UPN), err)
			}
			_ = r.p.sleep(ctx, pause) // where ctx ended meanwhile the loop does, too
			pause = min(2*pause, retryMost)
			continue
		case err != nil:
			return fmt.Errorf("authenticator of %s: %w", migrate.Plain(d.UPN), err)
		}
		pause, version = retryFirst, got.Version
		now := map[cloud.ChallengeID]bool{}
		for _, push := range got.Pushes {
			if now[push.Challenge] = true; !seen[push.Challenge] {
				if err := r.show(ctx, client, d, push); err != nil {
					return err
				}
			}
		}
		seen = now
	}
	return nil
}

// describe is what a person needs to know before pressing a button.
func describe(d *device.Device, push push) string {
	return fmt.Sprintf("%s signs in to %s from %s", migrate.Plain(d.UPN), migrate.Plain(push.App), migrate.Plain(push.From))
}

// show shows one push and answers it. What went wrong with one is said and
// ends nothing.
func (r *running) show(ctx context.Context, client *device.Client, d *device.Device, push push) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	fmt.Fprintln(r.p.out, describe(d, push))
	answer, number := r.fixed, ""
	if answer == "" {
		answer, number = r.ask(ctx, push)
	}
	switch {
	case answer == "":
		return nil
	case answer == engine.PushApprove && push.Number && number == "":
		fmt.Fprintln(r.p.out, "left: the login shows a number, which nobody has typed")
		return nil
	}
	pin, ok := r.pin(ctx, push, answer)
	if !ok {
		return nil
	}
	if err := r.p.answer(ctx, client, d, push, answered{answer, number, pin}); err != nil {
		fmt.Fprintln(r.p.out, err)
	}
	if r.left > 0 {
		if r.left--; r.left == 0 {
			r.stop()
		}
	}
	return nil
}

// pin has a person type the PIN where an approval needs one; false: nobody did.
func (r *running) pin(ctx context.Context, push push, answer engine.PushAnswer) (secret.Bytes, bool) {
	switch {
	case !push.PIN || answer != engine.PushApprove:
		return secret.Bytes{}, true
	case r.lines == nil:
		fmt.Fprintln(r.p.out, "left: the approval needs a PIN, which nobody has typed")
		return secret.Bytes{}, false
	}
	fmt.Fprint(r.p.err, "PIN: ")
	select {
	case <-ctx.Done():
		return secret.Bytes{}, false
	case line, more := <-r.lines:
		return secret.FromString(line), more
	}
}

// ask has a person decide; empty: nobody did before the login went.
func (r *running) ask(ctx context.Context, push push) (engine.PushAnswer, string) {
	prompt := promptApprove
	if push.Number {
		prompt = promptNumber
	}
	over := time.NewTimer(push.Expires.Sub(r.p.now()))
	defer over.Stop()
	for {
		fmt.Fprint(r.p.err, prompt)
		select {
		case <-ctx.Done():
			return "", ""
		case <-over.C:
			fmt.Fprintln(r.p.out, "\ntoo late: the sign-in has gone")
			return "", ""
		case line, more := <-r.lines:
			switch {
			case !more:
				r.stop() // nobody is there any more
				return "", ""
			case line == "d":
				return engine.PushDeny, ""
			case line == "f":
				return engine.PushFraud, ""
			case line == "a" && !push.Number:
				return engine.PushApprove, ""
			case push.Number && len(line) == 2 && strings.Trim(line, "0123456789") == "":
				return engine.PushApprove, line
			}
		}
	}
}
