package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"mfabridge/cloud"
)

// Ear is where whoever waits for the pushes of a user hears that something has
// happened. Its methods may be called concurrently.
type Ear struct {
	bell   *bell
	user   cloud.UserID
	device string // whose test events it hears; empty: nobody's
	ch     chan struct{}

	// Under the bell's lock.
	rung  bool     // pushes may have changed
	tests []string // test events that came
}

// maxUnheard is how many test events a stream may be behind.
const maxUnheard = 4

// wake signals once for all that has come.
func (r *Ear) wake() {
	select {
	case r.ch <- struct{}{}:
	default: // it rings already
	}
}

// Rung signals that something has come: Heard says what.
func (r *Ear) Rung() <-chan struct{} { return r.ch }

// Heard takes what has come since it was asked last: whether pushes may have
// changed, and the names of test events.
func (r *Ear) Heard() (pushes bool, tests []string) {
	r.bell.mu.Lock()
	defer r.bell.mu.Unlock()
	pushes, tests = r.rung, r.tests
	r.rung, r.tests = false, nil
	return pushes, tests
}

// Leave ends it.
func (r *Ear) Leave() {
	r.bell.mu.Lock()
	defer r.bell.mu.Unlock()
	waiting := r.bell.waiting[r.user]
	if delete(waiting, r); len(waiting) == 0 {
		delete(r.bell.waiting, r.user)
	}
}

// test hands a test event to the streams of a device, and counts them.
func (b *bell) test(user cloud.UserID, device, name string) (streams int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ear := range b.waiting[user] {
		if ear.device != device || len(ear.tests) >= maxUnheard {
			continue
		}
		ear.tests = append(ear.tests, name)
		ear.wake()
		streams++
	}
	return streams
}

// A device may ask for so many test events in so long.
const (
	testsInWindow = 6
	testWindow    = time.Minute
	maxTestName   = 32
	maxTesters    = 1 << 16 // devices that are remembered
)

// testMeter counts test events by device, in this process. The zero meter is
// ready.
type testMeter struct {
	mu      sync.Mutex
	devices map[string]testCount
}

type testCount struct {
	since time.Time
	n     int
}

// take counts one, or says how long to wait.
func (m *testMeter) take(device string, now time.Time) (wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.devices == nil {
		m.devices = map[string]testCount{}
	}
	c := m.devices[device]
	if age := now.Sub(c.since); age >= testWindow || age < 0 {
		c = testCount{since: now}
	}
	if c.n >= testsInWindow {
		return c.since.Add(testWindow).Sub(now)
	}
	if len(m.devices) >= maxTesters {
		m.forget(now)
	}
	if c.n++; len(m.devices) >= maxTesters && c.n == 1 {
		return testWindow
	}
	m.devices[device] = c
	return 0
}

// forget drops what is over.
func (m *testMeter) forget(now time.Time) {
	for device, c := range m.devices {
		if age := now.Sub(c.since); age >= testWindow || age < 0 {
			delete(m.devices, device)
		}
	}
}

// TestStreams sends a test event to the streams that a device holds open in this
// process, under a name that the device gives it: up to 32 letters, digits, - and
// _. It says how many have got it: what is on its way from there on it cannot
// know. Neither the store nor what waits for the user is looked at. Whoever asks
// has proven to be the device. Errors: Invalid; Throttled, after six in a minute.
func (e *Engine) TestStreams(user cloud.UserID, device, name string) (streams int, err error) {
	if name == "" || len(name) > maxTestName || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return 0, refuse(cloud.Invalid, fmt.Sprintf("a test is named by 1 to %d letters, digits, - and _", maxTestName))
	}
	if wait := e.tests.take(device, e.now()); wait > 0 {
		return 0, &cloud.Error{Kind: cloud.Throttled, Message: "this authenticator was tested often enough for now", RetryAfter: wait}
	}
	return e.bell.test(user, device, name), nil
}

// SubscriptionOf is where a device hears of pushes from a push service; nil:
// nowhere. Whoever asks has proven to be the device.
func (e *Engine) SubscriptionOf(ctx context.Context, user cloud.UserID, device string) (s *Subscription, err error) {
	err = e.store.View(ctx, func(r Reader) error {
		d, err := deviceOf(r, user, device)
		if err != nil {
			return err
		}
		a, err := d.aside()
		s = a.Push
		return err
	})
	return s, asError(err)
}
