package upstream_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

func TestExchangeReturnsTheVerdict(t *testing.T) {
	for _, code := range []radius.Code{radius.AccessAccept, radius.AccessReject, radius.AccessChallenge} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.always(t, code)
			c := clientOf(t, nil, f)
			defer c.Close()
			r, err := c.Exchange(t.Context(), login())
			if err != nil || r.Packet.Code() != code || r.Server != "home0:1812" || !r.Signed {
				t.Fatalf("got %v of %q, signed %v, %v", r.Packet.Code(), r.Server, r.Signed, err)
			}
			seen, _ := f.datagrams()
			p, err := radius.Parse(seen[0])
			if err != nil || radius.NewSecret(f.secret.Reveal()).VerifyRequest(p) != nil || seen[0][radius.HeaderLength] != byte(radius.MessageAuthenticator) {
				t.Error("the request does not begin with a right Message-Authenticator")
			}
			hidden, _ := p.Lookup(radius.UserPassword)
			clear, err := radius.NewSecret(f.secret.Reveal()).Password(nil, hidden, p.Authenticator())
			if err != nil || string(clear) != "pa55" {
				t.Error("the password does not arrive")
			}
		})
	}
}

func TestCopiesAreEqualAndFurtherAndFurtherApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = func(p radius.Packet, n int) [][]byte {
			if n < 7 {
				return nil
			}
			return [][]byte{f.reply(t, radius.AccessAccept, p, "")}
		}
		c := clientOf(t, func(o *upstream.Options) { o.Patience = 90 * time.Second }, f)
		defer c.Close()
		if _, err := c.Exchange(t.Context(), login()); err != nil {
			t.Fatal(err)
		}
		seen, at := f.datagrams()
		if len(seen) != 8 {
			t.Fatalf("%d copies, want 8", len(seen))
		}
		for i, seconds := range []time.Duration{1, 2, 4, 8, 16, 16, 16} {
			want := seconds * time.Second
			if !bytes.Equal(seen[i], seen[i+1]) {
				t.Errorf("copy %d differs from the one before", i+1)
			}
			if got := at[i+1].Sub(at[i]); got < want*89/100 || got > want*111/100 {
				t.Errorf("copy %d comes after %v, want about %v", i+1, got, want)
			}
		}
	})
}

func TestNoIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFake(), newFake()
		first.always(t, radius.AccessReject)
		second.always(t, radius.AccessAccept)
		c := clientOf(t, nil, first, second)
		defer c.Close()
		r, err := c.Exchange(t.Context(), login())
		if err != nil || r.Packet.Code() != radius.AccessReject {
			t.Fatalf("got %v, %v", r.Packet.Code(), err)
		}
		if seen, _ := second.datagrams(); len(seen) != 0 {
			t.Error("the second server was asked although the first had said no")
		}
	})
}

func TestSilentServerIsLeftUntilItAnswersStatusServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFake(), newFake()
		second.always(t, radius.AccessAccept)
		c := clientOf(t, nil, first, second)
		defer c.Close()
		for range 2 {
			if r, err := c.Exchange(t.Context(), login()); err != nil || r.Server != "home1:1812" {
				t.Fatalf("got %q, %v", r.Server, err)
			}
		}
		if seen, _ := first.datagrams(); len(seen) > 3 { // one login with its copies
			t.Errorf("the silent server was asked %d times by logins", len(seen))
		}
		time.Sleep(40 * time.Second) // of the bubble: two probes, whatever the jitter
		probes := probesOf(t, first)
		if len(probes) < 2 || probes[0].Identifier() == probes[1].Identifier() && bytes.Equal(probes[0].Authenticator(), probes[1].Authenticator()) {
			t.Fatalf("%d probes, each has to be new", len(probes))
		}
		first.becomes(func(p radius.Packet, _ int) [][]byte { return [][]byte{first.reply(t, radius.AccessAccept, p, "")} })
		time.Sleep(25 * time.Second)
		if r, err := c.Exchange(t.Context(), login()); err != nil || r.Server != "home0:1812" {
			t.Errorf("after its answer %q is asked, %v", r.Server, err)
		}
	})
}

func probesOf(t *testing.T, f *fake) []radius.Packet {
	t.Helper()
	seen, _ := f.datagrams()
	var probes []radius.Packet
	for _, b := range seen {
		if p, err := radius.Parse(b); err == nil && p.Code() == radius.StatusServer {
			if radius.NewSecret(f.secret.Reveal()).VerifyRequest(p) != nil {
				t.Error("a probe has no right Message-Authenticator")
			}
			probes = append(probes, p)
		}
	}
	return probes
}

func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clientOf(t, nil, newFake(), newFake())
		defer c.Close()
		start := time.Now()
		_, err := c.Exchange(t.Context(), login())
		if cloud.KindOf(err) != cloud.Unavailable {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(start); took != 2*upstream.DefaultPatience {
			t.Errorf("gave up after %v", took)
		}
		for _, got := range c.Counters() {
			if got.Lost != 1 || !got.Down {
				t.Errorf("counted %+v", got)
			}
		}
		if c.Ready(t.Context()) == nil {
			t.Error("both servers are silent, and one counts as up")
		}
		if strings.Contains(err.Error(), "pa55") || strings.Contains(err.Error(), "horse") {
			t.Error("the error holds a secret")
		}
	})
}

// TestForgedAnswersAreDropped: each forgery comes before the right answer,
// which alone counts.
func TestForgedAnswersAreDropped(t *testing.T) {
	forgeries := map[string]func(t *testing.T, f *fake, p radius.Packet) []byte{
		"other secret": func(t *testing.T, _ *fake, p radius.Packet) []byte {
			return (&fake{secret: secret.FromString("another secret")}).reply(t, radius.AccessAccept, p, "")
		},
		"no Message-Authenticator": func(t *testing.T, f *fake, p radius.Packet) []byte {
			return unsigned(f, radius.AccessAccept, p, nil)
		},
		"unknown attribute and no Message-Authenticator": func(t *testing.T, f *fake, p radius.Packet) []byte {
			return unsigned(f, radius.AccessAccept, p, []byte{33, 10, 1, 2, 3, 4, 5, 6, 7, 8})
		},
		"one bit of the text": func(t *testing.T, f *fake, p radius.Packet) []byte {
			b := f.reply(t, radius.AccessAccept, p, "welcome")
			b[len(b)-1] ^= 1
			return b
		},
		"other identifier": func(t *testing.T, f *fake, p radius.Packet) []byte {
			b := f.reply(t, radius.AccessAccept, p, "")
			b[1]++
			return b
		},
		"an answer to accounting": func(_ *testing.T, f *fake, p radius.Packet) []byte {
			return unsigned(f, radius.AccountingResponse, p, nil)
		},
		"not a reply":     func(t *testing.T, f *fake, p radius.Packet) []byte { return f.reply(t, radius.AccessRequest, p, "") },
		"no packet":       func(*testing.T, *fake, radius.Packet) []byte { return []byte("hello") },
		"our own request": func(_ *testing.T, _ *fake, p radius.Packet) []byte { return p.Bytes() },
	}
	for name, forge := range forgeries {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.answer = func(p radius.Packet, n int) [][]byte {
					if n == 0 {
						return [][]byte{forge(t, f, p)}
					}
					return [][]byte{f.reply(t, radius.AccessReject, p, "")}
				}
				c := clientOf(t, nil, f)
				defer c.Close()
				r, err := c.Exchange(t.Context(), login())
				if err != nil || r.Packet.Code() != radius.AccessReject {
					t.Fatalf("the forgery counted: %v, %v", r.Packet.Code(), err)
				}
				if got := c.Counters()[0]; got.Dropped != 1 || got.Answered != 1 || got.Unsigned != 0 {
					t.Errorf("counted %+v", got)
				}
			})
		})
	}
}

// unsigned is a reply with a right Response Authenticator and without
// Message-Authenticator, as servers made them before 2024.
func unsigned(f *fake, code radius.Code, request radius.Packet, attributes []byte) []byte {
	b := append([]byte{byte(code), request.Identifier(), 0, 0}, request.Authenticator()...)
	b = append(b, attributes...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	sum := md5.Sum(append(append([]byte(nil), b...), f.secret.Reveal()...))
	copy(b[4:], sum[:])
	return b
}

func TestObserveTakesAnswersWithoutMessageAuthenticatorAndCountsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = func(p radius.Packet, n int) [][]byte {
			if n == 0 { // a wrong one is never taken
				b := f.reply(t, radius.AccessAccept, p, "")
				b[radius.HeaderLength+4] ^= 1
				return [][]byte{b}
			}
			if n == 1 { // EAP is never taken without
				return [][]byte{unsigned(f, radius.AccessAccept, p, []byte{79, 6, 3, 1, 0, 4})}
			}
			return [][]byte{unsigned(f, radius.AccessAccept, p, nil)}
		}
		c := clientOf(t, func(o *upstream.Options) { o.Homes[0].Observe = true }, f)
		defer c.Close()
		r, err := c.Exchange(t.Context(), login())
		if err != nil || r.Signed || r.Packet.Code() != radius.AccessAccept {
			t.Fatalf("got %v, signed %v, %v", r.Packet.Code(), r.Signed, err)
		}
		if got := c.Counters()[0]; got.Unsigned != 1 || got.Dropped != 2 {
			t.Errorf("counted %+v", got)
		}
	})
}

// A server that is observed, and answers one kind of EAP packet without
// Message-Authenticator, as FreeRADIUS 3.2.1 does EAP-Start, is there all the
// same: else anybody could have it left alone, who needs no password for that.
func TestUnsignedEAPDoesNotTakeAServerAway(t *testing.T) {
	for observe, down := range map[bool]bool{true: false, false: true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.answer = func(p radius.Packet, _ int) [][]byte {
				return [][]byte{unsigned(f, radius.AccessChallenge, p, []byte{79, 7, 1, 0, 0, 5, 1})}
			}
			c := clientOf(t, func(o *upstream.Options) { o.Homes[0].Observe = observe }, f)
			defer c.Close()
			_, err := c.Exchange(t.Context(), upstream.Request{Attributes: []upstream.Attribute{{Type: radius.UserName, Value: []byte("ada")}, {Type: radius.EAPMessage}}})
			if err == nil || !upstream.Refused(err) {
				t.Errorf("observed %v: %v", observe, err)
			}
			if got := c.Counters()[0]; got.Down != down || got.Lost == 0 {
				t.Errorf("observed %v: %+v", observe, got)
			}
		})
	}
}

// What an attacker adds to a request to have the answer forged comes back in it:
// no request of ours has a Proxy-State. With a Message-Authenticator it is a
// server's own oddity.
func TestProxyStateThatNoRequestHadIsNoAnswer(t *testing.T) {
	proxied := []byte{33, 5, 'x', 'y', 'z'}
	for name, c := range map[string]struct {
		answer  func(f *fake, p radius.Packet) []byte
		refused bool
	}{
		"unsigned": {func(f *fake, p radius.Packet) []byte { return unsigned(f, radius.AccessAccept, p, proxied) }, true},
		"behind others": {func(f *fake, p radius.Packet) []byte {
			return unsigned(f, radius.AccessAccept, p, append([]byte{25, 3, 'c'}, proxied...))
		}, true},
		"a refusal": {func(f *fake, p radius.Packet) []byte { return unsigned(f, radius.AccessReject, p, proxied) }, true},
		"without":   {func(f *fake, p radius.Packet) []byte { return unsigned(f, radius.AccessAccept, p, []byte{25, 3, 'c'}) }, false},
		"signed": {func(f *fake, p radius.Packet) []byte {
			w := radius.NewReply(nil, radius.AccessAccept, p)
			w.Add(radius.ProxyState, []byte("xyz"))
			b, err := radius.NewSecret(f.secret.Reveal()).SealReply(&w, p)
			if err != nil {
				t.Error(err)
			}
			return b
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.answer = func(p radius.Packet, _ int) [][]byte { return [][]byte{c.answer(f, p)} }
				home := clientOf(t, func(o *upstream.Options) { o.Homes[0].Observe = true }, f)
				defer home.Close()
				_, err := home.Exchange(t.Context(), login())
				if refused := upstream.Refused(err); refused != c.refused || (err != nil) != c.refused {
					t.Errorf("refused %v: %v", refused, err)
				}
			})
		})
	}
}

func TestManyRequestsShareNoIdentifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = slowly(t, f)
		c := clientOf(t, func(o *upstream.Options) { o.Sockets = 4; o.Patience = 20 * time.Second }, f)
		defer c.Close()
		var wg sync.WaitGroup
		for i := range 1000 { // 4 sockets have 1024 identifiers
			wg.Go(func() {
				name := []byte{'u', byte('0' + i/100), byte('0' + i/10%10), byte('0' + i%10)}
				r, err := c.Exchange(t.Context(), upstream.Request{Attributes: []upstream.Attribute{{Type: radius.UserName, Value: name}}})
				if err != nil {
					t.Error(err)
					return
				}
				if text, _ := r.Packet.Lookup(radius.ReplyMessage); !bytes.Equal(text, name) {
					t.Errorf("%s got the answer of %s", name, text)
				}
			})
		}
		wg.Wait()
	})
}

// slowly answers everybody at once, two seconds after the first request.
func slowly(t *testing.T, f *fake) func(radius.Packet, int) [][]byte {
	start := time.Now()
	return func(p radius.Packet, _ int) [][]byte {
		if time.Since(start) < 2*time.Second {
			return nil
		}
		return [][]byte{f.reply(t, radius.AccessAccept, p, string(userOf(p)))}
	}
}

func userOf(p radius.Packet) []byte {
	name, _ := p.Lookup(radius.UserName)
	return name
}

func TestRequestsBeyondAllIdentifiersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := clientOf(t, func(o *upstream.Options) { o.Sockets = 1 }, f)
		defer c.Close()
		var wg sync.WaitGroup
		for range 256 {
			wg.Go(func() { _, _ = c.Exchange(t.Context(), login()) })
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := c.Exchange(ctx, login()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		wg.Wait()
		seen, _ := f.datagrams()
		identifiers := map[byte][]byte{}
		for _, b := range seen {
			if old := identifiers[b[1]]; old != nil && b[0] == byte(radius.AccessRequest) && !bytes.Equal(old, b) {
				t.Fatal("an identifier was used for two requests at once")
			}
			identifiers[b[1]] = b
		}
	})
}

func TestStateGoesToItsServerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFake(), newFake()
		first.always(t, radius.AccessAccept)
		c := clientOf(t, nil, first, second)
		defer c.Close()
		r := login()
		r.Server = "home1:1812"
		if _, err := c.Exchange(t.Context(), r); cloud.KindOf(err) != cloud.Unavailable {
			t.Errorf("got %v", err)
		}
		r.Server = "elsewhere:1812"
		if _, err := c.Exchange(t.Context(), r); cloud.KindOf(err) != cloud.Invalid {
			t.Errorf("a server that is not configured: %v", err)
		}
		if seen, _ := first.datagrams(); len(seen) != 0 {
			t.Error("another server saw a State that is not its own")
		}
	})
}

func TestWhatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := clientOf(t, func(o *upstream.Options) { o.Homes[0].NoStatus = true }, f)
		defer c.Close()
		for name, r := range map[string]upstream.Request{
			"password over 128 octets":  {Password: secret.FromString(strings.Repeat("a", 129))},
			"own User-Password":         {Attributes: []upstream.Attribute{{Type: radius.UserPassword, Value: []byte("clear")}}},
			"own Message-Authenticator": {Attributes: []upstream.Attribute{{Type: radius.MessageAuthenticator, Value: make([]byte, 16)}}},
			"attribute too long":        {Attributes: []upstream.Attribute{{Type: radius.UserName, Value: make([]byte, 254)}}},
		} {
			if _, err := c.Exchange(t.Context(), r); cloud.KindOf(err) != cloud.Invalid {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if c.Ready(t.Context()) != nil {
			t.Error("a request that cannot be sent marks the server down")
		}
	})
}

func TestCloseEndsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clientOf(t, nil, newFake())
		done := make(chan error, 1)
		go func() {
			_, err := c.Exchange(t.Context(), login())
			done <- err
		}()
		synctest.Wait()
		c.Close()
		if err := <-done; err == nil {
			t.Error("a call that was waiting got an answer")
		}
		if _, err := c.Exchange(t.Context(), login()); err == nil {
			t.Error("a closed client asks")
		}
	})
}

func TestNewRefuses(t *testing.T) {
	key := secret.FromString("0123456789abcdef")
	for name, homes := range map[string][]upstream.Home{
		"none":      nil,
		"no port":   {{Address: "10.0.0.1", Secret: key}},
		"half port": {{Address: "10.0.0.1:", Secret: key}},
		"no secret": {{Address: "10.0.0.1:1812"}},
		"twice":     {{Address: "10.0.0.1:1812", Secret: key}, {Address: "10.0.0.1:1812", Secret: key}},
	} {
		if _, err := upstream.New(upstream.Options{Homes: homes}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCheckSaysWhoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFake(), newFake()
		first.always(t, radius.AccessAccept)
		c := clientOf(t, nil, first, second)
		defer c.Close()
		got := c.Check(t.Context())
		if got["home0:1812"] != nil || got["home1:1812"] == nil {
			t.Errorf("got %v", got)
		}
		if n := len(probesOf(t, second)); n != 1 {
			t.Errorf("Status-Server was sent %d times, never again is right", n)
		}
	})
}

// Nobody has to lose a login before it is known that no server is there: one
// that has answered nothing yet is asked, and once it has been found silent
// nobody waits for it again.
func TestReadyAsksWhoHasAnsweredNothingYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent, other := newFake(), newFake()
		c := clientOf(t, nil, silent, other)
		defer c.Close()
		start := time.Now()
		if err := c.Ready(t.Context()); cloud.KindOf(err) != cloud.Unavailable || time.Since(start) != upstream.DefaultPatience {
			t.Errorf("both are silent: %v after %v", err, time.Since(start))
		}
		start = time.Now()
		if err := c.Ready(t.Context()); err == nil || time.Since(start) != 0 {
			t.Errorf("once more: %v after %v", err, time.Since(start))
		}
		other.becomes(func(p radius.Packet, _ int) [][]byte { return [][]byte{other.reply(t, radius.AccessAccept, p, "")} })
		time.Sleep(2 * upstream.DefaultProbe) // of the bubble
		if err := c.Ready(t.Context()); err != nil {
			t.Errorf("one of them is back: %v", err)
		}
	})
}

// Who asks and leaves says nothing about a server.
func TestReadyThatIsGivenUpMarksNobodyDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := clientOf(t, nil, f)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if c.Ready(ctx) == nil {
			t.Error("a silent server counts as up")
		}
		if c.Counters()[0].Down {
			t.Error("it is down after a second")
		}
	})
}

// A server that answers no Status-Server is never asked by it, counts as up
// until it lets a login go unanswered, and some time after that again.
func TestServerWithoutStatusServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := clientOf(t, func(o *upstream.Options) { o.Homes[0].NoStatus = true }, f)
		defer c.Close()
		if err := c.Ready(t.Context()); err != nil {
			t.Errorf("before the first login: %v", err)
		}
		if len(c.Check(t.Context())) != 0 {
			t.Error("it is checked")
		}
		if _, err := c.Exchange(t.Context(), login()); err == nil {
			t.Fatal("it answered")
		}
		if c.Ready(t.Context()) == nil {
			t.Error("it counts as up after a login that was lost")
		}
		time.Sleep(upstream.DefaultRevive / 2) // of the bubble
		if c.Ready(t.Context()) == nil {
			t.Error("it counts as up too early")
		}
		time.Sleep(upstream.DefaultRevive)
		if err := c.Ready(t.Context()); err != nil {
			t.Errorf("after a while: %v", err)
		}
		if n := len(probesOf(t, f)); n != 0 {
			t.Errorf("%d Status-Server were sent", n)
		}
	})
}

// A server that is away is told from one that is there and cannot be had as the
// two sides are configured.
func TestCheckTellsRefusedFromAway(t *testing.T) {
	for name, test := range map[string]struct {
		answer  func(t *testing.T, f *fake, p radius.Packet) [][]byte
		refused bool
		says    string
	}{
		"silent": {func(*testing.T, *fake, radius.Packet) [][]byte { return nil }, false, "does not answer"},
		"another secret": {func(t *testing.T, _ *fake, p radius.Packet) [][]byte {
			return [][]byte{(&fake{secret: secret.FromString("another secret")}).reply(t, radius.AccessAccept, p, "")}
		}, true, "the shared secret differs"},
		"no Message-Authenticator": {func(_ *testing.T, f *fake, p radius.Packet) [][]byte {
			return [][]byte{unsigned(f, radius.AccessAccept, p, nil)}
		}, true, "no Message-Authenticator"},
		"noise": {func(*testing.T, *fake, radius.Packet) [][]byte { return [][]byte{[]byte("hello")} }, false, "does not answer"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.answer = func(p radius.Packet, _ int) [][]byte { return test.answer(t, f, p) }
			c := clientOf(t, nil, f, newFake())
			defer c.Close()
			start := time.Now()
			got := c.Check(t.Context())
			if err := got["home0:1812"]; err == nil || upstream.Refused(err) != test.refused || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: refused %v: %v", name, upstream.Refused(err), err)
			}
			if upstream.Refused(got["home1:1812"]) || time.Since(start) != upstream.DefaultPatience {
				t.Errorf("%s: the other one %v, after %v", name, got["home1:1812"], time.Since(start))
			}
			// Who reads of a login hears the same.
			if _, err := c.Exchange(t.Context(), login()); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: a login says %v", name, err)
			}
		})
	}
}

// tardy is a connection of which a datagram has not left before its answer is
// read and gone is called.
type tardy struct {
	net.Conn
	read chan struct{} // one for each Read that begins
	gone func()
}

func (c tardy) Read(b []byte) (int, error) {
	c.read <- struct{}{}
	return c.Conn.Read(b)
}

func (c tardy) Write(b []byte) (int, error) {
	<-c.read
	n, err := c.Conn.Write(b)
	<-c.read // what was read before it has been taken
	c.gone()
	return n, err
}

// An answer that came counts, also where its login is given up in that moment.
func TestAnswerAtTheEndCounts(t *testing.T) {
	for range 20 { // of two ends that are there Go takes either
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.always(t, radius.AccessAccept)
			ctx, cancel := context.WithCancel(t.Context())
			c := clientOf(t, func(o *upstream.Options) {
				dial := o.Dial
				o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
					conn, err := dial(ctx, address)
					return tardy{conn, make(chan struct{}, 2), cancel}, err
				}
			}, f)
			defer c.Close()
			if _, err := c.Exchange(ctx, login()); err != nil {
				t.Errorf("the answer was there, and was lost: %v", err)
			}
			if got := c.Counters()[0]; got.Answered != 1 || got.Lost != 0 {
				t.Errorf("counted %+v", got)
			}
		})
	}
}
