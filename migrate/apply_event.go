package migrate

import (
	"time"
)

// Event is something that happened to a run of apply, other than a change: a
// [BatchEvent], [ThrottleEvent], [PauseEvent], [WaveEvent] or [GateEvent].
type Event interface{ event() }

// BatchEvent tells of a batch whose results are durable.
type BatchEvent struct {
	Wave    string // empty: the run does not go by waves, or these users are in none
	Users   int    // settled by this batch
	Changes int    // sent to the target, each once however often it was tried

	Done, Failed, Stale, Total int // users so far, as in [ApplyResult]
}

// ThrottleEvent tells that the target could not serve a call just then, and
// what the run does about it.
type ThrottleEvent struct {
	Cause       error
	Wait        time.Duration
	Batch       int     // most changes in one Write from now on
	Concurrency int     // most Writes at a time from now on
	Rate        float64 // changes a second from now on; 0: not limited
}

// PauseEvent tells that a run waits for the operator, or goes on.
type PauseEvent struct {
	Paused bool
	Reason string // a word: "signal"
}

// WaveEvent tells that a wave begins or is at its end.
type WaveEvent struct {
	Wave  string // empty: the users of none
	State string // "begin", "end"
	Users int    // with changes

	Done, Failed, Stale int // with "end"
}

// GateEvent tells what the gate between two waves said.
type GateEvent struct {
	Wave, Next string
	Passed     bool
	Exit       int // of the gate's program; -1: it did not end by itself
}

func (BatchEvent) event()    {}
func (ThrottleEvent) event() {}
func (PauseEvent) event()    {}
func (WaveEvent) event()     {}
func (GateEvent) event()     {}

// Happened writes an event of a run as one line, and hands it on at once:
// whoever follows a run wants to know that it waits.
func (r *Report) Happened(e Event) error {
	if err := r.line(eventForm(e)); err != nil {
		return err
	}
	return r.Flush()
}

func eventForm(e Event) any {
	switch e := e.(type) {
	case BatchEvent:
		return struct {
			Type    string         `json:"type"`
			Wave    string         `json:"wave"`
			Users   int            `json:"users"`
			Changes int            `json:"changes"`
			SoFar   map[string]int `json:"so_far"`
		}{"batch", e.Wave, e.Users, e.Changes, map[string]int{"done": e.Done, "failed": e.Failed, "stale": e.Stale, "total": e.Total}}
	case ThrottleEvent:
		_, why := describe(e.Cause)
		return struct {
			Type        string  `json:"type"`
			Error       string  `json:"error"`
			Wait        float64 `json:"wait_seconds"`
			Batch       int     `json:"batch"`
			Concurrency int     `json:"concurrency"`
			Rate        float64 `json:"rate"`
		}{"throttle", why, e.Wait.Seconds(), e.Batch, e.Concurrency, e.Rate}
	case PauseEvent:
		return struct {
			Type   string `json:"type"`
			Paused bool   `json:"paused"`
			Reason string `json:"reason"`
		}{"pause", e.Paused, e.Reason}
	case WaveEvent:
		return struct {
			Type   string `json:"type"`
			Wave   string `json:"wave"`
			State  string `json:"state"`
			Users  int    `json:"users"`
			Done   int    `json:"done"`
			Failed int    `json:"failed"`
			Stale  int    `json:"stale"`
		}{"wave", e.Wave, e.State, e.Users, e.Done, e.Failed, e.Stale}
	case GateEvent:
		return struct {
			Type   string `json:"type"`
			Wave   string `json:"wave"`
			Next   string `json:"next"`
			Passed bool   `json:"passed"`
			Exit   int    `json:"exit"`
		}{"gate", e.Wave, e.Next, e.Passed, e.Exit}
	}
	return nil
}
