package upstream_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// One connection carries all requests, 255 at a time, in whatever order and
// pieces the answers come.
func TestOneConnectionCarries255Requests(t *testing.T) {
	const n = 300 // of which 45 wait for an identifier
	h := home(t, func(c net.Conn, _ int64) {
		var all []byte
		for range 255 {
			p, err := request(c)
			if err != nil {
				t.Error(err)
				return
			}
			all = append(accept(t, p), all...) // the last first
		}
		for len(all) > 0 { // many in one read, and pieces
			k := min(len(all), 1000)
			if _, err := c.Write(all[:k]); err != nil {
				t.Error(err)
				return
			}
			all = all[k:]
		}
		echo(t)(c, 0)
	})
	c := overTLS(t, nil, h)
	var each sync.WaitGroup
	for range n {
		each.Go(func() {
			if _, err := c.Exchange(t.Context(), login()); err != nil {
				t.Error(err)
			}
		})
	}
	each.Wait()
	mustAccept(t, c)
	if err := c.Account(t.Context(), []upstream.Attribute{{Type: 40, Value: []byte{0, 0, 0, 1}}}); err != nil {
		t.Error(err)
	}
	if got := c.Counters()[0]; h.made.Load() != 1 || got.Sent != n+2 || got.Answered != n+2 || got.Dropped != 0 {
		t.Errorf("%d connections, %+v", h.made.Load(), got)
	}
}

func TestAnswerOctetByOctet(t *testing.T) {
	h := home(t, func(c net.Conn, _ int64) {
		p, err := request(c)
		if err != nil {
			t.Error(err)
			return
		}
		for _, b := range accept(t, p) {
			if _, err := c.Write([]byte{b}); err != nil {
				t.Error(err)
				return
			}
		}
		_, _ = request(c) // until the other side ends
	})
	mustAccept(t, overTLS(t, nil, h))
}

// A wrong length or authenticator, or half a packet, ends the connection; the
// next login has a new one, where answers are good again.
func TestWhatComesInWrongEndsTheConnection(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"too short":     func(b []byte) []byte { b[2], b[3] = 0, 19; return b },
		"no length":     func(b []byte) []byte { b[2], b[3] = 0, 3; return b },
		"too long":      func(b []byte) []byte { b[2], b[3] = 0x10, 1; return b },
		"far too long":  func(b []byte) []byte { return append(append(b[:2:2], 0xff, 0xff), make([]byte, 1<<16-5)...) },
		"authenticator": func(b []byte) []byte { b[10] ^= 1; return b },
		"attribute":     func(b []byte) []byte { b[21] = 0; return b },
		"half a packet": func(b []byte) []byte { return b[:len(b)-3] },
		"nothing":       func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			h := home(t, func(c net.Conn, number int64) {
				if number > 1 {
					echo(t)(c, number)
					return
				}
				p, err := request(c)
				if err != nil {
					return
				}
				spoiled := spoil(accept(t, p))
				_, _ = c.Write(spoiled)
				if n := len(spoiled); n > 0 && int(binary.BigEndian.Uint16(spoiled[2:])) == n {
					_, _ = request(c) // the other side has to end it
				}
			})
			c := overTLS(t, func(o *upstream.Options) { o.Now = stepping() }, h)
			mustFail(t, c, "connection was lost")
			mustAccept(t, c)
			if got := c.Counters()[0]; h.made.Load() != 2 || got.Sent != 2 || got.Lost != 1 {
				t.Errorf("%d connections, %+v", h.made.Load(), got)
			}
		})
	}
}

// stepping is a clock on which every look costs a minute, so that no pause
// between connections is felt.
func stepping() func() time.Time {
	var n atomic.Int64
	start := time.Now()
	return func() time.Time { return start.Add(time.Duration(n.Add(1)) * time.Minute) }
}

func TestLossWithRequestsInFlightEndsThemAtOnce(t *testing.T) {
	const n = 20
	other := home(t, echo(t))
	h := home(t, func(c net.Conn, _ int64) {
		for range n {
			if _, err := request(c); err != nil {
				return
			}
		}
	})
	c := overTLS(t, func(o *upstream.Options) { o.Patience = time.Hour }, h, other)
	var each sync.WaitGroup
	for range n {
		each.Go(func() {
			if r, err := c.Exchange(t.Context(), login()); err != nil || r.Server != other.address {
				t.Errorf("answered by %s, %v", r.Server, err)
			}
		})
	}
	each.Wait()
	if got := c.Counters(); got[0].Sent != n || got[0].Lost != n || !got[0].Down || got[1].Answered != n || other.made.Load() != 1 {
		t.Errorf("%+v", got)
	}
}

// A connection whose other side has gone without a word takes what is written
// and answers nothing: the watchdog finds out, with nothing sent twice.
func TestHalfOpenConnectionIsFoundByTheWatchdog(t *testing.T) {
	asked, gone := make(chan radius.Code, 8), make(chan struct{})
	h := home(t, func(c net.Conn, number int64) {
		if number > 1 {
			echo(t)(c, number)
			return
		}
		p, err := request(c)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := c.Write(accept(t, p)); err != nil {
			t.Error(err)
		}
		for { // from now on it is silent
			p, err := request(c)
			if err != nil {
				close(gone)
				return
			}
			asked <- p.Code()
		}
	})
	c := overTLS(t, func(o *upstream.Options) { o.Watchdog, o.Patience = 50*time.Millisecond, 4*time.Second }, h)
	mustAccept(t, c)
	if code := <-asked; code != radius.StatusServer {
		t.Errorf("asked by %v", code)
	}
	<-gone
	mustAccept(t, c)
	if got := c.Counters()[0]; h.made.Load() != 2 || got.Down {
		t.Errorf("%d connections, %+v", h.made.Load(), got)
	}
}

// A connection that answers the watchdog goes on.
func TestIdleConnectionThatAnswersTheWatchdogStays(t *testing.T) {
	probes := make(chan struct{}, 64)
	h := home(t, func(c net.Conn, _ int64) {
		for {
			p, err := request(c)
			if err != nil {
				return
			}
			if p.Code() == radius.StatusServer {
				select {
				case probes <- struct{}{}:
				default:
				}
			}
			if _, err := c.Write(accept(t, p)); err != nil {
				return
			}
		}
	})
	c := overTLS(t, func(o *upstream.Options) { o.Watchdog = 20 * time.Millisecond }, h)
	mustAccept(t, c)
	for range 3 {
		<-probes
	}
	mustAccept(t, c)
	if h.made.Load() != 1 || c.Counters()[0].Down {
		t.Errorf("%d connections, %+v", h.made.Load(), c.Counters())
	}
}

// Who has closed an idle connection is asked over a new one, and nothing is lost.
func TestIdleConnectionThatWasClosedIsMadeAnew(t *testing.T) {
	h := home(t, func(c net.Conn, number int64) {
		if number > 1 {
			echo(t)(c, number)
			return
		}
		p, err := request(c)
		if err == nil {
			_, err = c.Write(accept(t, p))
		}
		if err != nil {
			t.Error(err)
		}
	})
	closed := make(chan struct{})
	c := overTLS(t, func(o *upstream.Options) {
		o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			return &noticed{Conn: raw, closed: closed}, err
		}
	}, h)
	mustAccept(t, c)
	<-closed
	mustAccept(t, c)
	if got := c.Counters()[0]; h.made.Load() != 2 || got.Lost != 0 || got.Down {
		t.Errorf("%d connections, %+v", h.made.Load(), got)
	}
}

// noticed tells when it is closed for the first time.
type noticed struct {
	net.Conn
	closed chan struct{}
	once   sync.Once
}

func (n *noticed) Close() error {
	err := n.Conn.Close()
	n.once.Do(func() {
		select {
		case <-n.closed:
		default:
			close(n.closed)
		}
	})
	return err
}

func TestConnectionsThatComeToNothingAreNotMadeInARow(t *testing.T) {
	now := time.Now()
	var dialed atomic.Int64
	c := overTLS(t, func(o *upstream.Options) {
		o.Now = func() time.Time { return now }
		o.Dial = func(context.Context, string) (net.Conn, error) {
			dialed.Add(1)
			return nil, errors.New("connection refused")
		}
	}, home(t, echo(t)))
	mustFail(t, c, "connection refused")
	for range 50 {
		mustFail(t, c, "left alone")
	}
	want := 250 * time.Millisecond
	for range 50 { // each pause is twice the one before, up to half of Probe, for good
		before, pause := dialed.Load(), time.Duration(0)
		for dialed.Load() == before && pause < time.Minute {
			now, pause = now.Add(50*time.Millisecond), pause+50*time.Millisecond
			_, _ = c.Exchange(t.Context(), login()) // fails
		}
		if pause < want*9/10 || pause > want*11/10+50*time.Millisecond {
			t.Errorf("a pause of %s, want about %s", pause, want)
		}
		want = min(2*want, 5*time.Second)
	}
}

func TestForeignExpiredAndMisnamedCertificates(t *testing.T) {
	ours, theirs := newSigner(t), newSigner(t)
	right := ours.issue("shim.example", time.Hour, nil)
	for name, test := range map[string]struct {
		server, client tls.Certificate
		name, want     string
	}{
		"right":          {ours.issue("home.example", time.Hour, nil), right, "home.example", ""},
		"foreign server": {theirs.issue("home.example", time.Hour, nil), right, "home.example", "unknown authority"},
		"expired server": {ours.issue("home.example", -time.Minute, nil), right, "home.example", "expired"},
		"misnamed":       {ours.issue("else.example", time.Hour, nil), right, "home.example", "not home.example"},
		"foreign client": {ours.issue("home.example", time.Hour, nil), theirs.issue("shim.example", time.Hour, nil), "home.example", "tls"},
		"expired client": {ours.issue("home.example", time.Hour, nil), ours.issue("shim.example", -time.Minute, nil), "home.example", "tls"},
		"no client":      {ours.issue("home.example", time.Hour, nil), tls.Certificate{}, "home.example", "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			var taken atomic.Int64
			h := newTLSHome(t, ours, test.server, func(c net.Conn, n int64) {
				p, err := request(c)
				if err != nil {
					return
				}
				taken.Add(1)
				_, _ = c.Write(accept(t, p))
				_, _ = request(c) // until the other side ends
			})
			c := overTLS(t, func(o *upstream.Options) { o.Homes[0].TLS = ours.config(test.name, test.client) }, h)
			if test.want == "" {
				mustAccept(t, c)
				return
			}
			mustFail(t, c, test.want)
			for _, err := range overTLS(t, func(o *upstream.Options) { o.Homes[0].TLS = ours.config(test.name, test.client) }, h).Check(t.Context()) {
				if !strings.HasSuffix(name, "client") && !upstream.Refused(err) {
					t.Errorf("it counts as away: %v", err)
				}
			}
			if taken.Load() != 0 {
				t.Error("a request got through")
			}
		})
	}
}
