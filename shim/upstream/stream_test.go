package upstream_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// signer is an authority that exists for a test.
type signer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newSigner(t *testing.T) *signer {
	s := &signer{t: t}
	pair := s.issue("authority", time.Hour, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign })
	s.cert, s.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	return s
}

func (s *signer) issue(name string, life time.Duration, change func(*x509.Certificate)) tls.Certificate {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life), BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature}
	if change != nil {
		change(template)
	}
	parent, by := s.cert, s.key
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		s.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (s *signer) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.cert)
	return p
}

// tlsHome is a home server over TLS that shows faults which a genuine one
// cannot be made to show.
type tlsHome struct {
	t       *testing.T
	ours    *signer
	l       net.Listener
	made    atomic.Int64 // connections
	serve   func(c net.Conn, number int64)
	address string
	ended   sync.WaitGroup
}

// newTLSHome serves with a certificate; serve runs for each connection.
func newTLSHome(t *testing.T, ours *signer, cert tls.Certificate, serve func(net.Conn, int64)) *tlsHome {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool()})
	if err != nil {
		t.Fatal(err)
	}
	h := &tlsHome{t: t, ours: ours, l: l, address: l.Addr().String(), serve: serve}
	h.ended.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			number := h.made.Add(1)
			h.ended.Go(func() {
				defer func() { _ = c.Close() }()
				h.serve(c, number)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return h
}

// request reads one packet of a connection.
func request(c net.Conn) (radius.Packet, error) {
	b := make([]byte, radius.MaxLength)
	if _, err := io.ReadFull(c, b[:4]); err != nil {
		return radius.Packet{}, err
	}
	n := int(binary.BigEndian.Uint16(b[2:4]))
	if _, err := io.ReadFull(c, b[4:n]); err != nil {
		return radius.Packet{}, err
	}
	return radius.Parse(b[:n])
}

// accept is the authentic answer to a request.
func accept(t *testing.T, p radius.Packet) []byte {
	t.Helper()
	code := radius.AccessAccept
	if p.Code() == radius.AccountingRequest {
		code = radius.AccountingResponse
	}
	return (&fake{secret: secret.FromString("radsec")}).reply(t, code, p, "")
}

// echo answers everything.
func echo(t *testing.T) func(net.Conn, int64) {
	return func(c net.Conn, _ int64) {
		for {
			p, err := request(c)
			if err != nil {
				return
			}
			if _, err := c.Write(accept(t, p)); err != nil {
				return
			}
		}
	}
}

func (s *signer) config(name string, cert tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.pool(), ServerName: name, Certificates: []tls.Certificate{cert}}
}

// overTLS makes a client of home servers.
func overTLS(t *testing.T, change func(*upstream.Options), homes ...*tlsHome) *upstream.Client {
	t.Helper()
	o := upstream.Options{Patience: 5 * time.Second}
	for _, h := range homes {
		o.Homes = append(o.Homes, upstream.Home{Address: h.address, Observe: true, TLS: h.ours.config("home.example", h.ours.issue("shim.example", time.Hour, nil))})
	}
	if change != nil {
		change(&o)
	}
	c, err := upstream.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func home(t *testing.T, serve func(net.Conn, int64)) *tlsHome {
	t.Helper()
	ours := newSigner(t)
	return newTLSHome(t, ours, ours.issue("home.example", time.Hour, nil), serve)
}

func mustAccept(t *testing.T, c *upstream.Client) {
	t.Helper()
	r, err := c.Exchange(t.Context(), login())
	if err != nil {
		t.Fatal(err)
	}
	if r.Packet.Code() != radius.AccessAccept {
		t.Fatalf("answered by %v", r.Packet.Code())
	}
}

func mustFail(t *testing.T, c *upstream.Client, want string) {
	t.Helper()
	_, err := c.Exchange(t.Context(), login())
	if cloud.KindOf(err) != cloud.Unavailable || !strings.Contains(err.Error()+cause(err), want) {
		t.Fatalf("got %v, %s, want an error with %q", err, cause(err), want)
	}
}

// cause is what is behind an error of the vocabulary.
func cause(err error) string {
	var e *cloud.Error
	if errors.As(err, &e) && e.Err != nil {
		return e.Err.Error()
	}
	return ""
}

// One connection carries all requests, 256 at a time, in whatever order and
// pieces the answers come.
func TestOneConnectionCarries256Requests(t *testing.T) {
	const n = 256
	h := home(t, func(c net.Conn, _ int64) {
		var all []byte
		for range n {
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
		"too long":      func(b []byte) []byte { b[2], b[3] = 0x10, 1; return b },
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
	c := overTLS(t, func(o *upstream.Options) { o.Watchdog, o.Patience = 50*time.Millisecond, 200*time.Millisecond }, h)
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
	last := time.Duration(0)
	for range 6 { // each pause is longer than the one before, up to half of Probe
		before, pause := dialed.Load(), time.Duration(0)
		for dialed.Load() == before {
			now, pause = now.Add(50*time.Millisecond), pause+50*time.Millisecond
			_, _ = c.Exchange(t.Context(), login()) // fails
		}
		if pause < min(last, 4*time.Second) || pause > 6*time.Second {
			t.Errorf("a pause of %s after one of %s", pause, last)
		}
		last = pause
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
			if taken.Load() != 0 {
				t.Error("a request got through")
			}
		})
	}
}
