package serve_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud/engine/http/serve"
)

// memory is a listener without a network.
type memory struct {
	conns  chan net.Conn
	errs   chan error // what Accept fails with first
	once   sync.Once
	closed chan struct{}
}

func newMemory(errs ...error) *memory {
	m := &memory{conns: make(chan net.Conn), errs: make(chan error, len(errs)), closed: make(chan struct{})}
	for _, err := range errs {
		m.errs <- err
	}
	return m
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case err := <-m.errs:
		return nil, err
	default:
	}
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.TCPAddr{} }

// dial is a connection that waits to be accepted until the test ends.
func (m *memory) dial(t *testing.T) net.Conn {
	near, far := net.Pipe()
	t.Cleanup(func() { _ = near.Close() })
	go func() {
		select {
		case m.conns <- far:
		case <-m.closed:
			_ = far.Close()
		}
	}()
	return near
}

// busy is what Accept says where there are too many open files.
type busy struct{}

func (busy) Error() string   { return "too many open files" }
func (busy) Timeout() bool   { return false }
func (busy) Temporary() bool { return true }

var answering = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })

func ask(c net.Conn) error {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: e\r\n\r\n"); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil && r.StatusCode != http.StatusOK {
		err = errors.New(r.Status)
	}
	return err
}

// One connection more than there are places for waits until another has ended,
// and whoever waits keeps no server from ending.
func TestOneConnectionMoreWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemory(busy{}, busy{}, busy{}) // none of which holds a place
		g := &serve.Group{Connections: 2}
		g.Start(l, answering, nil)
		first, second := l.dial(t), l.dial(t)
		if err := errors.Join(ask(first), ask(second)); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			var answered atomic.Bool
			next := l.dial(t)
			go func() {
				if err := ask(next); err != nil {
					t.Error(err)
				}
				answered.Store(true)
			}()
			time.Sleep(time.Minute)
			synctest.Wait()
			if answered.Load() {
				t.Fatal("a third connection is answered")
			}
			_ = first.Close()
			synctest.Wait()
			if !answered.Load() {
				t.Fatal("a place that was left is nobody's")
			}
			if err := ask(second); err != nil {
				t.Fatal(err)
			}
			first = next
		}
		if err := g.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		select {
		case <-l.closed:
		default:
			t.Error("the listener is open")
		}
		select {
		case err := <-g.Failed():
			t.Errorf("a server that was ended: %v", err)
		default:
		}
	})
}

// A server that ends by itself is told of, also to who waited for it before it
// began.
func TestServersThatEndAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the network is down")
		g := &serve.Group{}
		failed := g.Failed()
		g.Start(newMemory(broken), answering, nil)
		if err := <-failed; !errors.Is(err, broken) {
			t.Errorf("told %v", err)
		}
		if err := g.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Whoever is still being answered when the time to end is over is cut off, and
// that is said.
func TestShutdownCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemory()
		g := &serve.Group{}
		g.Start(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), nil)
		c := l.dial(t)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: e\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it is being answered
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ended with %v", err)
		}
		if answer, err := io.ReadAll(c); err != nil || len(answer) > 0 {
			t.Errorf("it heard %q, %v", answer, err)
		}
	})
}

// Nobody holds a connection for long by saying nothing, also where no timeouts
// are set.
func TestSilentConnectionsEnd(t *testing.T) {
	for name, text := range map[string]string{
		"nothing at all":   "",
		"half a header":    "GET / HTTP/1.1\r\nHost: e\r\n",
		"half a body":      "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 10\r\n\r\nhalf",
		"one request only": "GET / HTTP/1.1\r\nHost: e\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemory()
				g := &serve.Group{}
				g.Start(l, answering, nil)
				c := l.dial(t)
				ended := make(chan time.Time, 1)
				go func() { _, _ = io.Copy(io.Discard, c); ended <- time.Now() }()
				begun := time.Now()
				if _, err := io.WriteString(c, text); err != nil {
					t.Fatal(err)
				}
				select {
				case at := <-ended:
					if at.Sub(begun) > 3*time.Minute {
						t.Errorf("it lasted %v", at.Sub(begun))
					}
				case <-time.After(time.Hour):
					t.Error("it is still open")
					_ = c.Close()
				}
				if err := g.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
