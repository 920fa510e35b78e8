package radsec

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newListener(most int, log *slog.Logger) *Listener {
	return &Listener{log: log, tls: new(tls.Config), max: most, open: make(map[netip.Addr]int), all: make(map[net.Conn]guest), warned: make(map[string]warning)}
}

// All connections are bounded, and those of one address to a quarter of that,
// one at least; what has ended counts no more.
func TestPlacesOfConnections(t *testing.T) {
	addresses := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::3")}
	for _, c := range []struct{ most, each, all int }{{8, 2, 6}, {5, 1, 3}, {3, 1, 3}, {2, 1, 2}} {
		l := newListener(c.most, nil)
		for round := range 2 {
			entered := map[net.Conn]netip.Addr{}
			for _, from := range addresses {
				n := 0
				for range c.each + 1 {
					conn, _ := net.Pipe()
					if settings, ok := l.enter(conn, from); ok && settings == l.tls {
						l.proves(conn)
						entered[conn] = from
						n++
					}
				}
				if n > c.each {
					t.Errorf("of %d, round %d: %d from %s", c.most, round, n, from)
				}
			}
			if len(entered) != c.all {
				t.Errorf("of %d, round %d: %d have entered, want %d", c.most, round, len(entered), c.all)
			}
			for conn := range entered {
				l.leave(conn)
				l.leave(conn) // says nothing more
			}
			if len(l.open)+len(l.all) != 0 {
				t.Errorf("of %d: %v and %d are left over", c.most, l.open, len(l.all))
			}
		}
	}
}

// A place is its host's, however it came in: of IPv6 a host has a whole network.
func TestPlaceOfAConnection(t *testing.T) {
	for at, want := range map[string]string{"192.0.2.1:2083": "192.0.2.1", "[::ffff:192.0.2.1]:4711": "192.0.2.1", "[2001:db8::3]:2083": "2001:db8::",
		"[2001:db8:0:0:ffff::9]:1": "2001:db8::", "[2001:db8:0:1::3]:1": "2001:db8:0:1::", "[fe80::1%eth0]:1": "fe80::"} {
		if got := place(from{at: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(at))}); got.String() != want {
			t.Errorf("%s is %s", at, got)
		}
	}
}

// Who connects and proves nothing makes room for others, the oldest first; who
// has proven something keeps the place.
func TestHandshakesMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener(8, nil)
		host := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }
		var ends []net.Conn
		enter := func(from netip.Addr) (net.Conn, bool) {
			near, far := net.Pipe()
			_, ok := l.enter(near, from)
			ends = append(ends, far)
			time.Sleep(time.Millisecond)
			return near, ok
		}
		closed := func(i int) bool { // tells whether the ith connection was closed
			_ = ends[i].SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := ends[i].Read(make([]byte, 1))
			return errors.Is(err, io.EOF)
		}
		proven, _ := enter(host(1))
		l.proves(proven)
		for i := range 7 {
			if _, ok := enter(host(2 + i/2)); !ok {
				t.Fatalf("the %dth was refused", i)
			}
		}
		if c, ok := enter(host(9)); !ok || closed(0) || !closed(1) || closed(2) || len(l.all) != 8 {
			t.Error("the oldest handshake of all did not make room, or another one did")
		} else {
			l.proves(c)
		}
		if _, ok := enter(host(3)); !ok || !closed(3) || closed(2) {
			t.Error("the oldest handshake of one host did not make room, or another one did")
		}
		for c := range l.all {
			l.proves(c)
		}
		for _, from := range []netip.Addr{host(10), host(1)} {
			if _, ok := enter(from); ok || len(l.all) != 8 {
				t.Errorf("%s had a place that others have proven themselves for", from)
			}
		}
	})
}

type from struct {
	net.Conn
	at net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.at }

// port is one whose Accept fails in these ways, one after the other.
type port struct {
	net.Listener
	faults []error
}

func (p *port) Accept() (net.Conn, error) {
	err := p.faults[0]
	p.faults = p.faults[1:]
	return nil, err
}

type fault struct{ temporary bool }

func (f fault) Error() string   { return "no descriptors" }
func (f fault) Temporary() bool { return f.temporary }

// A port that cannot be read just now rests and goes on; what does not pass ends
// it, and so does its end.
func TestPortThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		faults []error
		rests  time.Duration
		fails  bool
	}{
		"for a while":   {[]error{fault{true}, fault{true}, net.ErrClosed}, 2 * acceptPause, false},
		"for good":      {[]error{fault{true}, fault{false}, net.ErrClosed}, acceptPause, true},
		"some other":    {[]error{errors.New("broken"), net.ErrClosed}, 0, true},
		"it was closed": {[]error{&net.OpError{Op: "accept", Err: net.ErrClosed}}, 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			l := newListener(1, slog.New(slog.NewTextHandler(&log, nil)))
			l.tcp = &port{faults: c.faults}
			start := time.Now()
			err := l.Serve(nil)
			if rests := time.Since(start); (err != nil) != c.fails || rests != c.rests || strings.Contains(log.String(), "cannot be taken") != (rests > 0) {
				t.Errorf("%s: after %v: %v\n%s", name, rests, err, log.String())
			}
		})
	}
}

// After the end of its certificate nothing is read from a connection, whatever
// its timer thinks of the time: on a machine that was paused it is late.
func TestNothingIsReadAfterTheEnd(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	d := &dated{Conn: near, end: now.Add(time.Minute), now: func() time.Time { return now }}
	b := make([]byte, 1)
	for _, step := range []struct {
		later time.Duration
		want  error
	}{{59 * time.Second, nil}, {time.Second, errEnded}, {time.Hour, errEnded}} {
		now = now.Add(step.later)
		go func() { _, _ = far.Write([]byte{1}) }()
		if n, err := d.Read(b); !errors.Is(err, step.want) || (n == 1) != (err == nil) {
			t.Errorf("at %v: read %d, %v", now, n, err)
		}
	}
}
