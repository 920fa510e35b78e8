package ldapconn

import (
	"net"
	"testing"
	"time"
)

// endless is a server that never stops answering.
type endless struct{ net.Conn }

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// What a server says within one answer is bounded.
func TestEndlessAnswerEnds(t *testing.T) {
	c := &counted{Conn: endless{}}
	c.left.Store(1000)
	read := 0
	for b := make([]byte, 64); read < 10_000; {
		n, err := c.Read(b)
		read += n
		if err != nil {
			break
		}
	}
	if read < 1000 || read > 1064 {
		t.Errorf("%d bytes were read of 1000", read)
	}
}

// Once a bind of the account that searches was refused, one is tried at a time,
// whatever server it is for: each try counts towards a lockout.
func TestBindsTakeTurnsAfterARefusal(t *testing.T) {
	a := &account{turns: make(map[string]chan struct{})}
	free := func() bool {
		t.Helper()
		done, err := a.turn(t.Context(), "one", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		other, err := a.turn(t.Context(), "two", time.Millisecond)
		if err == nil {
			other()
		}
		return err == nil
	}
	if free() {
		t.Error("before the first answer two bind at once")
	}
	a.took()
	if !free() {
		t.Error("with a password that was right one waits for another server's")
	}
	a.refuse(time.Now())
	if free() {
		t.Error("after a refusal two bind at once")
	}
}
