package upstream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/internal/secret"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// only answers one user, some time after the test began.
func (f *fake) only(t *testing.T, user string, after time.Duration) func(radius.Packet, int) [][]byte {
	start := time.Now()
	return func(p radius.Packet, _ int) [][]byte {
		if string(userOf(p)) != user || time.Since(start) < after {
			return nil
		}
		return [][]byte{f.reply(t, radius.AccessAccept, p, "")}
	}
}

// A login that is lost says nothing of a server that answered another one
// meanwhile.
func TestServerThatAnswersOthersIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = f.only(t, "bob", 0)
		c := clientOf(t, nil, f)
		lost := make(chan error, 1)
		go func() {
			_, err := c.Exchange(t.Context(), login())
			lost <- err
		}()
		time.Sleep(time.Second) // of the bubble
		if _, err := c.Exchange(t.Context(), loginOf("bob")); err != nil {
			t.Fatal(err)
		}
		if err := <-lost; err == nil {
			t.Fatal("who is not answered is let in")
		}
		if got := c.Counters()[0]; got.Down || got.Lost != 1 || got.Answered != 1 {
			t.Errorf("counted %+v", got)
		}
	})
}

// The socket of a server that is down is left to the logins that wait on it,
// and closed with the last of them.
func TestLoginsOutliveTheHealthOfTheirServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = f.only(t, "bob", 4500*time.Millisecond)
		c := clientOf(t, nil, f)
		late := make(chan error, 1)
		go func() {
			time.Sleep(2 * time.Second) // of the bubble
			_, err := c.Exchange(t.Context(), loginOf("bob"))
			late <- err
		}()
		if _, err := c.Exchange(t.Context(), login()); err == nil {
			t.Fatal("who is not answered is let in")
		}
		synctest.Wait()
		if _, closed := f.sockets(); closed != 0 || !c.Counters()[0].Down {
			t.Errorf("%d sockets are closed, counted %+v", closed, c.Counters()[0])
		}
		if err := <-late; err != nil {
			t.Errorf("the login that waited on: %v", err)
		}
		synctest.Wait()
		if opened, closed := f.sockets(); opened != 1 || closed != 1 || c.Counters()[0].Down {
			t.Errorf("%d of %d sockets are closed, counted %+v", closed, opened, c.Counters()[0])
		}
		if _, err := c.Exchange(t.Context(), loginOf("bob")); err != nil {
			t.Errorf("over a new socket: %v", err)
		}
	})
}

// flawed is a socket of which some reads fail.
type flawed struct {
	net.Conn
	reads  *atomic.Int64   // of all sockets
	faults map[int64]error // by the number of the read, from 1
}

func (f *flawed) Read(b []byte) (int, error) {
	if err := f.faults[f.reads.Add(1)]; err != nil {
		return 0, err
	}
	return f.Conn.Read(b)
}

// What a host says of a port (ICMP) ends no socket: anybody can say it. A socket
// that cannot be read any more is not asked over again.
func TestSocketThatCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct {
		faults map[int64]error
		opened int
	}{
		"refused": {map[int64]error{1: &net.OpError{Op: "read", Err: syscall.ECONNREFUSED}}, 1},
		"ended":   {map[int64]error{2: io.EOF}, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.always(t, radius.AccessAccept)
			var reads atomic.Int64
			c := clientOf(t, func(o *upstream.Options) {
				o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
					conn, err := f.dial(ctx, address)
					return &flawed{Conn: conn, reads: &reads, faults: test.faults}, err
				}
			}, f)
			for range 2 {
				mustAccept(t, c)
				synctest.Wait()
			}
			if opened, closed := f.sockets(); opened != test.opened || closed != opened-1 {
				t.Errorf("%s: %d of %d sockets are closed", name, closed, opened)
			}
		})
	}
}

// What a firewall says of a port (ICMP) does not end a login that waits for its
// answer either.
func TestProhibitedSocketIsReadOn(t *testing.T) {
	for _, why := range []error{syscall.EHOSTUNREACH, syscall.ENOPROTOOPT, syscall.EACCES} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.becomes(func(p radius.Packet, number int) [][]byte {
				if number > 0 {
					return nil // the first answer is the one that must be read
				}
				return [][]byte{f.reply(t, radius.AccessAccept, p, "")}
			})
			fault := &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("read", why)}
			c := clientOf(t, func(o *upstream.Options) {
				o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
					conn, err := f.dial(ctx, address)
					return &flawed{Conn: conn, reads: new(atomic.Int64), faults: map[int64]error{1: fault, 2: fault}}, err
				}
			}, f)
			if _, err := c.Exchange(t.Context(), login()); err != nil {
				t.Errorf("%v: %v", why, err)
			}
			if opened, closed := f.sockets(); opened != 1 || closed != 0 || c.Counters()[0].Down {
				t.Errorf("%v: %d of %d sockets are closed, counted %+v", why, closed, opened, c.Counters()[0])
			}
		})
	}
}

// Without a way to it a server is down.
func TestServerThatCannotBeDialed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clientOf(t, func(o *upstream.Options) {
			o.Dial = func(context.Context, string) (net.Conn, error) { return nil, errors.New("no such host") }
		}, newFake())
		mustFail(t, c, "no such host")
		if !c.Counters()[0].Down {
			t.Error("it counts as up")
		}
	})
}

// A socket that was being opened when the client closed is closed as well, and
// afterwards none is opened.
func TestCloseWhileASocketIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, gate, done := newFake(), make(chan struct{}), make(chan error, 1)
		c := clientOf(t, func(o *upstream.Options) {
			o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
				<-gate
				return f.dial(ctx, address)
			}
		}, f)
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
		if _, err := c.Exchange(t.Context(), login()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a login afterwards: %v", err)
		}
		synctest.Wait()
		if opened, closed := f.sockets(); opened != 1 || closed != 1 {
			t.Errorf("%d of %d sockets are closed", closed, opened)
		}
	})
}

// A server is not down since whoever asked it has left, or has been closed.
func TestWhoLeavesMarksNobodyDown(t *testing.T) {
	for name, leave := range map[string]func(*upstream.Client, context.CancelFunc){
		"the caller": func(_ *upstream.Client, cancel context.CancelFunc) { cancel() },
		"the client": func(c *upstream.Client, _ context.CancelFunc) { c.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			first, second := newFake(), newFake()
			c := clientOf(t, nil, first, second)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := c.Exchange(ctx, login())
				done <- err
			}()
			synctest.Wait()
			leave(c, cancel)
			if err := <-done; err == nil || ctx.Err() != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			for _, got := range c.Counters() {
				if got.Down {
					t.Errorf("%s: counted %+v", name, got)
				}
			}
			if seen, _ := second.datagrams(); len(seen) != 0 {
				t.Errorf("%s: the second server was asked", name)
			}
			cancel()
		})
	}
}

// What the options say counts, not what they default to.
func TestOptionsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, revived := newFake(), newFake()
		c := clientOf(t, func(o *upstream.Options) {
			o.Patience, o.First, o.Probe, o.Revive = 5*time.Second, 2*time.Second, time.Minute, time.Hour
			o.Homes[1].NoStatus = true
		}, asked, revived)
		mustFail(t, c, "does not answer")
		for _, got := range c.Counters() {
			if got.Sent != 2 { // the third copy would go out after six seconds
				t.Errorf("%d copies of a login", got.Sent)
			}
		}
		time.Sleep(45 * time.Second) // of the bubble
		if n := len(probesOf(t, asked)); n != 0 {
			t.Errorf("%d Status-Server before the time", n)
		}
		time.Sleep(45 * time.Second)
		if n := len(probesOf(t, asked)); n != 1 {
			t.Errorf("%d Status-Server after the time", n)
		}
		time.Sleep(45 * time.Minute)
		if !c.Counters()[1].Down {
			t.Error("it counts as up too early")
		}
		time.Sleep(45 * time.Minute)
		if c.Counters()[1].Down {
			t.Error("it counts as down for good")
		}
	})
}

// An identifier that is free again is used after all others, so that a late
// answer meets nobody, and one that is taken is passed over.
func TestIdentifiersComeRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = f.only(t, "bob", 0)
		c := clientOf(t, func(o *upstream.Options) { o.Patience, o.First, o.Sockets = time.Hour, time.Hour, 1 }, f)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _, _ = c.Exchange(ctx, login()) }()
		synctest.Wait()
		for range 600 {
			if _, err := c.Exchange(t.Context(), loginOf("bob")); err != nil {
				t.Fatal(err)
			}
		}
		seen, _ := f.datagrams()
		for i, b := range seen[1:] {
			if want := byte(i%255 + 1); b[1] != want {
				t.Fatalf("login %d has the identifier %d, want %d", i, b[1], want)
			}
		}
	})
}

// A server that has answered once is not asked whether it is there; a closed
// client has none.
func TestReadyAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.always(t, radius.AccessAccept)
		c := clientOf(t, nil, f)
		for range 3 {
			if err := c.Ready(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if n := len(probesOf(t, f)); n != 1 {
			t.Errorf("%d Status-Server were sent", n)
		}
		c.Close()
		if c.Ready(t.Context()) == nil {
			t.Error("a closed client has a server")
		}
	})
}

// Once a login was answered nobody goes on asking whether the server is back.
func TestAnsweredLoginEndsTheProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := clientOf(t, nil, f)
		mustFail(t, c, "does not answer")
		f.becomes(f.only(t, "ada", 0)) // and no Status-Server
		mustAccept(t, c)
		time.Sleep(time.Minute) // of the bubble
		if n := len(probesOf(t, f)); n != 0 {
			t.Errorf("%d Status-Server were sent", n)
		}
	})
}

// Only a right Accounting-Response is an answer to Accounting-Request; it needs
// no Message-Authenticator, for what it says opens nothing.
func TestAccounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = func(p radius.Packet, n int) [][]byte {
			if err := radius.NewSecret(f.secret.Reveal()).VerifyAccounting(p); err != nil || p.Code() != radius.AccountingRequest {
				t.Errorf("%v came in: %v", p.Code(), err)
			}
			switch n {
			case 0:
				return [][]byte{unsigned(&fake{secret: secret.FromString("another secret")}, radius.AccountingResponse, p, nil)}
			case 1:
				return [][]byte{f.reply(t, radius.AccessAccept, p, "")}
			}
			return [][]byte{unsigned(f, radius.AccountingResponse, p, nil)}
		}
		c := clientOf(t, nil, f)
		if err := c.Account(t.Context(), []upstream.Attribute{{Type: 40, Value: []byte{0, 0, 0, 1}}}); err != nil {
			t.Fatal(err)
		}
		if got := c.Counters()[0]; got.Sent != 3 || got.Dropped != 2 || got.Answered != 1 || got.Unsigned != 0 {
			t.Errorf("counted %+v", got)
		}
	})
}

// A port for accounting answers Status-Server its own way (RFC 5997 section 4.2).
func TestAccountingPortAnswersStatusServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.answer = func(p radius.Packet, _ int) [][]byte {
			return [][]byte{unsigned(f, radius.AccountingResponse, p, nil)}
		}
		if err := clientOf(t, nil, f).Check(t.Context())["home0:1812"]; err != nil {
			t.Error(err)
		}
	})
}

// Of two servers that are down, and answer no Status-Server, one login tries one:
// where it waits for the first one as long as it can, the next tries the second.
func TestTrialsOfTwoServersAreTwoLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFake(), newFake()
		first.becomes(silent)
		second.becomes(silent)
		c := clientOf(t, func(o *upstream.Options) { o.Homes[0].NoStatus, o.Homes[1].NoStatus = true, true }, first, second)
		mustFail(t, c, "does not answer")
		second.becomes(func(p radius.Packet, _ int) [][]byte { return [][]byte{second.reply(t, radius.AccessAccept, p, "")} })
		time.Sleep(upstream.DefaultRevive + time.Second)
		for try, answered := range []bool{false, true} {
			ctx, cancel := context.WithTimeout(t.Context(), upstream.DefaultPatience-time.Second) // none is left for another server
			if _, err := c.Exchange(ctx, login()); (err == nil) != answered {
				t.Errorf("login %d: %v", try, err)
			}
			cancel()
		}
	})
}

// A server that answers no Status-Server and was asked in vain again, behind
// another one, is not taken for one that may be back.
func TestServerThatWasAskedInVainStaysDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clientOf(t, func(o *upstream.Options) { o.Homes[0].NoStatus, o.Homes[1].NoStatus = true, true }, newFake(), newFake())
		mustFail(t, c, "does not answer")
		time.Sleep(upstream.DefaultRevive + time.Second)
		mustFail(t, c, "does not answer")
		if got := c.Counters(); !got[0].Down || !got[1].Down || c.Ready(t.Context()) == nil {
			t.Errorf("counted %+v", got)
		}
		time.Sleep(upstream.DefaultRevive)
		if got := c.Counters(); got[0].Down || got[1].Down {
			t.Errorf("one that may be back counts as down: %+v", got)
		}
	})
}
