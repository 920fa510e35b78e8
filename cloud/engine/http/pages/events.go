package pages

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"mfabridge/cloud/engine/http/serve"
	"mfabridge/cloud/engine/http/wire"
)

// How long a stream lasts at most, how often at least it is looked at without a
// signal and says that it stands, and how long a device may take to read an
// event. When that is differs for each: thousands that come at a time after a
// restart would else do all of it at a time, over and over.
const (
	streamLife = 5 * time.Minute
	beatEvery  = 25 * time.Second
	writeLimit = 10 * time.Second
)

// Names of events.
const (
	eventPushes = "pushes"
	eventGone   = "gone"
	eventTest   = "test"
)

// events tells a device what waits for it, and what has gone, as it happens.
// Each look at what waits is also one at the device: one that was removed hears
// nothing more. Test events are passed on without a look at anything.
func (f *Face) events(w http.ResponseWriter, r *http.Request) error {
	caller := serve.CallerOf(r.Context())
	ear, err := f.core.Attend(r.Context(), caller.User, caller.Device)
	if err != nil {
		return err
	}
	defer ear.Leave()
	now, err := f.waiting(r.Context(), caller)
	if err != nil {
		return err
	}
	s := stream{w}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if !s.send(eventPushes, now) {
		return nil
	}
	beat, end := time.NewTimer(rand.N(beatEvery)), time.NewTimer(streamLife-rand.N(streamLife/4))
	defer beat.Stop()
	defer end.Stop()
	for {
		quiet := false
		select {
		case <-ear.Rung():
			pushes, tests := ear.Heard()
			if !s.tests(tests) {
				return nil
			}
			if !pushes {
				continue
			}
		case <-beat.C:
			beat.Reset(beatEvery)
			quiet = true
		case <-end.C:
			return nil
		case <-f.ended:
			return nil
		case <-r.Context().Done():
			return nil
		}
		before := now
		if now, err = f.waiting(r.Context(), caller); err != nil {
			return nil // the device hears why when it comes back
		}
		switch {
		case now.Version != before.Version:
			if !f.gone(r, &s, before, now) || !s.send(eventPushes, now) {
				return nil
			}
		case quiet && !s.write(":\n\n"):
			return nil
		}
	}
}

// gone tells what has gone since before; false: nobody listens any more.
func (f *Face) gone(r *http.Request, s *stream, before, now wire.PushesAnswer) bool {
	caller := serve.CallerOf(r.Context())
	for _, p := range before.Pushes {
		if slices.ContainsFunc(now.Pushes, func(q wire.Push) bool { return q.Challenge == p.Challenge }) {
			continue
		}
		state, reason, err := f.core.Fate(r.Context(), caller.User, p.Challenge)
		if err != nil || !s.send(eventGone, wire.Gone{Challenge: p.Challenge, State: state, Reason: reason}) {
			return false
		}
	}
	return true
}

// stream writes events (HTML standard §9.2.6).
type stream struct{ w http.ResponseWriter }

func (s *stream) send(event string, data any) bool {
	text, _ := json.Marshal(data) // our own struct of texts
	return s.write(fmt.Sprintf("event: %s\ndata: %s\n\n", event, text))
}

// tests sends test events; false: nobody listens any more.
func (s *stream) tests(names []string) bool {
	for _, name := range names {
		if !s.send(eventTest, wire.Tested{ID: name}) {
			return false
		}
	}
	return true
}

func (s *stream) write(text string) bool { return serve.Send(s.w, []byte(text), writeLimit) }
