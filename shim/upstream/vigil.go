package upstream

import (
	"time"

	"mfabridge/internal/sleep"
	"mfabridge/shim/radius"
)

// signs are how many Status-Server in a row a server has to leave unanswered
// before logins that wait for it are given up: single ones get lost.
const signs = 3

// keepVigil asks a server for a sign of life while logins have waited for it for
// a time without any: they wait for a person, and would wait as long for a server
// that is gone.
func (h *home) keepVigil() {
	o := h.client.opt
	for {
		if sleep.For(h.client.ctx, jitter(o.Vigil)) != nil {
			return
		}
		start := o.Now()
		if len(h.free) == 0 || h.isDown() || h.heardSince(start.Add(-o.Vigil)) {
			continue
		}
		if !h.lives() {
			h.fall(start)
		}
	}
}

func (h *home) lives() bool {
	o := h.client.opt
	for range signs {
		if _, err := h.exchange(h.client.ctx, min(o.Vigil/2, o.soon()), radius.StatusServer, Request{}); err == nil {
			return true
		}
	}
	return false
}

func (h *home) heardSince(at time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last.After(at)
}

// fall ends all that waits for a server that has given no sign of life since
// start; logins that have the time go on to the next one.
func (h *home) fall(start time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed() || h.last.After(start) {
		return
	}
	h.miss(start)
	close(h.fell)
	h.fell = make(chan struct{})
}

// fallen is closed when the server is found dead from now on.
func (h *home) fallen() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fell
}
