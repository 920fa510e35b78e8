package upstream

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
)

// What comes in before its request has gone out is nobody's answer, and of two
// right answers the first counts.
func TestAnswersBeforeAndAfterTheirTime(t *testing.T) {
	value := secret.FromString("correct horse battery")
	c, err := New(Options{Homes: []Home{{Address: "home0:1812", Secret: value}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h, s, w, key := c.homes[0], new(socket), &call{reply: make(chan Reply, 1)}, radius.NewSecret(value.Reveal())
	s.take(w)
	early := radius.NewRequest(nil, radius.AccessRequest, w.identifier, [16]byte{1})
	datagram, err := key.SealRequest(&early)
	if err != nil {
		t.Fatal(err)
	}
	request, err := radius.Parse(datagram)
	if err != nil {
		t.Fatal(err)
	}
	b := radius.NewReply(nil, radius.AccessAccept, request)
	reply, err := key.SealReply(&b, request)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.accept(s, key, reply); !errors.Is(err, errUnwanted) {
		t.Errorf("before the request: %v", err)
	}
	w.ready(request)
	if err := h.accept(s, key, reply); err != nil {
		t.Errorf("the answer: %v", err)
	}
	if err := h.accept(s, key, reply); !errors.Is(err, errUnwanted) {
		t.Errorf("the same again: %v", err)
	}
	if got := c.Counters()[0]; len(w.reply) != 1 || got.Answered != 1 || got.Unsigned != 0 {
		t.Errorf("%d answers, counted %+v", len(w.reply), got)
	}
}

// tellsSlowly takes its time to tell the other side that it ends.
type tellsSlowly struct {
	net.Conn
	told chan struct{}
}

func (c tellsSlowly) Close() error {
	<-c.told
	return nil
}

// A connection that takes nothing any more holds nobody up while it is closed.
func TestClosingHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told, left := make(chan struct{}), false
		s := &socket{conn: tellsSlowly{told: told}, stream: &streamConn{lost: make(chan struct{})}}
		go func() {
			s.retire()
			left = true
		}()
		synctest.Wait()
		if !left {
			t.Error("who retires it waits until the other side knows")
		}
		close(told)
	})
}
