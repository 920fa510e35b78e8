package session

import (
	"sync"
	"time"

	"mfabridge/cloud"
)

// challenge is one second factor being asked for.
type challenge struct {
	id      cloud.ChallengeID
	user    cloud.UserID
	key     string // in byKey; empty: not repeatable
	login   string // in pushes; empty: not a push
	context []byte
	client  cloud.Client
	proven  bool // who it is was proven, and not only typed

	begun chan struct{} // closed once the service has answered Begin, or failed
	err   error         // it failed

	// turn guards the service's session: it is asked by one at a time.
	turn   sync.Mutex
	handle any

	// Guarded by the mutex of the verifier.
	state   cloud.State
	reason  cloud.Reason
	method  cloud.Preference
	prompt  string
	number  string
	tries   int
	expires time.Time
	decided time.Time
	answers map[string]recorded // by Answer.Key

	bother *bother // nil: nobody was asked by push or call

	again time.Duration // how often the service is asked; 0: never
	due   time.Time     // when something is to be done
	index int           // in the queue; -1: not in it
}

// recorded is the decision on one answer.
type recorded struct {
	decision cloud.Decision
	at       time.Time
}

// within tells whether something of then still counts now: not before it
// happened, after a clock was set back.
func within(now, then time.Time, window time.Duration) bool {
	age := now.Sub(then)
	return age >= 0 && age <= window
}

// show is the challenge as its caller sees it.
func (c *challenge) show() cloud.Challenge {
	return cloud.Challenge{ID: c.id, User: c.user, State: c.state, Reason: c.reason, Method: c.method, Prompt: c.prompt, Number: c.number, ExpiresAt: c.expires}
}

// decision is where the challenge stands.
func (c *challenge) decision() cloud.Decision {
	d := cloud.Decision{Challenge: c.id, User: c.user, State: c.state, Reason: c.reason, Method: c.method, Context: c.context, At: c.decided}
	if c.state == cloud.Pending {
		d.TriesLeft = c.tries
	}
	return d
}

// expire ends a challenge whose time is over.
func (v *Verifier) expire(c *challenge, now time.Time) {
	if c.state == cloud.Pending && !now.Before(c.expires) {
		v.decide(c, cloud.Expired, cloud.TimedOut, now)
	}
}

// decide records the verdict and tells everybody who listens.
func (v *Verifier) decide(c *challenge, state cloud.State, reason cloud.Reason, now time.Time) {
	c.state, c.reason, c.decided, c.again = state, reason, now, 0
	if v.pushes[c.login] == c {
		delete(v.pushes, c.login)
	}
	if state == cloud.Approved || state == cloud.Expired && v.away(c) != nil {
		v.bothers.end(c.bother)
	}
	v.enqueue(c, now.Add(keepDecided))
	for f := range v.feeds {
		f.tell(c.decision())
	}
}

// forget drops a challenge.
func (v *Verifier) forget(c *challenge) {
	delete(v.byID, c.id)
	if v.byKey[c.key] == c {
		delete(v.byKey, c.key)
	}
	if v.pushes[c.login] == c {
		delete(v.pushes, c.login)
	}
	v.dequeue(c)
}
