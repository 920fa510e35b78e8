package shim

import (
	"context"

	"mfabridge/cloud"
	"mfabridge/shim/radius"
)

const (
	// clerks are two: while one waits for the engine, the other gathers.
	clerks = 2
	// maxRound is how many logins a clerk takes at once.
	maxRound = 128
)

// clerk takes logins for which nobody but the engine is to be asked, as many as
// wait, through the engine together: one commit, and nobody woken for each. What
// turns out to need more goes on to a worker, as if it had never been here.
type clerk struct {
	s     *Server
	round []entry
	cases []cloud.Case // of each entry of the round, in their order
	out   []byte
}

// entry is one login at a clerk.
type entry struct {
	job     *job
	packet  radius.Packet
	secret  *radius.Secret // nil: not needed yet
	attempt attempt
	want    want
	v       verdict // with want nothing
}

// fate is what becomes of a login at a clerk.
type fate byte

const (
	noReply  fate = iota // its next copy is tried anew
	replied              // and the reply is kept for its copies
	inRound              // it waits for the engine
	passedOn             // a worker has it
)

func newClerk(s *Server) *clerk { return &clerk{s: s, out: make([]byte, 0, radius.MaxLength)} }

// mayShare tells whether a request may be one that needs the engine alone.
func (c *client) mayShare(p radius.Packet) bool {
	if p.Code() != radius.AccessRequest {
		return false
	}
	if _, eap := p.Lookup(radius.EAPMessage); eap > 0 {
		return false
	}
	_, states := p.Lookup(radius.State)
	return states > 0 || c.primary == nil
}

// work is the life of a clerk: rounds until the desk is closed. It takes what is
// there, whatever becomes of it, and never waits for more.
func (c *clerk) work() {
	for j := range c.s.desk {
		c.take(j)
		for range maxRound - 1 {
			next := c.next()
			if next == nil {
				break
			}
			c.take(next)
		}
		c.settle()
	}
}

// next is another login that waits, or nil.
func (c *clerk) next() *job {
	select {
	case j := <-c.s.desk: // nil once it is closed
		return j
	default:
		return nil
	}
}

// take puts a login into the round, if it wants something of the engine.
func (c *clerk) take(j *job) {
	e := entry{job: j}
	c.see(&e, func() fate {
		var ok bool
		if e.packet, ok = c.s.unpack(j); !ok {
			return noReply
		}
		e.secret = j.client.secrets.Get().(*radius.Secret)
		var asked cloud.Case
		var why reason
		if e.attempt, why = readAttempt(e.packet, j.client, e.secret, j.path.from.Addr()); why != "" {
			e.v = deny(why)
		} else {
			e.want, asked, e.v = c.s.logins.share(e.attempt)
		}
		switch e.want {
		case elsewhere:
			return passedOn
		case nothing:
			return c.answer(&e)
		}
		c.round, c.cases = append(c.round, e), append(c.cases, asked)
		return inRound
	})
}

// see does something with a login, and gives it into the hands that are next. A
// fault of ours costs this login and no more.
func (c *clerk) see(e *entry, do func() fate) {
	f := noReply
	defer func() {
		if p := recover(); p != nil {
			c.s.fell(e.job.client, p)
		}
		if f == inRound {
			return
		}
		if e.secret != nil {
			e.job.client.secrets.Put(e.secret)
		}
		if f == passedOn {
			c.s.queue <- e.job
			return
		}
		c.s.giveBack(e.job, f == replied)
	}()
	f = do()
}

// answer answers a login by its verdict.
func (c *clerk) answer(e *entry) fate {
	if !c.s.finish(e.job, e.attempt, e.packet, e.v, e.secret, c.out) {
		return noReply
	}
	return replied
}

// settle ends a round: each login of it is answered, or passed on.
func (c *clerk) settle() {
	if len(c.round) == 0 {
		return
	}
	asked := c.ask()
	for i := range c.round {
		e, k := &c.round[i], &c.cases[i]
		c.see(e, func() fate {
			if !asked {
				return noReply
			}
			if c.s.logins.shared(e, k); e.want == elsewhere {
				return passedOn
			}
			return c.answer(e)
		})
	}
	clear(c.round)
	clear(c.cases)
	c.round, c.cases = c.round[:0], c.cases[:0]
}

// ask has the engine settle the round. It says no after a fault of ours: then
// nobody of the round is answered, and what the engine has decided meets the next
// copy of each request.
func (c *clerk) ask() (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			c.s.fell(c.round[0].job.client, p)
		}
	}()
	ctx, cancel := context.WithTimeout(c.s.calls, c.s.patience)
	defer cancel()
	c.s.settler.Settle(ctx, c.cases)
	return true
}
