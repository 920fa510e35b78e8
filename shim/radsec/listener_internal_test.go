package radsec

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newListener(most int, log *slog.Logger) *Listener {
	return &Listener{log: log, tls: new(tls.Config), max: most, open: make(map[netip.Addr]int), all: make(map[net.Conn]struct{}), warned: make(map[string]warning)}
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
			for conn, from := range entered {
				l.leave(conn, from)
			}
			if len(l.open)+len(l.all) != 0 {
				t.Errorf("of %d: %v and %d are left over", c.most, l.open, len(l.all))
			}
		}
	}
}

// An address is its host's, however it came in.
func TestAddressOfAConnection(t *testing.T) {
	for at, want := range map[string]string{"192.0.2.1:2083": "192.0.2.1", "[::ffff:192.0.2.1]:4711": "192.0.2.1", "[2001:db8::3]:2083": "2001:db8::3"} {
		if got := address(from{at: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(at))}); got.String() != want {
			t.Errorf("%s is %s", at, got)
		}
	}
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
