// Package smpptest plays a message centre of SMPP 3.4 for tests, as the published
// specification has it, with its own reading of the protocol: nothing of package
// smpp is used.
package smpptest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// Password is what a centre asks for at a bind.
const Password = "secret08"

// Centre is a message centre. Its fields are for whoever holds its lock, or
// before the first connection.
type Centre struct {
	sync.Mutex
	Dial     func(ctx context.Context) (net.Conn, error)
	Address  netip.AddrPort // where it listens
	Password string
	Bodies   [][]byte     // of submit_sm
	Raw      bytes.Buffer // all that came

	// Answer is what the nth submit_sm gets; nil: taken. It says whether there is an
	// answer at all.
	Answer func(n int) (status uint32, answered bool)

	Name     string // of a message that was taken; empty: m and its number
	Mute     bool   // it reads, and says nothing any more
	Receipts string // what is told of each message that was taken: DELIVRD; empty: nothing

	t       testing.TB
	binds   int
	conns   []net.Conn
	bound   []net.Conn // those of conns on which somebody has bound
	binding *sync.Cond
	probes  int // enquire_link that came
}

// Unit is one PDU.
type Unit struct {
	Command, Status, Sequence uint32
	Body                      []byte
}

// Bytes is how it travels.
func (u Unit) Bytes() []byte {
	b := make([]byte, 16, 16+len(u.Body))
	binary.BigEndian.PutUint32(b[0:], uint32(16+len(u.Body)))
	binary.BigEndian.PutUint32(b[4:], u.Command)
	binary.BigEndian.PutUint32(b[8:], u.Status)
	binary.BigEndian.PutUint32(b[12:], u.Sequence)
	return append(b, u.Body...)
}

func readUnit(r io.Reader) (Unit, []byte, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return Unit{}, nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head)-16)
	if _, err := io.ReadFull(r, body); err != nil {
		return Unit{}, nil, err
	}
	return Unit{binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:]), binary.BigEndian.Uint32(head[12:]), body}, append(head, body...), nil
}

// Pipe is a centre on the other end of pipes, for a bubble of time.
func Pipe(t testing.TB) *Centre {
	c := &Centre{t: t, Password: Password}
	c.binding = sync.NewCond(c)
	c.Dial = func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go c.serve(theirs)
		return ours, nil
	}
	return c
}

// Listen is a centre on the loopback, with TLS if conf is not nil; its address is
// Address.
func Listen(t testing.TB, conf *tls.Config) *Centre {
	c := &Centre{t: t, Password: Password}
	c.binding = sync.NewCond(c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Address = l.Addr().(*net.TCPAddr).AddrPort()
	if conf != nil {
		l = tls.NewListener(l, conf)
	}
	t.Cleanup(func() {
		_ = l.Close()
		c.Drop()
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	c.Dial = func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", c.Address.String())
	}
	return c
}

func (c *Centre) serve(conn net.Conn) {
	defer conn.Close()
	c.Lock()
	c.conns = append(c.conns, conn)
	c.Unlock()
	r := bufio.NewReader(conn)
	for {
		u, raw, err := readUnit(r)
		if err != nil {
			return
		}
		c.Lock()
		c.Raw.Write(raw)
		mute := c.Mute
		c.Unlock()
		if mute {
			continue
		}
		given, answered := c.react(u)
		if answered {
			if err := c.give(conn, given); err != nil {
				return
			}
		}
	}
}

// give sends an answer. Nobody is told anything before they have bound.
func (c *Centre) give(conn net.Conn, given Unit) error {
	b := append(given.Bytes(), c.receipt(given)...)
	if given.Command != 0x80000009 || given.Status != 0 {
		_, err := conn.Write(b)
		return err
	}
	c.Lock()
	defer c.Unlock()
	_, err := conn.Write(b)
	c.bound = append(c.bound, conn)
	c.binding.Broadcast()
	return err
}

// react is the answer to a Unit.
func (c *Centre) react(u Unit) (given Unit, answered bool) {
	c.Lock()
	defer c.Unlock()
	given = Unit{Command: u.Command | 0x80000000, Sequence: u.Sequence}
	switch u.Command {
	case 9: // bind_transceiver
		c.binds++
		fields := bytes.SplitN(u.Body, []byte{0}, 4)
		if string(fields[1]) != c.Password {
			given.Status = 0x0e
			return given, true
		}
		given.Body = []byte("CENTRE\x00")
	case 4: // submit_sm
		c.Bodies = append(c.Bodies, u.Body)
		if c.Answer != nil {
			given.Status, answered = c.Answer(len(c.Bodies))
			if !answered {
				return Unit{}, false
			}
		}
		if given.Status == 0 {
			given.Body = fmt.Appendf(nil, "%s\x00", cmp.Or(c.Name, fmt.Sprintf("m%d", len(c.Bodies))))
		}
	case 0x15:
		c.probes++
	case 0x80000005, 0x80000015, 0x80000000, 0x80000006: // answers to us
		return Unit{}, false
	}
	return given, true
}

// Drop ends all connections.
func (c *Centre) Drop() {
	c.Lock()
	defer c.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns, c.bound = nil, nil
}

// Say sends something to who has bound last. While nobody has, it waits.
func (c *Centre) Say(u Unit) {
	c.Lock()
	const patience = time.Minute
	late := time.AfterFunc(patience, c.binding.Broadcast)
	for end := time.Now().Add(patience); len(c.bound) == 0 && time.Now().Before(end); {
		c.binding.Wait()
	}
	late.Stop()
	if len(c.bound) == 0 {
		c.Unlock()
		c.t.Error("nobody has bound")
		return
	}
	conn := c.bound[len(c.bound)-1]
	c.Unlock()
	if _, err := conn.Write(u.Bytes()); err != nil {
		c.t.Error(err)
	}
}

// Count is how many texts came.
func (c *Centre) Count() int {
	c.Lock()
	defer c.Unlock()
	return len(c.Bodies)
}

// Seen is how often somebody bound, and how many signs of life were asked for.
func (c *Centre) Seen() (binds, probes int) {
	c.Lock()
	defer c.Unlock()
	return c.binds, c.probes
}

// receipt is what is told of a message with its answer, if anything.
func (c *Centre) receipt(given Unit) []byte {
	c.Lock()
	defer c.Unlock()
	if given.Command != 0x80000004 || given.Status != 0 || c.Receipts == "" {
		return nil
	}
	u := Receipt(string(given.Body[:len(given.Body)-1]), c.Receipts)
	u.Sequence += given.Sequence
	return u.Bytes()
}

// Receipt is a deliver_sm that tells what became of a message.
func Receipt(id, status string) Unit {
	text := fmt.Sprintf("id:%s sub:001 dlvrd:001 submit date:2611221200 done date:2611221201 stat:%s err:000 text:", id, status)
	body := append([]byte("\x00\x01\x01447700900123\x00\x05\x00Contoso\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00"), byte(len(text)))
	return Unit{Command: 5, Sequence: 1000, Body: append(body, text...)}
}

// Text is one text that the centre has taken.
type Text struct {
	To, Text string // Text as its octets: of the default alphabet, for letters and digits, that is ASCII
}

// Texts are all that came, in their order.
func (c *Centre) Texts() (all []Text) {
	c.Lock()
	defer c.Unlock()
	for _, body := range c.Bodies {
		rest := body[bytes.IndexByte(body, 0)+1:]       // service_type
		rest = rest[2+bytes.IndexByte(rest[2:], 0)+1:]  // source_addr
		end := 2 + bytes.IndexByte(rest[2:], 0)         // destination_addr
		to, rest := string(rest[2:end]), rest[end+1+3:] // esm_class, protocol_id, priority_flag
		rest = rest[bytes.IndexByte(rest, 0)+1:]        // schedule_delivery_time
		rest = rest[bytes.IndexByte(rest, 0)+1+4:]      // validity_period, and four octets
		all = append(all, Text{to, string(rest[1 : 1+rest[0]])})
	}
	return all
}
