package smpp

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"mfabridge/cloud/engine/channel/carrier"
)

// session is one connection, from its bind to its end.
type session struct {
	conf *Config
	conn net.Conn
	tell func(carrier.Receipt)

	// writing serialises what is sent; buffer is used again for each PDU.
	writing sync.Mutex
	buffer  []byte

	mu       sync.Mutex
	sequence uint32
	waiting  map[uint32]chan pdu // by sequence number; nil once the session is over
	over     chan struct{}       // closed with waiting
}

// maxSequence is the last number before they begin again (section 5.1.4).
const maxSequence = 0x7fffffff

// errGone ends a session because the other side said so.
var errGone = errors.New("the message centre ended it")

// bind opens a connection and says who we are.
func (c *Client) bind() (*session, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.conf.Timeout)
	defer cancel()
	conn, err := c.conf.Dial(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{conf: &c.conf, conn: conn, tell: c.receipt, waiting: map[uint32]chan pdu{}, over: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err = s.bind()
	if !stop() {
		err = cmp.Or(err, ctx.Err())
	}
	if err != nil {
		return nil, errors.Join(err, ignoreClosed(conn.Close()))
	}
	return s, nil
}

func (s *session) bind() error {
	deadline := time.Now().Add(s.conf.Timeout)
	if err := s.conn.SetDeadline(deadline); err != nil {
		return err
	}
	b := appendText(nil, s.conf.SystemID)
	b = appendText(b, string(s.conf.Password.Reveal()))
	b = appendText(b, s.conf.SystemType)
	b = appendText(append(b, version, tonUnknown, npiUnknown), "")
	s.sequence = 1
	if err := s.write(pdu{command: bindTransceiver, sequence: s.sequence, body: b}); err != nil {
		return err
	}
	clear(b)
	p, err := readPDU(s.conn)
	switch {
	case err != nil:
		return fmt.Errorf("the message centre did not answer the bind: %w", err)
	case p.sequence != s.sequence || p.command != bindTransceiver|answer && p.command != genericNack:
		return errors.New("the message centre answered a bind with something else")
	case p.status != statusOK:
		return &Refused{p.status}
	case p.command == genericNack:
		return &Refused{statusBadCommand}
	}
	return s.conn.SetDeadline(time.Time{})
}

// serve reads until the connection ends or ctx is done, and closes it.
func (s *session) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	defer stop()
	incoming := bufio.NewReaderSize(s.conn, 4096)
	err := error(nil)
	for err == nil {
		err = s.next(incoming)
	}
	s.end()
	return errors.Join(err, ignoreClosed(s.conn.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// next reads one PDU. After a silence it asks for a sign of life, once.
func (s *session) next(incoming *bufio.Reader) error {
	for asked := false; ; asked = true {
		silence := s.conf.Enquire
		if asked {
			silence = s.conf.Timeout
		}
		if err := s.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		// A peek that runs out of time has lost nothing: half a PDU stays.
		_, err := incoming.Peek(headerLen)
		if err == nil {
			break
		}
		late, is := errors.AsType[net.Error](err)
		if asked || !is || !late.Timeout() {
			return err
		}
		if err := s.write(pdu{command: enquireLink, sequence: s.number()}); err != nil {
			return err
		}
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(s.conf.Timeout)); err != nil {
		return err
	}
	p, err := readPDU(incoming)
	if err != nil {
		return err
	}
	return s.handle(p)
}

// handle does what a PDU asks for.
func (s *session) handle(p pdu) error {
	switch p.command {
	case enquireLink:
		return s.write(pdu{command: enquireLink | answer, sequence: p.sequence})
	case deliverSM:
		return s.deliver(p)
	case unbind:
		return errors.Join(s.write(pdu{command: unbind | answer, sequence: p.sequence}), errGone)
	}
	if p.command&answer != 0 {
		s.hand(p)
		return nil
	}
	return s.write(pdu{command: genericNack, status: statusBadCommand, sequence: p.sequence})
}

// deliver takes a receipt, and acknowledges what is none too: nobody here
// reads texts, and the centre would offer them again.
func (s *session) deliver(p pdu) error {
	given := pdu{command: deliverSM | answer, sequence: p.sequence, body: []byte{0}}
	receipt, found, err := parseReceipt(p.body)
	switch {
	case err != nil:
		given.status = statusBadLength
	case found:
		s.tell(receipt)
	}
	return s.write(given)
}

// hand gives an answer to who waits for it. An answer that nobody waits for
// any more is dropped.
func (s *session) hand(p pdu) {
	s.mu.Lock()
	waiter := s.waiting[p.sequence]
	delete(s.waiting, p.sequence)
	s.mu.Unlock()
	if waiter != nil {
		waiter <- p
	}
}

func (s *session) number() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.numberLocked()
}

func (s *session) numberLocked() uint32 {
	s.sequence++
	if s.sequence > maxSequence {
		s.sequence = 1
	}
	return s.sequence
}

// ask sends a PDU and waits for its answer.
func (s *session) ask(ctx context.Context, command uint32, body []byte) (pdu, error) {
	waiter := make(chan pdu, 1)
	s.mu.Lock()
	if s.waiting == nil || ctx.Err() != nil {
		s.mu.Unlock()
		return pdu{}, ErrNotBound
	}
	p := pdu{command: command, sequence: s.numberLocked(), body: body}
	s.waiting[p.sequence] = waiter
	s.mu.Unlock()
	defer s.forget(p.sequence)

	if err := s.write(p); err != nil {
		// Part of it may have gone out: the connection cannot be used any more.
		_ = s.conn.Close()
		return pdu{}, carrier.ErrUnknown
	}
	select {
	case given := <-waiter:
		return given, judge(command, given)
	case <-s.over:
	case <-ctx.Done():
	}
	select {
	case given := <-waiter: // it came at the same moment
		return given, judge(command, given)
	default:
		return pdu{}, carrier.ErrUnknown
	}
}

// judge tells whether an answer says yes.
func judge(command uint32, given pdu) error {
	switch {
	case given.status != statusOK:
		return &Refused{given.status}
	case given.command == genericNack:
		return &Refused{statusBadCommand}
	case given.command != command|answer:
		return carrier.ErrUnknown
	}
	return nil
}

func (s *session) forget(sequence uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, sequence)
}

// end wakes everybody who waits.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = nil
	close(s.over)
}

// write sends a PDU whole.
func (s *session) write(p pdu) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.conf.Timeout)); err != nil {
		return err
	}
	s.buffer = p.append(s.buffer[:0])
	_, err := s.conn.Write(s.buffer)
	clear(s.buffer) // a password or a code
	return err
}
