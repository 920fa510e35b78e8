package shim

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"mfabridge/shim/radius"
)

// replyLife is how long a reply is kept for retransmissions: RFC 5080 section
// 2.2.2 asks for 5 to 30 seconds.
const replyLife = 30 * time.Second

// leastReplies is how many replies are remembered for each socket; where more
// logins may be at work it is twice their number.
const leastReplies = 1 << 16

// replyRoom is how much of the room for replies each slot brings, in octets: an
// Access-Accept takes half of it, an Access-Challenge a little more.
const replyRoom = 160

// source tells requests of one socket apart, together with what they say.
type source struct {
	from       netip.AddrPort
	identifier byte
}

// ticket is the right to answer a request. It lapses when the same source uses
// the identifier for another request.
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

// slotSource is a source as a slot keeps it. Nothing in a slot points anywhere: there
// are tens of thousands, and whoever collects garbage would look at each.
type slotSource struct {
	address    [16]byte
	zone       uint64 // its hash
	port       uint16
	identifier byte
	four       bool
}

type replySlot struct {
	from       slotSource
	request    uint64 // hash of all of it
	generation uint64 // 0: empty
	expires    int64  // nanoseconds; 0: the request is at work
	at         uint64 // where its reply begins, counted from the first reply ever
	length     int
}

// replyCache holds the replies of one socket for retransmissions (RFC 5080
// section 2.2.2) and knows which requests are at work. It has at most max
// slots, more than there can be requests at work; when all are taken, the next
// in turn that is answered is given up. The replies stand one behind the other
// in a ring, and the oldest are given up when it is full. So nothing is
// allocated once the cache is warm.
type replyCache struct {
	mu         sync.Mutex
	max        int
	slots      []replySlot
	turn       int
	freed      []int32 // slots that were forgotten, and may have been taken since
	seed       maphash.Seed
	index      map[uint64]int32 // slots, by the hash of their source
	generation uint64

	ring []byte // made for the first reply
	end  uint64 // of the replies in it, counted as replySlot.at is
	out  []byte // the reply that begin returned last
}

// newReplyCache makes one of at most size slots, with room for ready of them.
func newReplyCache(size, ready int) *replyCache {
	return &replyCache{max: size, slots: make([]replySlot, 0, ready), seed: maphash.MakeSeed(), index: make(map[uint64]int32)}
}

// slotSource is a source in the form in which slots keep it.
func (c *replyCache) slotSource(s source) slotSource {
	a := s.from.Addr()
	p := slotSource{address: a.As16(), port: s.from.Port(), identifier: s.identifier, four: a.Is4()}
	if zone := a.Zone(); zone != "" {
		p.zone = maphash.String(c.seed, zone)
	}
	return p
}

// keep puts a reply into the ring.
func (c *replyCache) keep(reply []byte) (at uint64) {
	if c.ring == nil {
		c.ring = make([]byte, max(c.max*replyRoom, 4*radius.MaxLength))
	}
	room := uint64(len(c.ring))
	if rest := room - c.end%room; rest < uint64(len(reply)) {
		c.end += rest // none is in two parts
	}
	at = c.end
	copy(c.ring[at%room:], reply)
	c.end += uint64(len(reply))
	return at
}

// kept returns a copy of a slot's reply, unless later ones have taken its room.
func (c *replyCache) kept(s *replySlot) (reply []byte, ok bool) {
	room := uint64(len(c.ring))
	if c.end-s.at > room {
		return nil, false
	}
	begin := s.at % room
	c.out = append(c.out[:0], c.ring[begin:begin+uint64(s.length)]...)
	return c.out, true
}

// begin says what a request is. A copy has the very same bytes: where only the
// authenticator is the same, as of a client whose random numbers repeat, somebody
// else may be asking. The reply is valid until the next call of begin; only the
// loop of the socket calls it.
func (c *replyCache) begin(from source, request []byte, now time.Time) (repeat, []byte, ticket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	where := c.slotSource(from)
	name, sum := maphash.Comparable(c.seed, where), maphash.Bytes(c.seed, request)
	at, found := c.index[name]
	if found = found && c.slots[at].from == where; found {
		s := &c.slots[at]
		same := s.request == sum
		switch {
		case same && s.expires == 0:
			return working, nil, ticket{}
		case same && now.UnixNano() < s.expires:
			if reply, ok := c.kept(s); ok {
				return answered, reply, ticket{}
			}
		}
	} else {
		at = c.take()
		c.index[name] = at // of two sources with one hash the later is known
	}
	c.generation++
	c.slots[at] = replySlot{from: where, request: sum, generation: c.generation}
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
	if c.slots[at].generation != 0 {
		c.drop(int32(at))
	}
	return int32(at)
}

// drop takes a slot out of the index, unless another source stands there.
func (c *replyCache) drop(slot int32) {
	name := maphash.Comparable(c.seed, c.slots[slot].from)
	if at, ok := c.index[name]; ok && at == slot {
		delete(c.index, name)
	}
}

// working tells whether a request holds the slot and waits for its answer.
func (s *replySlot) working() bool { return s.generation != 0 && s.expires == 0 }

// complete keeps a copy of the reply. It says no if the ticket has lapsed: then
// the reply must not go out.
func (c *replyCache) complete(t ticket, reply []byte, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.slots[t.slot]
	if s.generation != t.generation {
		return false
	}
	s.at, s.length = c.keep(reply), len(reply)
	s.expires = now.Add(replyLife).UnixNano()
	return true
}

// forget makes the next copy of the request a fresh one: this one gets no
// answer.
func (c *replyCache) forget(t ticket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := &c.slots[t.slot]; s.generation == t.generation {
		c.drop(t.slot)
		s.generation = 0
		c.freed = append(c.freed, t.slot)
	}
}
