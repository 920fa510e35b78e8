package ldapconn

import (
	"net"
	"testing"
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
