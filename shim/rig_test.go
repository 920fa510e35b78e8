package shim_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

const clientSecret = "a synthetic secret of the client"

// Of the clients, "code" takes the password field as the code, "ask" asks for
// it, "full" has the engine check the password first; "reject" is like code
// but answers outages; "rough" has no reliable calling station, nor has "loose", which is like "ask"; "home" has a primary of its own.
const clients = `
engine: {store: sqlite:unused.db}
primaries:
  old: {type: radius, servers: [{address: "127.0.0.1:1", secret: file:s}]}
radius:
  listen: ["127.0.0.1:0"]
  clients:
    - {name: code, networks: [127.0.0.1, "10.0.0.0/8"], secret: file:s, primary: none, primary_done_by_client: true, code_entry: only}
    - {name: ask, networks: [127.0.0.2, "10.1.0.0/16", "2001:db8::/32"], secret: file:s, primary: none, primary_done_by_client: true}
    - {name: full, networks: [127.0.0.3, 10.1.2.3, "2001:db8::7"], secret: file:s, primary: engine}
    - {name: reject, networks: [127.0.0.4], secret: file:s, primary: none, primary_done_by_client: true, code_entry: only, on_outage: reject}
    - {name: rough, networks: [127.0.0.5], secret: file:s, primary: none, primary_done_by_client: true, code_entry: only, calling_station: unreliable}
    - {name: loose, networks: [127.0.0.7], secret: file:s, primary: none, primary_done_by_client: true, calling_station: unreliable}
    - {name: home, networks: [127.0.0.6], secret: file:s, primary: old}
`

// configuration loads clients and makes one cluster key.
func configuration(t testing.TB) *config.Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte(clientSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Parse([]byte(clients), "shim.yaml", dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MakeKeys(); err != nil {
		t.Fatal(err)
	}
	return c
}

// datagram is one on the wire of memoryConn.
type datagram struct {
	b    []byte
	peer netip.AddrPort
}

// memoryConn is a PacketConn without a socket, fit for synctest.
type memoryConn struct {
	in, out chan datagram
	stop    chan struct{}
	once    sync.Once
	closed  atomic.Bool
}

func newMemoryConn() *memoryConn {
	return &memoryConn{in: make(chan datagram), out: make(chan datagram, 4096), stop: make(chan struct{})}
}

func (c *memoryConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-c.in:
		return copy(b, d.b), net.UDPAddrFromAddrPort(d.peer), nil
	case <-c.stop:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (c *memoryConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	c.out <- datagram{b: bytes.Clone(b), peer: to.(*net.UDPAddr).AddrPort()}
	return len(b), nil
}

func (c *memoryConn) SetReadDeadline(time.Time) error {
	c.once.Do(func() { close(c.stop) })
	return nil
}
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
func (c *memoryConn) Close() error {
	c.closed.Store(true)
	return nil
}
func (c *memoryConn) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1812}
}

// rig is a server on a memoryConn with a fake engine behind it.
type rig struct {
	t      testing.TB
	engine *fakeEngine
	server *shim.Server
	conn   *memoryConn
	log    *bytes.Buffer
	stop   func(context.Context) error
	secret *radius.Secret
	serial uint16
}

// newRig starts a server; it must be stopped by the test, inside its bubble.
func newRig(t testing.TB, change ...func(*shim.Options)) *rig {
	t.Helper()
	r := &rig{t: t, engine: newFakeEngine(), conn: newMemoryConn(), log: new(bytes.Buffer), secret: radius.NewSecret([]byte(clientSecret))}
	o := shim.Options{Config: configuration(t), Verifier: r.engine, Passwords: r.engine, Primaries: map[string]shim.Primary{"old": r.engine.home()}, Workers: 64, Queue: 64,
		Log: slog.New(slog.NewJSONHandler(io.MultiWriter(r.log, t.Output()), nil))}
	if os.Getenv(bySettling) != "" {
		o.Verifier = settling{r.engine}
	}
	for _, f := range change {
		f(&o)
	}
	server, err := shim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.server = server
	served := make(chan error, 1)
	go func() { served <- server.Serve(r.conn) }()
	r.stop = func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if got := <-served; got != shim.ErrServerClosed {
			t.Errorf("Serve returned %v", got)
		}
		return err
	}
	return r
}

// close stops the server and expects it to drain.
func (r *rig) close() {
	r.t.Helper()
	if err := r.stop(context.Background()); err != nil {
		r.t.Errorf("shutdown: %v", err)
	}
}

// ask is a request in the making.
type ask struct {
	from     string // address; port 4000 unless it has one
	user     string
	password string
	state    []byte
	station  string
	id       byte
	fill     func(*radius.Builder)
	bare     bool // no User-Password
}

func (q ask) source() netip.AddrPort {
	if q.from == "" {
		q.from = "127.0.0.1"
	}
	if a, err := netip.ParseAddrPort(q.from); err == nil {
		return a
	}
	return netip.AddrPortFrom(netip.MustParseAddr(q.from), 4000)
}

// build makes a request with an authenticator that was never used before.
func (r *rig) build(q ask) []byte {
	r.t.Helper()
	r.serial++
	authenticator := [16]byte{0xaa}
	binary.BigEndian.PutUint16(authenticator[14:], r.serial)
	w := radius.NewRequest(nil, radius.AccessRequest, q.id, authenticator)
	if q.user != "" {
		w.Add(radius.UserName, []byte(q.user))
	}
	if !q.bare {
		w.AddPassword(r.secret, []byte(q.password))
	}
	if q.state != nil {
		w.Add(radius.State, q.state)
	}
	if q.station != "" {
		w.Add(radius.CallingStationID, []byte(q.station))
	}
	if q.fill != nil {
		q.fill(&w)
	}
	b, err := r.secret.SealRequest(&w)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *rig) send(b []byte, from netip.AddrPort) { r.conn.in <- datagram{b: b, peer: from} }

// receive waits for a reply; under synctest the clock runs while it waits.
func (r *rig) receive() []byte {
	r.t.Helper()
	select {
	case d := <-r.conn.out:
		return d.b
	case <-time.After(time.Minute):
		r.t.Fatal("no reply")
		return nil
	}
}

// silent checks that there is no reply.
func (r *rig) silent(what string) {
	r.t.Helper()
	select {
	case d := <-r.conn.out:
		r.t.Errorf("%s: answered by %v", what, d.b[:min(20, len(d.b))])
	default:
	}
}

// login sends a request and returns the reply, checked.
func (r *rig) login(q ask) radius.Packet {
	r.t.Helper()
	request := r.build(q)
	r.send(request, q.source())
	return r.checked(r.receive(), request)
}

// checked is the one checker that every answer of the suite goes through.
func (r *rig) checked(reply, request []byte) radius.Packet {
	r.t.Helper()
	return checkReply(r.t, r.secret, reply, request)
}

func checkReply(t testing.TB, secret *radius.Secret, reply, request []byte) radius.Packet {
	t.Helper()
	p, err := radius.Parse(reply)
	if err != nil {
		t.Fatal(err)
	}
	q, err := radius.Parse(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := secret.VerifyReply(p, q); err != nil {
		t.Fatalf("%v: %v", p.Code(), err)
	}
	if reply[radius.HeaderLength] != byte(radius.MessageAuthenticator) {
		t.Errorf("%v: first attribute is %d", p.Code(), reply[radius.HeaderLength])
	}
	_, states := p.Lookup(radius.State)
	_, prompts := p.Lookup(radius.ReplyMessage)
	_, timeouts := p.Lookup(radius.SessionTimeout)
	switch p.Code() {
	case radius.AccessAccept, radius.AccessReject:
		if states != 0 {
			t.Errorf("%v has a State", p.Code())
		}
	case radius.AccessChallenge:
		if states != 1 || prompts < 1 || timeouts != 1 {
			t.Errorf("challenge has %d State, %d Reply-Message, %d Session-Timeout", states, prompts, timeouts)
		}
	default:
		t.Errorf("answered by %v", p.Code())
	}
	return p
}

// want checks the code of a reply.
func want(t testing.TB, p radius.Packet, code radius.Code) {
	t.Helper()
	if p.Code() != code {
		t.Errorf("answered by %v, want %v", p.Code(), code)
	}
}

// stateOf returns a copy of the State of a challenge.
func stateOf(t testing.TB, p radius.Packet) []byte {
	t.Helper()
	want(t, p, radius.AccessChallenge)
	v, _ := p.Lookup(radius.State)
	return bytes.Clone(v)
}
