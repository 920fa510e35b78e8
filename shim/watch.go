package shim

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/internal/sleep"
	"mfabridge/shim/radius"
)

// How logins that wait hear of their verdicts.
const (
	lookEvery = 2 * time.Second // where the stream tells nothing
	lookAt    = 500             // challenges at once
	listenOff = time.Second     // between two streams
)

// hold has a request wait for a verdict that a person is to reach. Nothing of
// its password is kept. It is looked at once it is in the table: a verdict that
// was reached before came by a stream that had nobody to tell.
func (s *Server) hold(j *job, a attempt, p radius.Packet, v verdict) bool {
	g := &leg{job: *j, who: a, held: *v.held, deadline: j.at.Add(j.client.Hold)}
	g.job.packet = stub(p)
	g.who.password, g.who.state, g.who.packet = secret.Bytes{}, nil, radius.Packet{}
	if !s.waiting.add(g) {
		return false
	}
	for _, wake := range []chan struct{}{s.wakeListen, s.wakeTimes, s.wakeLook} {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	s.lookUp([]cloud.ChallengeID{v.held.challenge})
	return true
}

// stub is a request without everything that its answer does not need: above all
// without the hidden password.
func stub(p radius.Packet) []byte {
	b := bytes.Clone(p.Bytes()[:radius.HeaderLength])
	for kind, value := range p.Attributes() {
		if kind != radius.ProxyState {
			continue
		}
		if longer, err := radius.AppendAttribute(b, kind, value); err == nil {
			b = longer
		}
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// listen reads the one stream of decisions. It is opened when the first login
// waits. A stream that broke may have lost verdicts, so all that wait are
// looked at once the next one stands.
func (s *Server) listen() {
	if !s.woken(s.wakeListen) {
		return
	}
	for s.calls.Err() == nil {
		stream := s.logins.verifier.Decisions(s.calls)
		s.lookAll()
		for d, err := range stream {
			if err != nil {
				if s.calls.Err() == nil { // else it was to end
					s.log.Warn("stream of decisions broke", "err", err)
				}
				break
			}
			s.settle(d)
		}
		_ = sleep.For(s.calls, listenOff) // where the server ends the loop does, too
	}
}

// look asks for verdicts that the stream did not bring, a bounded number at a
// time.
func (s *Server) look() {
	for s.woken(s.wakeLook) {
		for waits, _ := s.waiting.size(); waits > 0; waits, _ = s.waiting.size() {
			if sleep.For(s.calls, lookEvery) != nil {
				return
			}
			s.lookUp(s.waiting.next(lookAt))
		}
	}
}

// lookAll looks at all that wait.
func (s *Server) lookAll() {
	_, n := s.waiting.size()
	for ; n > 0; n -= lookAt {
		s.lookUp(s.waiting.next(min(n, lookAt)))
	}
}

// lookUp looks where challenges stand, and settles those that have a verdict.
func (s *Server) lookUp(ids []cloud.ChallengeID) {
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(s.calls, s.patience)
	defer cancel()
	ds, err := s.logins.verifier.Look(ctx, ids)
	s.blind.Store(err != nil)
	if err != nil {
		s.log.Warn("logins that wait cannot be looked at", "challenges", len(ids), "err", err)
		return
	}
	for _, d := range ds {
		s.settle(d)
	}
}

// settle answers all legs of a challenge that has its verdict.
func (s *Server) settle(d cloud.Decision) {
	if d.State == cloud.Pending {
		return
	}
	for _, g := range s.waiting.take(d.Challenge) {
		v := s.logins.settled(g.who, &g.held, d)
		if mayFallBack(v.reason) && s.again(g, v.reason) {
			continue
		}
		s.release(g, v)
	}
}

// times answers legs whose time is over.
func (s *Server) times() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		over, next := s.waiting.due(s.now())
		for _, g := range over {
			s.expire(g)
		}
		if !next.IsZero() {
			timer.Reset(max(0, next.Sub(s.now())))
		}
		select {
		case <-s.calls.Done():
			return
		case <-s.wakeTimes:
		case <-timer.C:
		}
	}
}

// expire ends a leg that nobody has answered in time: that is a decision, if
// the engine can be asked at all, and whoever it has ask people is there.
func (s *Server) expire(g *leg) {
	v := deny(reason(cloud.TimedOut))
	err := s.logins.outage(g.held.challenge)
	if s.blind.Load() {
		err = &cloud.Error{Kind: cloud.Unavailable, Message: "the engine could not be asked while the login waited"}
	}
	switch {
	case err != nil:
		v = fault(g.who.client, err, challengeUnknown)
	case s.again(g, v.reason):
		return
	}
	v.method, v.challenge, v.person = g.held.method, g.held.challenge, g.held.proof.Name
	s.release(g, v)
}

// again hands a leg to the workers, which may ask the engine for another way.
// It says no if the client wants none, or all workers have all that they may
// have.
func (s *Server) again(g *leg, why reason) bool {
	if !g.who.client.FallbackOATH {
		return false
	}
	s.mu.Lock() // Shutdown closes the queue
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	select {
	case j := <-s.free:
		g.why = why
		packet := append(j.packet[:0], g.job.packet...)
		*j = g.job
		j.packet, j.waited = packet, g
		s.queue <- j
		s.waiting.answered()
		return true
	default:
		return false
	}
}

// release answers a leg that has left the table.
func (s *Server) release(g *leg, v verdict) {
	replied := false
	defer func() {
		if p := recover(); p != nil {
			s.fell(g.job.client, p)
		}
		if !replied {
			g.job.loop.cache.forget(g.job.ticket)
		}
		s.waiting.answered()
	}()
	p, err := radius.Parse(g.job.packet)
	if err != nil {
		s.count.dropped[malformed].Add(1)
		return
	}
	secret := g.job.client.secrets.Get().(*radius.Secret)
	defer g.job.client.secrets.Put(secret)
	replied = s.finish(&g.job, g.who, p, v, secret, make([]byte, 0, radius.MaxLength))
}

// woken waits for a wake-up; false: the server ends.
func (s *Server) woken(wake chan struct{}) bool {
	select {
	case <-wake:
		return true
	case <-s.calls.Done():
		return false
	}
}
