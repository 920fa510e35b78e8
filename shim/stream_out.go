package shim

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// streamAnswers is how many answers may wait to leave: as many as there are
	// identifiers, so that whoever takes no answers runs out of questions first.
	streamAnswers = 256
	// streamFlush is how long a stream that is closed waits for answers to leave.
	streamFlush = time.Second
)

var errDeaf = errors.New("the other side takes no answers")

// outgoing are the answers that leave on a stream. Nobody but its writer waits
// for the other side to take them: workers, and above all those who answer for
// everybody that waits for a push, have others to serve.
type outgoing struct {
	c     net.Conn
	queue chan []byte
	end   chan struct{} // closed when what is queued is all
	done  chan struct{} // closed when nothing leaves any more
	once  sync.Once
	fault atomic.Pointer[error]           // why nothing leaves, if it is not the end
	lost  func(answers uint64, err error) // is told once, of answers that cannot leave
}

func newOutgoing(c net.Conn, lost func(answers uint64, err error)) *outgoing {
	o := &outgoing{c: c, queue: make(chan []byte, streamAnswers), end: make(chan struct{}), done: make(chan struct{}), lost: lost}
	go o.run() // until close
	return o
}

// write has an answer leave, behind those before it.
func (o *outgoing) write(b []byte) error {
	select {
	case <-o.done:
		return net.ErrClosed
	default:
	}
	select {
	case o.queue <- bytes.Clone(b):
		return nil
	default:
		o.fail(errDeaf)
		return errDeaf
	}
}

// run is the life of the writer.
func (o *outgoing) run() {
	defer close(o.done)
	for {
		select {
		case b := <-o.queue:
			if !o.put(b) {
				return
			}
		case <-o.end:
			for {
				select {
				case b := <-o.queue:
					if !o.put(b) {
						return
					}
				default:
					return
				}
			}
		}
	}
}

// put writes one answer. After one that did not leave whole nothing can follow.
func (o *outgoing) put(b []byte) bool {
	err := o.c.SetWriteDeadline(time.Now().Add(streamPacket))
	if err == nil {
		_, err = o.c.Write(b)
	}
	if err == nil {
		return true
	}
	o.fail(err)
	o.lost(uint64(1+len(o.queue)), *o.fault.Load())
	return false
}

// fail ends the stream for a reason.
func (o *outgoing) fail(why error) {
	o.fault.CompareAndSwap(nil, &why)
	_ = o.c.Close() // whoever reads from it says so
}

// why is what kept answers from leaving; nil: nothing did.
func (o *outgoing) why() error {
	if err := o.fault.Load(); err != nil {
		return fmt.Errorf("answers cannot be sent: %w", *err)
	}
	return nil
}

// close closes the connection once what is queued has left, or after a moment.
func (o *outgoing) close() error {
	o.once.Do(func() { close(o.end) })
	patience := time.NewTimer(streamFlush)
	defer patience.Stop()
	select {
	case <-o.done:
	case <-patience.C:
	}
	return o.c.Close()
}
