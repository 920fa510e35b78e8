package shim

import (
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// bulkhead divides workers between the primaries of a table. A first factor that
// is slow or gone must not take all of them, which logins with another first
// factor need as well. So where clients differ in it, one primary has at most
// three quarters at a time, and what comes beyond is dropped, for its client to
// send again. The engine has no bound of its own: nobody gets in without it.
// Where all clients have one primary there is nobody to keep workers for.
func (t *clientTable) bulkhead(workers int) {
	all := make(map[*client]bool)
	atWork := make(map[string]chan struct{})
	for _, c := range t.owner {
		all[c], atWork[c.Primary] = true, nil
	}
	for _, c := range t.holders {
		all[c], atWork[c.Primary] = true, nil
	}
	if len(atWork) < 2 {
		return
	}
	for name := range atWork {
		if name != config.None && name != config.Native {
			atWork[name] = make(chan struct{}, max(1, workers*3/4))
		}
	}
	for c := range all {
		c.atPrimary = atWork[c.Primary]
	}
}

// asksPrimary tells whether a request may need its client's primary. The code
// behind a challenge of ours does not.
func asksPrimary(p radius.Packet) bool {
	_, states := p.Lookup(radius.State)
	_, eap := p.Lookup(radius.EAPMessage)
	return states == 0 || eap > 0
}

// enter counts a worker as one at the client's primary; it says no if there are
// as many as may be. Whoever was counted calls leave.
func (c *client) enter() bool {
	if c.atPrimary == nil {
		return true
	}
	select {
	case c.atPrimary <- struct{}{}:
		return true
	default:
		return false
	}
}

func (c *client) leave() {
	if c.atPrimary != nil {
		<-c.atPrimary
	}
}
