package shim

import (
	"time"

	"mfabridge/shim/radius"
)

const (
	pinLife   = 60 * time.Second // between two packets of a conversation
	maxRounds = 64               // challenges of one conversation; a long chain of certificates takes about 15
)

// pin is what is known of a conversation that a home server's State names.
type pin struct {
	server string
	method radius.EAPType // that the home server speaks
	rounds int
}

// pins remember which home server a State is of. The State itself passes
// unchanged; who brings one that was not given to this client for this user
// gets nowhere. They are this node's: a client stays with one server for a
// conversation (RFC 3579 section 2.6.1), and begins anew elsewhere.
//
// Nothing else could say it there. The State has no room, since it passes as it
// is. To guess the home server would leave it unbound: a client could prove one
// person by it and name another. And a [cloud.Noticeboard] is one durable write
// for each of the ten rounds of a login, for hints on which no verdict rests.
type pins struct {
	key  *macKey
	kept *recent[pin]
}

func newPins(key *macKey) *pins { return &pins{key: key, kept: newRecent[pin]()} }

func (p *pins) mark(a attempt, state []byte) mark {
	return mark(mac(p.key, "upstream state", a.client.Name, a.user, string(state)))
}

// find returns what is known of the State of a request.
func (p *pins) find(a attempt, now time.Time) (pin, bool) {
	return p.kept.find(p.mark(a, a.state), now)
}

// put remembers a State that is about to go to a client.
func (p *pins) put(a attempt, state []byte, what pin, now time.Time) {
	p.kept.put(p.mark(a, state), what, now.Add(pinLife))
}
