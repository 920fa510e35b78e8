package serve_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud/engine/http/serve"
)

// dialled is a connection of an address.
type dialled struct {
	net.Conn
	at string
}

func (f dialled) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.at)) }

// dialFrom is dial from an address.
func (m *memory) dialFrom(t *testing.T, at string) net.Conn {
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close() })
	go func() {
		select {
		case m.conns <- dialled{far, at}:
		case <-m.closed:
			_ = far.Close()
		}
	}()
	return near
}

// One machine that keeps all connections keeps nobody else out: where all are
// taken its oldest one makes room, and it gets no more. Whoever has no more than
// a quarter stays, and so do those behind a proxy, who come from one address.
func TestOneAddressKeepsNobodyOut(t *testing.T) {
	const eve = "198.51.100.7:1"
	for name, c := range map[string]struct {
		all    []string // who has all places, the oldest first
		next   string
		spared []netip.Prefix
		cut    int  // index of who makes room; -1: nobody does
		waits  bool // the next one, until somebody goes
	}{
		"somebody else":         {[]string{"203.0.113.1:1", eve, eve, eve}, "192.0.2.1:1", nil, 1, false},
		"one more of the same":  {[]string{"203.0.113.1:1", eve, eve, eve}, "198.51.100.7:2", nil, -1, false},
		"who has their share":   {[]string{eve, eve, "203.0.113.1:1", eve}, "203.0.113.1:2", nil, 0, false},
		"a network of IPv6":     {[]string{"203.0.113.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"}, "[2001:db8:0:1::1]:1", nil, 1, false},
		"inside that network":   {[]string{"203.0.113.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"}, "[2001:db8::4]:1", nil, -1, false},
		"nobody has too many":   {[]string{"203.0.113.1:1", "203.0.113.2:1", "203.0.113.3:1", "203.0.113.4:1"}, "192.0.2.1:1", nil, -1, true},
		"a proxy":               {[]string{eve, eve, eve, eve}, "192.0.2.1:1", []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, -1, true},
		"somebody on the proxy": {[]string{eve, eve, eve, eve}, eve, []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, -1, true},
		"on this machine":       {[]string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4"}, "192.0.2.1:1", nil, -1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemory()
				g := &serve.Group{Connections: len(c.all), Spared: c.spared}
				g.Start(l, answering, nil)
				var all []net.Conn
				for _, at := range c.all {
					conn := l.dialFrom(t, at)
					if err := ask(conn); err != nil {
						t.Fatal(err)
					}
					all = append(all, conn)
				}
				answer := make(chan error, 1)
				next := l.dialFrom(t, c.next)
				go func() { answer <- ask(next) }()
				time.Sleep(time.Second)
				synctest.Wait()
				if waits := len(answer) == 0; waits != c.waits {
					t.Fatalf("the next one waits: %v", waits)
				}
				for i, conn := range all {
					if err := ask(conn); (err != nil) != (i == c.cut) {
						t.Errorf("connection %d: %v", i, err)
					}
				}
				if c.waits {
					_ = all[0].Close()
				}
				if err := <-answer; (err == nil) != (c.waits || c.cut >= 0) {
					t.Errorf("the next one: %v", err)
				}
				if err := g.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Connections that are not taken are told to the log once a minute, however many
// they are: a process without files left, and one whose places are all taken.
func TestConnectionsNotTakenAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer // read when the group has ended
		l := newMemory(busy{}, busy{}, busy{})
		g := &serve.Group{Connections: 1, Log: slog.New(slog.NewTextHandler(&said, nil))}
		g.Start(l, answering, nil)
		first := l.dial(t)
		if err := ask(first); err != nil {
			t.Fatal(err)
		}
		for range 3 { // half a minute apart
			next := l.dial(t)
			time.Sleep(30 * time.Second)
			if err := errors.Join(ask(first), first.Close(), ask(next)); err != nil {
				t.Fatal(err)
			}
			first = next
		}
		if err := g.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for trouble, times := range map[string]int{`"no connection can be taken"`: 1, "too many open files": 1, "are taken": 2, "connections=1": 2} {
			if n := strings.Count(said.String(), trouble); n != times {
				t.Errorf("%s is said %d times, not %d:\n%s", trouble, n, times, said.String())
			}
		}
	})
}
