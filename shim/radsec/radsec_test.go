package radsec_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/confcheck"
	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
	"mfabridge/shim/radsec"
)

// verifier takes one code of everybody, any number of times.
type verifier struct{ cloud.Verifier }

func (verifier) Begin(_ context.Context, r cloud.Request) (cloud.Challenge, error) {
	c := cloud.Challenge{ID: "c1", User: "u1", State: cloud.Refused, Reason: cloud.WrongCode, Method: cloud.OATHCode}
	if string(r.Code.Reveal()) == "123456" {
		c.State, c.Reason = cloud.Approved, ""
	}
	return c, nil
}

func (verifier) Decisions(ctx context.Context) iter.Seq2[cloud.Decision, error] {
	return func(func(cloud.Decision, error) bool) { <-ctx.Done() }
}

func (verifier) Look(context.Context, []cloud.ChallengeID) ([]cloud.Decision, error) {
	return nil, nil
}

const yaml = `
engine: {store: sqlite:unused.db}
radius:
  radsec: {listen: ["127.0.0.1:0"], cert: SERVER, key: SERVER.key, ca: AUTHORITY, max_connections: 16}
  clients:
    - {name: gate, certificates: [gate.example], primary: none, primary_done_by_client: true, code_entry: only}
`

// rig is a shim behind a RadSec port.
type rig struct {
	ours, theirs *authority // whom it trusts, and whom not
	address      string
	server       *shim.Server
	listener     *radsec.Listener
	conf         *config.Config
	log          *bytes.Buffer
}

func start(t *testing.T) *rig {
	t.Helper()
	r := &rig{ours: newAuthority(t, "authority"), theirs: newAuthority(t, "foreign"), log: new(bytes.Buffer)}
	text := strings.NewReplacer("SERVER", r.ours.issue("shim.example", time.Hour), "AUTHORITY", r.ours.file).Replace(yaml)
	var err error
	if r.conf, _, err = config.Parse([]byte(text), "shim.yaml", t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if err := r.conf.MakeKeys(); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), r.log), nil))
	if r.server, err = shim.New(shim.Options{Config: r.conf, Verifier: verifier{}, Log: log}); err != nil {
		t.Fatal(err)
	}
	l, err := radsec.Listen(r.conf.RADIUS.RadSec.Addresses[0], r.conf.RADIUS.RadSec, log)
	if err != nil {
		t.Fatal(err)
	}
	r.address, r.listener = l.Addr().String(), l
	served := make(chan error, 1)
	go func() { served <- l.Serve(r.server) }()
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), r.server.Shutdown(context.Background()), <-served); err != nil {
			t.Errorf("end: %v", err)
		}
	})
	return r
}

// connect opens a connection with a certificate, or without one.
func (r *rig) connect(file string) (*tls.Conn, error) {
	c := &tls.Config{ServerName: "shim.example", RootCAs: r.conf.RADIUS.RadSec.Authorities}
	if file != "" {
		pair, err := tls.LoadX509KeyPair(file, file+".key")
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return tls.Dial("tcp", r.address, c)
}

// dial opens one that has to succeed.
func (r *rig) dial(t *testing.T, file string) *tls.Conn {
	t.Helper()
	conn, err := r.connect(file)
	if err != nil {
		t.Fatal(err) // with TLS 1.3 a refused certificate shows at the first read
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func request(t *testing.T, id byte, code string) []byte {
	t.Helper()
	s := radius.NewSecret([]byte("radsec"))
	w := radius.NewRequest(nil, radius.AccessRequest, id, [16]byte{id, 1})
	w.Add(radius.UserName, fmt.Appendf(nil, "user%d", id))
	w.AddPassword(s, []byte(code))
	b, err := s.SealRequest(&w)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reply reads one packet and checks that it answers one of these.
func reply(t *testing.T, c net.Conn, requests ...[]byte) radius.Packet {
	t.Helper()
	b := make([]byte, radius.MaxLength)
	if _, err := io.ReadFull(c, b[:4]); err != nil {
		t.Fatal(err)
	}
	n := int(b[2])<<8 | int(b[3])
	if _, err := io.ReadFull(c, b[4:n]); err != nil {
		t.Fatal(err)
	}
	p, err := radius.Parse(b[:n])
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range requests {
		q, err := radius.Parse(q)
		if err == nil && radius.NewSecret([]byte("radsec")).VerifyReply(p, q) == nil {
			return p
		}
	}
	t.Fatalf("%v answers nobody", p.Code())
	return p
}

func ended(t *testing.T, c net.Conn) {
	t.Helper()
	var timeout net.Error
	if n, err := c.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("still open: %d octets, %v", n, err)
	}
}

// RFC 6613: partial reads; many packets in one read.
func TestPacketsMayComeInAnyPieces(t *testing.T) {
	r := start(t)
	c := r.dial(t, r.ours.issue("gate.example", time.Hour))
	one := request(t, 1, "123456")
	for i := range one {
		if _, err := c.Write(one[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if p := reply(t, c, one); p.Code() != radius.AccessAccept {
		t.Errorf("one octet at a time: %v", p.Code())
	}
	var many []byte
	var all [][]byte
	for id := range 100 {
		all = append(all, request(t, byte(100+id), "000000"))
		many = append(many, all[id]...)
	}
	if _, err := c.Write(many); err != nil {
		t.Fatal(err)
	}
	for range all {
		if p := reply(t, c, all...); p.Code() != radius.AccessReject {
			t.Errorf("a hundred at once: %v", p.Code())
		}
	}
}

// Certificates: right, foreign, expired, none, right but of nobody.
func TestOnlyAKnownCertificateIsServed(t *testing.T) {
	var r *rig
	t.Cleanup(func() { // nobody writes any more
		for _, want := range []string{"no client has the certificate", "other.example", "packet dropped", "RadSec connection has ended"} {
			if !strings.Contains(r.log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, r.log)
			}
		}
	})
	r = start(t)
	for name, file := range map[string]string{"foreign": r.theirs.issue("gate.example", time.Hour), "expired": r.ours.issue("gate.example", -time.Hour),
		"none": "", "of nobody": r.ours.issue("other.example", time.Hour)} {
		c := r.dial(t, file)
		if name != "of nobody" { // which is closed whether it asks or not
			_, _ = c.Write(request(t, 1, "123456")) // may fail already
		}
		ended(t, c)
		if got := r.server.Counters().Logins["accept"]; got != 0 {
			t.Errorf("%s: %d accepted", name, got)
		}
	}
}

// A bad length or authenticator closes the connection.
func TestABadPacketEndsTheConnection(t *testing.T) {
	r := start(t)
	file := r.ours.issue("gate.example", time.Hour)
	good := request(t, 1, "123456")
	forged := bytes.Clone(good)
	forged[radius.HeaderLength+2] ^= 1
	long, short, broken := bytes.Clone(good), bytes.Clone(good), bytes.Clone(good)
	long[2], long[3] = 0x10, 0x01
	short[2], short[3] = 0, 19
	broken[radius.HeaderLength+1] = 1
	for name, b := range map[string][]byte{"forged": forged, "too long": long, "too short": short, "broken attribute": broken} {
		c := r.dial(t, file)
		if _, err := c.Write(append(b, good...)); err != nil {
			t.Fatal(err)
		}
		ended(t, c)
		if got := r.server.Counters().Logins["accept"]; got != 0 {
			t.Errorf("%s: what came behind it was answered", name)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	var r *rig
	t.Cleanup(func() { // nobody writes any more
		if !strings.Contains(r.log.String(), "too many RadSec connections") {
			t.Errorf("the log does not say it:\n%s", r.log)
		}
	})
	r = start(t)
	file := r.ours.issue("gate.example", time.Hour)
	var last *tls.Conn
	for range 4 { // a quarter of 16
		last = r.dial(t, file)
		asked(t, last, 1) // the other side is through with its handshake
	}
	raw, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if err := raw.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	ended(t, raw)
	// Where one has ended there is room for another.
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	limit := time.After(10 * time.Second)
	for {
		c, err := r.connect(file)
		if err == nil {
			defer func() { _ = c.Close() }()
			if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if p := asked(t, c, 1); p.Code() != radius.AccessAccept {
				t.Errorf("answered by %v", p.Code())
			}
			return
		}
		select {
		case <-limit:
			t.Fatalf("nobody gets the place of who has gone: %v", err)
		case <-time.After(10 * time.Millisecond): // the other side has yet to see that it has ended
		}
	}
}

// The common name of a certificate counts only where it has no other.
func TestNamesOfACertificate(t *testing.T) {
	for want, c := range map[string]*x509.Certificate{
		"gate.example,web.example": {DNSNames: []string{"Gate.example", "web.EXAMPLE"}, Subject: pkix.Name{CommonName: "vpn.example"}},
		"vpn.example":              {Subject: pkix.Name{CommonName: "VPN.example"}},
		"":                         {},
	} {
		names := radsec.Names(c)
		if got := strings.Join(names[1:], ","); got != want || !strings.HasPrefix(names[0], "sha256:e3b0c442") {
			t.Errorf("%q, want %q", names, want)
		}
	}
}

func TestAClientThatIsRemovedIsServedNoLonger(t *testing.T) {
	r := start(t)
	c := r.dial(t, r.ours.issue("gate.example", time.Hour))
	one, two := request(t, 1, "123456"), request(t, 2, "123456")
	if _, err := c.Write(one); err != nil {
		t.Fatal(err)
	}
	reply(t, c, one)
	next := *r.conf
	next.RADIUS.Clients = []config.Client{r.conf.RADIUS.Clients[0]}
	next.RADIUS.Clients[0].Certificates = []string{"another.example"}
	if err := r.server.Swap(&next, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(two); err != nil {
		t.Fatal(err)
	}
	ended(t, c)
}

// asked logs somebody in.
func asked(t *testing.T, c net.Conn, id byte) radius.Packet {
	t.Helper()
	b := request(t, id, "123456")
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	return reply(t, c, b)
}

// A new certificate is shown to those who connect from then on; new authorities
// end what the old ones have let in.
func TestCertificatesAreRenewed(t *testing.T) {
	r := start(t)
	good := r.ours.issue("gate.example", time.Hour)
	before := r.dial(t, good)
	if p := asked(t, before, 1); p.Code() != radius.AccessAccept {
		t.Errorf("answered by %v", p.Code())
	}
	next := *r.conf.RADIUS.RadSec
	file := r.ours.issue("shim.example", 2*time.Hour)
	pair, err := tls.LoadX509KeyPair(file, file+".key")
	if err != nil {
		t.Fatal(err)
	}
	next.Certificate = pair
	r.listener.Renew(&next)
	if p := asked(t, before, 2); p.Code() != radius.AccessAccept {
		t.Errorf("a connection from before: answered by %v", p.Code())
	}
	after := r.dial(t, good)
	if got := after.ConnectionState().PeerCertificates[0].Raw; !bytes.Equal(got, pair.Certificate[0]) {
		t.Error("the certificate is the old one")
	}
	if p := asked(t, after, 3); p.Code() != radius.AccessAccept {
		t.Errorf("answered by %v", p.Code())
	}
	last := next
	last.Authorities, last.Roots = x509.NewCertPool(), confcheck.PEM("others")
	last.Authorities.AddCert(r.theirs.cert)
	r.listener.Renew(&last)
	ended(t, before)
	ended(t, after)
	ended(t, r.dial(t, good))
}

// A connection lives no longer than the certificate that it was made with, nor
// than RadSec itself.
func TestConnectionsEndWithTheirCertificate(t *testing.T) {
	r := start(t)
	long, short := r.dial(t, r.ours.issue("gate.example", time.Hour)), r.shortLived(t)
	ended(t, short)
	_ = long.SetDeadline(time.Now().Add(10 * time.Second))
	if p := asked(t, long, 2); p.Code() != radius.AccessAccept {
		t.Errorf("the other one is answered by %v", p.Code())
	}
	r.listener.Renew(nil)
	ended(t, long)
}

// shortLived is a connection that was answered, with a certificate that is about
// to end: where it ended before, on a host that is busy, one that lives longer.
func (r *rig) shortLived(t *testing.T) net.Conn {
	t.Helper()
	var err error
	for life := 3 * time.Second; life < time.Minute; life *= 2 {
		var c *tls.Conn
		if c, err = r.connect(r.ours.issue("gate.example", life)); err != nil {
			continue
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(life + 10*time.Second))
		answer := make([]byte, radius.MaxLength)
		if _, err = c.Write(request(t, 1, "123456")); err == nil {
			_, err = io.ReadFull(c, answer[:radius.HeaderLength])
		}
		if err != nil {
			continue
		}
		if rest := answer[radius.HeaderLength:binary.BigEndian.Uint16(answer[2:])]; answer[0] != byte(radius.AccessAccept) {
			t.Errorf("answered by %d", answer[0])
		} else if _, err = io.ReadFull(c, rest); err == nil {
			return c
		}
	}
	t.Fatalf("no connection is answered: %v", err)
	return nil
}

// Whoever connects and proves nothing writes one line a second, not one each.
func TestHandshakesThatFailDoNotFillTheLog(t *testing.T) {
	var r *rig
	begun := time.Now()
	t.Cleanup(func() { // nobody writes any more
		seconds := int(time.Since(begun) / time.Second)
		if n := strings.Count(r.log.String(), "RadSec handshake failed"); n == 0 || n > seconds+1 {
			t.Errorf("%d lines in %d seconds:\n%s", n, seconds, r.log)
		}
	})
	r = start(t)
	for range 20 {
		raw, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := raw.Write([]byte("no TLS at all\n")); err != nil {
			t.Fatal(err)
		}
		_ = raw.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.Copy(io.Discard, raw) // until it is closed
		_ = raw.Close()
	}
}

// Each address hears its own family, as with UDP, so that both can be listed.
func TestBothFamiliesCanBeListed(t *testing.T) {
	four, err := radsec.Open(netip.MustParseAddrPort("0.0.0.0:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer four.Close()
	port := uint16(four.Addr().(*net.TCPAddr).Port)
	six, err := radsec.Open(netip.AddrPortFrom(netip.IPv6Unspecified(), port))
	if errors.Is(err, syscall.EADDRINUSE) { // a host may have no IPv6
		t.Error(err)
	}
	if err == nil {
		defer six.Close()
	}
	if a := four.Addr().(*net.TCPAddr).AddrPort().Addr(); !a.Is4() {
		t.Errorf("0.0.0.0 is %s", a)
	}
}
