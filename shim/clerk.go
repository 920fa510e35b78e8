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
	cases []cloud.Case // of those that are ready, in their order
	out   []byte
}

// entry is one login of a round.
type entry struct {
	job     *job
	packet  radius.Packet
	secret  *radius.Secret
	attempt attempt
	want    want
	v       verdict // with want nothing
}

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

// work is the life of a clerk: rounds until the desk is closed.
func (c *clerk) work() {
	for j := range c.s.desk {
		c.take(j)
		for more := true; more && len(c.round) < maxRound; {
			select {
			case j, more = <-c.s.desk:
				if more {
					c.take(j)
				}
			default:
				more = false
			}
		}
		c.settle()
	}
}

// take puts a login into the round, or hands it on.
func (c *clerk) take(j *job) {
	taken := false
	defer func() {
		if p := recover(); p != nil {
			c.s.fell(j.client, p)
		}
		if !taken {
			c.s.giveBack(j, false)
		}
	}()
	p, ok := c.s.unpack(j)
	if !ok {
		return
	}
	e := entry{job: j, packet: p, secret: j.client.secrets.Get().(*radius.Secret)}
	var asked cloud.Case
	a, why := readAttempt(p, j.client, e.secret, j.path.from.Addr())
	if why != "" {
		e.v = deny(why)
	} else {
		e.want, asked, e.v = c.s.logins.share(a)
	}
	e.attempt, taken = a, true
	switch e.want {
	case elsewhere:
		c.handOn(&e)
		return
	case nothing:
	default:
		c.cases = append(c.cases, asked)
	}
	c.round = append(c.round, e)
}

// handOn gives a login to the workers.
func (c *clerk) handOn(e *entry) {
	e.job.client.secrets.Put(e.secret)
	c.s.queue <- e.job
}

// settle ends a round.
func (c *clerk) settle() {
	asked, next := c.ask(), 0
	for i := range c.round {
		var k *cloud.Case
		if c.round[i].want != nothing {
			k = &c.cases[next]
			next++
		}
		c.end(&c.round[i], k, asked)
	}
	clear(c.round)
	clear(c.cases)
	c.round, c.cases = c.round[:0], c.cases[:0]
}

// ask has the engine settle what it is wanted for. It says no after a fault of
// ours: then nobody of the round is answered.
func (c *clerk) ask() (ok bool) {
	if len(c.cases) == 0 {
		return true
	}
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

// end answers one login of a round, or hands it on.
func (c *clerk) end(e *entry, k *cloud.Case, asked bool) {
	replied, gone := false, false
	defer func() {
		if p := recover(); p != nil {
			c.s.fell(e.job.client, p)
		}
		if !gone {
			e.job.client.secrets.Put(e.secret)
			c.s.giveBack(e.job, replied)
		}
	}()
	if k != nil {
		if !asked {
			return
		}
		if c.s.logins.shared(e, k); e.want == elsewhere {
			gone = true
			c.handOn(e)
			return
		}
	}
	replied = c.s.finish(e.job, e.attempt, e.packet, e.v, e.secret, c.out)
}
