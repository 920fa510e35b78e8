package shim

import (
	"net/netip"
	"sync"
	"time"
)

// replyLife is how long a reply is kept for retransmissions: RFC 5080 section
// 2.2.2 asks for 5 to 30 seconds.
const replyLife = 30 * time.Second

// keptCapacity is the largest buffer that a slot keeps for its next reply.
const keptCapacity = 1024

// source tells requests of one socket apart, together with the authenticator.
type source struct {
	from       netip.AddrPort
	identifier byte
}

// ticket is the right to answer a request. It lapses when the same source uses
// the identifier with another authenticator.
type ticket struct {
	slot       int32
	generation uint64
}

// repeat is what a request is to the reply cache.
type repeat int

const (
	fresh    repeat = iota // not seen before: a ticket comes with it
	working                // its first copy is at work
	answered               // its reply is there
)

type replySlot struct {
	source        source
	authenticator [16]byte
	generation    uint64 // 0: empty
	done          bool
	expires       time.Time
	reply         []byte
}

// replyCache holds the replies of one socket for retransmissions (RFC 5080
// section 2.2.2) and knows which requests are at work. It has at most max
// slots, more than there can be requests at work; when all are taken, the next
// in turn that is answered is given up. A slot's buffer is
// used again, so that the cache stops allocating once it is warm.
type replyCache struct {
	mu         sync.Mutex
	max        int
	slots      []replySlot
	turn       int
	freed      []int32 // slots that were forgotten, and may have been taken since
	index      map[source]int32
	generation uint64
}

func newReplyCache(size int) *replyCache {
	return &replyCache{max: size, slots: make([]replySlot, 0, size), index: make(map[source]int32)}
}

// begin says what a request is. The reply is valid until the next call of
// begin; only the loop of the socket calls it.
func (c *replyCache) begin(from source, authenticator []byte, now time.Time) (repeat, []byte, ticket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, found := c.index[from]
	if found {
		s := &c.slots[at]
		same := s.authenticator == [16]byte(authenticator)
		switch {
		case same && !s.done:
			return working, nil, ticket{}
		case same && now.Before(s.expires):
			return answered, s.reply, ticket{}
		}
	} else {
		at = c.take()
		c.index[from] = at
	}
	c.generation++
	s := &c.slots[at]
	buffer := s.reply[:0]
	if cap(buffer) > keptCapacity {
		buffer = nil
	}
	*s = replySlot{source: from, authenticator: [16]byte(authenticator), generation: c.generation, reply: buffer}
	return fresh, nil, ticket{slot: at, generation: c.generation}
}

// take returns a slot that nothing points to.
func (c *replyCache) take() int32 {
	for len(c.freed) > 0 {
		at := c.freed[len(c.freed)-1]
		c.freed = c.freed[:len(c.freed)-1]
		if c.slots[at].generation == 0 {
			return at
		}
	}
	if len(c.slots) < c.max {
		c.slots = append(c.slots, replySlot{})
		return int32(len(c.slots) - 1)
	}
	at := c.turn
	for c.slots[at].working() {
		at = (at + 1) % c.max // ends: fewer requests are at work than there are slots
	}
	c.turn = (at + 1) % c.max
	if s := &c.slots[at]; s.generation != 0 {
		delete(c.index, s.source)
	}
	return int32(at)
}

// working tells whether a request holds the slot and waits for its answer.
func (s *replySlot) working() bool { return s.generation != 0 && !s.done }

// complete keeps a copy of the reply. It says no if the ticket has lapsed: then
// the reply must not go out.
func (c *replyCache) complete(t ticket, reply []byte, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.slots[t.slot]
	if s.generation != t.generation {
		return false
	}
	s.reply = append(s.reply[:0], reply...)
	s.done, s.expires = true, now.Add(replyLife)
	return true
}

// forget makes the next copy of the request a fresh one: this one gets no
// answer.
func (c *replyCache) forget(t ticket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := &c.slots[t.slot]; s.generation == t.generation {
		delete(c.index, s.source)
		s.generation = 0
		c.freed = append(c.freed, t.slot)
	}
}
