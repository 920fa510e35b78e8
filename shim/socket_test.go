package shim_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/internal/hint"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// onSocket serves a fake engine on a socket until the test ends.
func onSocket(t testing.TB, address string) (*rig, netip.AddrPort) {
	t.Helper()
	pc, err := shim.Listen(netip.MustParseAddrPort(address))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, engine: newFakeEngine(), secret: radius.NewSecret([]byte(clientSecret)), log: new(bytes.Buffer)}
	r.server, err = shim.New(shim.Options{Config: configuration(t), Verifier: r.engine, Passwords: r.engine, Primaries: map[string]shim.Primary{"old": r.engine.home()}, Workers: 8})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(pc) }()
	t.Cleanup(func() {
		if err := r.server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != shim.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return r, pc.LocalAddr().(*net.UDPAddr).AddrPort()
}

// dial opens a connected socket: the kernel drops what comes from elsewhere.
func dial(t testing.TB, from string, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	local := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))
	c, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// exchange sends and receives on a socket.
func exchange(t testing.TB, c *net.UDPConn, request []byte) []byte {
	t.Helper()
	if _, err := c.Write(request); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, radius.MaxLength)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func TestLoginOverASocket(t *testing.T) {
	r, address := onSocket(t, "127.0.0.1:0")
	c := dial(t, "127.0.0.3", address)
	request := r.build(ask{user: "ada", password: "correct horse", id: 1})
	state := stateOf(t, r.checked(exchange(t, c, request), request))
	request = r.build(ask{user: "ada", password: "123456", state: state, id: 2})
	want(t, r.checked(exchange(t, c, request), request), radius.AccessAccept)
}

func TestAnswerComesFromTheAddressThatWasAsked(t *testing.T) {
	for _, test := range []struct{ listen, from, to string }{
		{"0.0.0.0:0", "127.0.0.1", "127.0.0.1"}, {"0.0.0.0:0", "127.0.0.1", "127.0.0.77"}, {"0.0.0.0:0", "127.0.0.5", "127.1.2.3"},
	} {
		r, address := onSocket(t, test.listen)
		c := dial(t, test.from, netip.AddrPortFrom(netip.MustParseAddr(test.to), address.Port()))
		request := r.build(ask{user: "ada", password: "123456"})
		first := exchange(t, c, request)
		want(t, r.checked(first, request), radius.AccessAccept)
		if again := exchange(t, c, request); !bytes.Equal(again, first) {
			t.Error("the retransmission has another answer")
		}
	}
}

func TestListenOnABusyPort(t *testing.T) {
	pc, err := shim.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	address := pc.LocalAddr().(*net.UDPAddr).AddrPort()
	_, err = shim.Listen(address)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "cannot listen on "+address.String()) ||
		!strings.Contains(hint.Of(err), "another program holds UDP port") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
	if _, err := shim.Listen(netip.MustParseAddrPort("192.0.2.1:0")); hint.Of(err) == "" {
		t.Errorf("foreign address: %v", err)
	}
}

func TestServeReturnsWhenItsSocketIsClosed(t *testing.T) {
	e := newFakeEngine()
	s, err := shim.New(shim.Options{Config: configuration(t), Verifier: e, Passwords: e, Primaries: map[string]shim.Primary{"old": e.home()}, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	pc, err := shim.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(pc); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// The packet path of a warm server: a round trip on a socket costs no
// allocation, on either side.
func TestPacketPathDoesNotAllocate(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		r, address := onSocket(t, listen)
		c := dial(t, "127.0.0.1", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), address.Port()))
		w := radius.NewRequest(nil, radius.StatusServer, 1, [16]byte{1})
		status, err := r.secret.SealRequest(&w)
		if err != nil {
			t.Fatal(err)
		}
		login := r.build(ask{user: "ada", password: "123456", id: 2})
		reply := make([]byte, radius.MaxLength)
		for name, request := range map[string][]byte{"Status-Server": status, "retransmission": login} {
			exchange(t, c, request)
			n := testing.AllocsPerRun(300, func() {
				if _, err := c.Write(request); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(reply); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%s on %s: %v allocations, want none", name, listen, n)
			}
		}
	}
}
