package smpp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"mfabridge/cloud/engine/channel/smpp"
	"mfabridge/internal/secret"
)

// centre plays a message centre, as the published specification of SMPP 3.4
// has it, with its own reading of the protocol: nothing of the package is used.
type centre struct {
	t    testing.TB
	dial func(ctx context.Context) (net.Conn, error)

	mu       sync.Mutex
	binds    int
	password string
	texts    [][]byte // bodies of submit_sm
	raw      bytes.Buffer

	// answer is what a submit_sm gets; nil: taken. It says whether there is an
	// answer at all.
	answer func(n int) (status uint32, answered bool)
	conns  []net.Conn
	probes int // enquire_link that came
	mute   bool
}

type unit struct {
	command, status, sequence uint32
	body                      []byte
}

func (u unit) bytes() []byte {
	b := make([]byte, 16, 16+len(u.body))
	binary.BigEndian.PutUint32(b[0:], uint32(16+len(u.body)))
	binary.BigEndian.PutUint32(b[4:], u.command)
	binary.BigEndian.PutUint32(b[8:], u.status)
	binary.BigEndian.PutUint32(b[12:], u.sequence)
	return append(b, u.body...)
}

func readUnit(r io.Reader) (unit, []byte, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return unit{}, nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head)-16)
	if _, err := io.ReadFull(r, body); err != nil {
		return unit{}, nil, err
	}
	return unit{binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:]), binary.BigEndian.Uint32(head[12:]), body}, append(head, body...), nil
}

// newCentre is a centre on the other end of pipes, for a bubble of time.
func newCentre(t testing.TB) *centre {
	c := &centre{t: t, password: "secret08"}
	c.dial = func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go c.serve(theirs)
		return ours, nil
	}
	return c
}

// listen is a centre on the loopback.
func listen(t testing.TB) *centre {
	c := &centre{t: t, password: "secret08"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	c.dial = func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
	return c
}

func (c *centre) serve(conn net.Conn) {
	defer conn.Close()
	c.mu.Lock()
	c.conns = append(c.conns, conn)
	c.mu.Unlock()
	r := bufio.NewReader(conn)
	for {
		u, raw, err := readUnit(r)
		if err != nil {
			return
		}
		c.mu.Lock()
		c.raw.Write(raw)
		mute := c.mute
		c.mu.Unlock()
		if mute {
			continue
		}
		given, answered := c.react(u)
		if answered {
			if _, err := conn.Write(given.bytes()); err != nil {
				return
			}
		}
	}
}

// react is the answer to a unit.
func (c *centre) react(u unit) (given unit, answered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	given = unit{command: u.command | 0x80000000, sequence: u.sequence}
	switch u.command {
	case 9: // bind_transceiver
		c.binds++
		fields := bytes.SplitN(u.body, []byte{0}, 4)
		if string(fields[1]) != c.password {
			given.status = 0x0e
			return given, true
		}
		given.body = []byte("CENTRE\x00")
	case 4: // submit_sm
		c.texts = append(c.texts, u.body)
		if c.answer != nil {
			given.status, answered = c.answer(len(c.texts))
			if !answered {
				return unit{}, false
			}
		}
		if given.status == 0 {
			given.body = append([]byte("m"), byte('0'+len(c.texts)%10), 0)
		}
	case 0x15:
		c.probes++
	case 0x80000005, 0x80000015, 0x80000000, 0x80000006: // answers to us
		return unit{}, false
	}
	return given, true
}

// drop ends all connections.
func (c *centre) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// say sends something on the newest connection.
func (c *centre) say(u unit) {
	c.mu.Lock()
	conn := c.conns[len(c.conns)-1]
	c.mu.Unlock()
	if _, err := conn.Write(u.bytes()); err != nil {
		c.t.Error(err)
	}
}

// count is how many texts came.
func (c *centre) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.texts)
}

// seen is how often somebody bound, and how many signs of life were asked for.
func (c *centre) seen() (binds, probes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.binds, c.probes
}

func (c *centre) open(t testing.TB, change func(*smpp.Config)) *smpp.Client {
	t.Helper()
	conf := smpp.Config{Dial: c.dial, SystemID: "contoso", Password: secret.FromString("secret08"), Source: "Contoso", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&conf)
	}
	client, err := smpp.Open(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
