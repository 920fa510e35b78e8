package shim

import (
	"errors"
	"net"
	"time"
)

// ErrRetired is what Serve returns for a socket after [Server.Retire].
var ErrRetired = errors.New("shim: socket is no longer served")

// Retire stops reading from a socket that is being served, and closes it once
// the logins that were read from it are answered, as after Shutdown.
func (s *Server) Retire(pc net.PacketConn) error {
	s.mu.Lock()
	_, served := s.conns[pc]
	if served && !s.closing {
		if s.retired == nil {
			s.retired = make(map[endpoint]struct{})
		}
		s.retired[pc] = struct{}{}
	}
	s.mu.Unlock()
	if !served {
		return pc.Close()
	}
	return pc.SetReadDeadline(time.Unix(1, 0))
}

func (s *Server) isRetired(pc endpoint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, retired := s.retired[pc]
	return retired
}

// retireLook is how often a retired socket is looked at.
const retireLook = 100 * time.Millisecond

// bury closes a retired socket once nothing that was read from it is at work.
func (s *Server) bury(l *loop) {
	tick := time.NewTicker(retireLook)
	defer tick.Stop()
	for l.cache.atWork() {
		select {
		case <-tick.C:
		case <-s.calls.Done(): // Shutdown closes it
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return // so it does here, once all is answered
	}
	delete(s.conns, l.pc)
	delete(s.retired, l.pc)
	_ = l.pc.Close() // it has no more to say
}

// atWork tells whether a request is at work.
func (c *replyCache) atWork() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.slots {
		if c.slots[i].working() {
			return true
		}
	}
	return false
}
