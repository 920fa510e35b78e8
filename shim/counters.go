package shim

import (
	"maps"
	"sync"
	"sync/atomic"
)

// drop says why a packet was dropped before it became a login. The words are
// those of logs and metrics.
type drop int

const (
	unknownClient drop = iota
	malformed
	unexpectedCode
	noMessageAuthenticator
	wrongMessageAuthenticator
	unsignedProxyState        // without Message-Authenticator, from a client that is observed
	unsignedEAP               // RFC 3579 section 3.1
	wrongRequestAuthenticator // accounting
	accountNotTaken           // it was not safe in time
	overload
	primaryBusy // all workers that its primary may have are at work
	readFailed
	sendFailed
	engineAway  // Status-Server only
	primaryAway // Status-Server only
	drops       // how many there are
)

func (d drop) String() string {
	return [drops]string{"unknown_client", "malformed", "unexpected_code", "no_message_authenticator",
		"wrong_message_authenticator", "unsigned_proxy_state", "unsigned_eap", "wrong_request_authenticator", "account_not_taken", "overload", "primary_busy", "read_failed", "send_failed", "engine_away", "primary_away"}[d]
}

// Counters is what a Server has done since it was made.
type Counters struct {
	Received     uint64 // datagrams
	StatusServer uint64 // answered
	Repeated     uint64 // retransmissions answered from the reply cache
	InFlight     uint64 // retransmissions dropped while the first is at work
	Superseded   uint64 // answers that did not go out, because the identifier had been used anew
	Accounted    uint64 // Accounting-Requests that were taken and answered
	Panics       uint64 // faults of ours; the request was dropped
	Waiting      int    // logins that wait for a push or call just now

	Dropped map[string]uint64 // datagrams that did not become a login, by reason
	Logins  map[string]uint64 // by outcome: accept, challenge, reject, silent
	Reasons map[string]uint64 // of reject and silent
	Spared  map[string]uint64 // accepted without a second factor, by what stood in for it
}

// counters are written by loops and workers.
type counters struct {
	received, statusServer, repeated, inFlight, superseded, accounted, panics atomic.Uint64

	dropped [drops]atomic.Uint64

	mu      sync.Mutex
	logins  map[string]uint64
	reasons map[string]uint64
	spared  map[string]uint64
}

func newCounters() *counters {
	return &counters{logins: make(map[string]uint64), reasons: make(map[string]uint64), spared: make(map[string]uint64)}
}

func (c *counters) login(v verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logins[v.outcome()]++
	if v.reason != "" {
		c.reasons[string(v.reason)]++
	}
	if v.by != "" {
		c.spared[string(v.by)]++
	}
}

func (c *counters) snapshot() Counters {
	out := Counters{
		Received: c.received.Load(), StatusServer: c.statusServer.Load(), Repeated: c.repeated.Load(),
		InFlight: c.inFlight.Load(), Superseded: c.superseded.Load(), Panics: c.panics.Load(), Accounted: c.accounted.Load(),
		Dropped: make(map[string]uint64, drops),
	}
	for d := range drops {
		out.Dropped[d.String()] = c.dropped[d].Load()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out.Logins, out.Reasons, out.Spared = maps.Clone(c.logins), maps.Clone(c.reasons), maps.Clone(c.spared)
	return out
}
