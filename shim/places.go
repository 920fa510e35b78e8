package shim

import (
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// A first factor that is slow or gone must not take all workers, which logins
// with another first factor need as well. So where clients differ in it, one
// primary has at most three quarters of them at a time, and what comes beyond
// is dropped, for its client to send again.

// share divides workers between the primaries of a table. The engine has no
// bound of its own: nobody gets in without it. Where all clients have one
// primary there is nobody to keep workers for.
func (t *clientTable) share(workers int) {
	all := make(map[*client]bool)
	ways := make(map[string]chan struct{})
	for _, c := range t.owner {
		all[c], ways[c.Primary] = true, nil
	}
	for _, c := range t.holders {
		all[c], ways[c.Primary] = true, nil
	}
	if len(ways) < 2 {
		return
	}
	for name := range ways {
		if name != config.None && name != config.Native {
			ways[name] = make(chan struct{}, max(1, workers*3/4))
		}
	}
	for c := range all {
		c.places = ways[c.Primary]
	}
}

// asksPrimary tells whether a request may need its client's primary. The code
// behind a challenge of ours does not.
func asksPrimary(p radius.Packet) bool {
	_, states := p.Lookup(radius.State)
	_, eap := p.Lookup(radius.EAPMessage)
	return states == 0 || eap > 0
}

// enter takes one of the places of the client's primary; it says no if there
// is none left. Whoever got one calls leave.
func (c *client) enter() bool {
	if c.places == nil {
		return true
	}
	select {
	case c.places <- struct{}{}:
		return true
	default:
		return false
	}
}

func (c *client) leave() {
	if c.places != nil {
		<-c.places
	}
}
