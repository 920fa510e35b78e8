package upstream_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// piped makes a client of a home server over TLS behind pipes, which live inside
// a synctest bubble. serve has the far end of each, and what TLS needs on it;
// made counts them.
func piped(t *testing.T, change func(*upstream.Options), serve func(far net.Conn, conf *tls.Config, number int64)) (c *upstream.Client, made *atomic.Int64) {
	t.Helper()
	ours := newSigner(t)
	conf := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ours.issue("home.example", 24*time.Hour, nil)}}
	made = new(atomic.Int64)
	o := upstream.Options{Watchdog: time.Hour, Homes: []upstream.Home{{Address: "home.example:2083", TLS: ours.config("home.example", tls.Certificate{})}}}
	o.Dial = func(context.Context, string) (net.Conn, error) {
		near, far := net.Pipe()
		number := made.Add(1)
		go func() {
			defer func() { _ = far.Close() }()
			serve(far, conf, number)
		}()
		return near, nil
	}
	if change != nil {
		change(&o)
	}
	c, err := upstream.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, made
}

// taking serves what comes in by a function that returns what to answer.
func taking(answer func(radius.Packet) []byte) func(net.Conn, *tls.Config, int64) {
	return func(far net.Conn, conf *tls.Config, _ int64) {
		c := tls.Server(far, conf)
		for {
			p, err := request(c)
			if err != nil {
				return
			}
			if _, err := c.Write(answer(p)); err != nil {
				return
			}
		}
	}
}

// A connection on which nothing moves is given up, long before a patient login.
func TestStuckConnectionsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		serve func(t *testing.T, far net.Conn, conf *tls.Config)
		after time.Duration
		says  string
	}{
		"no handshake": {func(_ *testing.T, far net.Conn, _ *tls.Config) { _, _ = io.Copy(io.Discard, far) }, time.Minute, "TLS cannot be begun"},
		"nothing is read": {func(t *testing.T, far net.Conn, conf *tls.Config) {
			if err := tls.Server(far, conf).Handshake(); err != nil {
				t.Error(err)
			}
			<-t.Context().Done()
		}, 11 * time.Second, "connection was lost"}, // ten, and one in which it could still say why
		"half a header": {func(t *testing.T, far net.Conn, conf *tls.Config) { half(t, far, conf, 3) }, 10 * time.Second, "connection was lost"},
		"half a packet": {func(t *testing.T, far net.Conn, conf *tls.Config) { half(t, far, conf, 23) }, 10 * time.Second, "connection was lost"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := piped(t, func(o *upstream.Options) { o.Patience = time.Minute }, func(far net.Conn, conf *tls.Config, _ int64) { test.serve(t, far, conf) })
			start := time.Now()
			_, err := c.Exchange(t.Context(), login())
			if took := time.Since(start); err == nil || took != test.after || !strings.Contains(cause(err), test.says) || upstream.Refused(err) {
				t.Errorf("%s: after %v, refused %v: %v", name, took, upstream.Refused(err), err)
			}
		})
	}
}

// half answers a request by so many octets, and then waits.
func half(t *testing.T, far net.Conn, conf *tls.Config, n int) {
	t.Helper()
	c := tls.Server(far, conf)
	p, err := request(c)
	if err == nil {
		_, err = c.Write(accept(t, p)[:n])
	}
	if err != nil {
		t.Error(err)
	}
	_, _ = request(c) // until the other side ends
}

// How long a packet may take bounds no connection that is idle between two.
func TestIdleConnectionStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, made := piped(t, nil, taking(func(p radius.Packet) []byte { return accept(t, p) }))
		for range 3 {
			mustAccept(t, c)
			time.Sleep(time.Minute) // of the bubble
		}
		if made.Load() != 1 {
			t.Errorf("%d connections", made.Load())
		}
	})
}

// What answers logins needs no Status-Server.
func TestBusyConnectionIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := piped(t, func(o *upstream.Options) { o.Watchdog = 30 * time.Second }, taking(func(p radius.Packet) []byte {
			if p.Code() == radius.StatusServer {
				t.Error("it is asked by Status-Server")
			}
			return accept(t, p)
		}))
		for range 20 {
			mustAccept(t, c)
			time.Sleep(10 * time.Second) // of the bubble
		}
	})
}

// A connection that leaves Status-Server alone and answers a login meanwhile is
// not dead.
func TestConnectionThatAnswersLoginsIsNotDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan struct{}, 1)
		c, made := piped(t, func(o *upstream.Options) { o.Watchdog = 30 * time.Second }, taking(func(p radius.Packet) []byte {
			if p.Code() != radius.StatusServer {
				return accept(t, p)
			}
			asked <- struct{}{}
			return nil
		}))
		mustAccept(t, c)
		<-asked
		time.Sleep(time.Second) // of the bubble
		mustAccept(t, c)
		time.Sleep(upstream.DefaultPatience)
		if c.Counters()[0].Down {
			t.Error("it counts as down")
		}
		mustAccept(t, c)
		if made.Load() != 1 {
			t.Errorf("%d connections", made.Load())
		}
	})
}

// A connection found dead ends the logins that wait on it, and the server is
// down, whether or not anybody waits.
func TestDeadConnectionMarksItsServerDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan struct{}, 8)
		c, made := piped(t, func(o *upstream.Options) { o.Watchdog = 30 * time.Second }, func(far net.Conn, conf *tls.Config, number int64) {
			said := false
			taking(func(p radius.Packet) []byte {
				if p.Code() == radius.StatusServer {
					asked <- struct{}{}
				}
				if said {
					return nil // gone without a word
				}
				said = true
				return accept(t, p)
			})(far, conf, number)
		})
		mustAccept(t, c)
		<-asked
		time.Sleep(time.Second) // of the bubble
		start := time.Now()
		mustFail(t, c, "connection is dead")
		if took := time.Since(start); took != upstream.DefaultPatience-time.Second {
			t.Errorf("the login that waited ended after %v", took)
		}
		mustAccept(t, c)
		<-asked
		if c.Counters()[0].Down {
			t.Error("it is down before its time is over")
		}
		time.Sleep(upstream.DefaultPatience + time.Second)
		if !c.Counters()[0].Down || made.Load() != 2 {
			t.Errorf("%d connections, counted %+v", made.Load(), c.Counters()[0])
		}
	})
}

// Over TLS nothing is sent twice, however long an answer takes.
func TestNoCopiesOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := piped(t, func(o *upstream.Options) { o.Patience = time.Minute }, taking(func(p radius.Packet) []byte {
			time.Sleep(20 * time.Second) // of the bubble
			return accept(t, p)
		}))
		mustAccept(t, c)
		if got := c.Counters()[0]; got.Sent != 1 || got.Answered != 1 {
			t.Errorf("counted %+v", got)
		}
	})
}

// The largest packet is no fault of the stream; a secret of its own replaces
// that of the RFC.
func TestLargestAnswerUnderASecretOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var largest int
		c, made := piped(t, func(o *upstream.Options) { o.Homes[0].Secret = f.secret }, taking(func(p radius.Packet) []byte {
			w := radius.NewReply(nil, radius.AccessAccept, p)
			for range 15 {
				w.Add(radius.ReplyMessage, make([]byte, 253))
			}
			w.Add(radius.ReplyMessage, make([]byte, radius.MaxLength-radius.HeaderLength-18-15*255-2))
			b, err := radius.NewSecret(f.secret.Reveal()).SealReply(&w, p)
			if err != nil {
				t.Error(err)
			}
			largest = len(b)
			return b
		}))
		mustAccept(t, c)
		mustAccept(t, c)
		if largest != radius.MaxLength || made.Load() != 1 {
			t.Errorf("%d octets, %d connections", largest, made.Load())
		}
	})
}

// A connection that was being made when the client closed is closed as well.
func TestCloseWhileAConnectionIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, done, ended := make(chan struct{}), make(chan error, 1), false
		c, made := piped(t, nil, func(far net.Conn, conf *tls.Config, _ int64) {
			<-gate
			_, err := request(tls.Server(far, conf))
			ended = err != nil
		})
		go func() {
			_, err := c.Exchange(t.Context(), login())
			done <- err
		}()
		synctest.Wait()
		c.Close()
		close(gate)
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the login that waited: %v", err)
		}
		synctest.Wait()
		if !ended || made.Load() != 1 {
			t.Errorf("the connection is closed: %v, of %d", ended, made.Load())
		}
	})
}

// A server that does not trust us says so after the handshake, with TLS 1.3, and
// ends the connection: it counts as refusing, not as away, although what is
// written meanwhile gets nowhere.
func TestServerThatTrustsUsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		theirs := newSigner(t)
		c, _ := piped(t, nil, func(far net.Conn, conf *tls.Config, _ int64) {
			conf = conf.Clone()
			conf.ClientAuth, conf.ClientCAs = tls.RequireAndVerifyClientCert, theirs.pool()
			if tls.Server(far, conf).Handshake() == nil {
				t.Error("it trusts us")
			}
		})
		if _, err := c.Exchange(t.Context(), login()); cloud.KindOf(err) != cloud.Unavailable || !upstream.Refused(err) {
			t.Errorf("got %v, %s", err, cause(err))
		}
	})
}
