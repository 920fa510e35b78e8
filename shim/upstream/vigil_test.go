package upstream_test

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// held are settings of a client whose logins wait for a person.
func held(o *upstream.Options) {
	o.Patience, o.First, o.Vigil = 90*time.Second, 5*time.Second, 5*time.Second
}

// alive answers Status-Server only: a person keeps its logins waiting.
func (f *fake) alive(t *testing.T) {
	f.answer = func(p radius.Packet, _ int) [][]byte {
		if p.Code() == radius.StatusServer {
			return [][]byte{f.reply(t, radius.AccessAccept, p, "")}
		}
		return nil
	}
}

// A server that gives no sign of life while a login waits for it is given up long
// before a person's time is over, and the next one is asked.
func TestVigilFindsADeadServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, next := newFake(), newFake()
		next.always(t, radius.AccessAccept)
		c := clientOf(t, held, dead, next)
		defer c.Close()
		var asked []string
		r := login()
		r.Asking = func(server string) { asked = append(asked, server) }
		start := time.Now()
		reply, err := c.Exchange(t.Context(), r)
		if took := time.Since(start); err != nil || reply.Server != "home1:1812" || took > 20*time.Second {
			t.Errorf("%v of %q after %s", err, reply.Server, took)
		}
		if len(asked) != 2 || asked[0] != "home0:1812" || asked[1] != "home1:1812" {
			t.Errorf("asked %q", asked)
		}
		if cloud.KindOf(c.Doubt("home0:1812", start)) != cloud.Unavailable || c.Doubt("home1:1812", start) != nil || c.Doubt("elsewhere", start) != nil {
			t.Errorf("doubts: %v, %v", c.Doubt("home0:1812", start), c.Doubt("home1:1812", start))
		}
		dead.mu.Lock()
		dead.always(t, radius.AccessReject)
		dead.mu.Unlock()
		time.Sleep(2 * upstream.DefaultProbe) // of the bubble
		if err := c.Doubt("home0:1812", start); err != nil {
			t.Errorf("it is back: %v", err)
		}
	})
}

// A server that lives is waited for to the end, and nothing speaks against it.
func TestVigilLeavesAServerThatLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.alive(t)
		c := clientOf(t, held, f)
		defer c.Close()
		start := time.Now()
		if _, err := c.Exchange(t.Context(), login()); err == nil || time.Since(start) != 90*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		if err := c.Doubt("home0:1812", start); err != nil {
			t.Error(err)
		}
		seen := len(probesOf(t, f))
		if seen < 10 || seen > 20 {
			t.Errorf("%d Status-Server in 90 seconds", seen)
		}
		time.Sleep(10 * time.Minute) // nothing waits
		if n := len(probesOf(t, f)) - seen; n != 0 {
			t.Errorf("%d Status-Server while nothing waits", n)
		}
	})
}

// Single signs of life may get lost.
func TestVigilForgivesALostSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.alive(t)
		lives, n := f.answer, 0
		f.answer = func(p radius.Packet, i int) [][]byte {
			if p.Code() != radius.StatusServer {
				return nil
			}
			if n++; n%3 != 0 {
				return nil
			}
			return lives(p, i)
		}
		c := clientOf(t, held, f)
		defer c.Close()
		start := time.Now()
		if _, err := c.Exchange(t.Context(), login()); err == nil || time.Since(start) != 90*time.Second || c.Doubt("home0:1812", start) != nil {
			t.Errorf("%v after %s, %v", err, time.Since(start), c.Doubt("home0:1812", start))
		}
	})
}

// Of a server that answers no Status-Server nothing is known before it has left
// a login unanswered for all of its time. One login at a time finds out whether
// it is back; the others go to the next server at once.
func TestDoubtWithoutStatusServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, next := newFake(), newFake()
		next.always(t, radius.AccessAccept)
		c := clientOf(t, func(o *upstream.Options) {
			held(o)
			o.Homes[0].NoStatus = true
		}, dead, next)
		defer c.Close()
		first := make(chan error, 1)
		go func() {
			_, err := c.Exchange(t.Context(), login())
			first <- err
		}()
		time.Sleep(80 * time.Second)
		if err := c.Doubt("home0:1812", time.Now()); err != nil {
			t.Errorf("a person may take as long: %v", err)
		}
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		if c.Doubt("home0:1812", time.Now()) == nil {
			t.Error("nothing speaks against a server that has answered nothing for 90 seconds")
		}
		time.Sleep(upstream.DefaultRevive)
		slow := 0
		for range 20 {
			start := time.Now()
			if reply, err := c.Exchange(t.Context(), login()); err != nil || reply.Server != "home1:1812" {
				t.Errorf("%v of %q", err, reply.Server)
			}
			if time.Since(start) > time.Second {
				slow++
			}
			time.Sleep(time.Second)
		}
		if slow != 1 || c.Doubt("home0:1812", time.Now()) == nil {
			t.Errorf("%d of 20 logins waited for the dead server", slow)
		}
		dead.mu.Lock()
		dead.always(t, radius.AccessAccept)
		dead.mu.Unlock()
		time.Sleep(upstream.DefaultRevive)
		for range 2 {
			if reply, err := c.Exchange(t.Context(), login()); err != nil || reply.Server != "home0:1812" {
				t.Errorf("%v of %q, which is back", err, reply.Server)
			}
		}
		if err := c.Doubt("home0:1812", time.Now()); err != nil {
			t.Error(err)
		}
	})
}

// refusing is a socket whose datagrams come back.
type refusing struct {
	net.Conn
	why    error
	leaves bool // the datagram, and comes back later
	back   chan struct{}
	end    context.CancelFunc
	done   <-chan struct{}
}

func (c refusing) Write(b []byte) (int, error) {
	if !c.leaves {
		return 0, &net.OpError{Op: "write", Err: os.NewSyscallError("write", c.why)}
	}
	select {
	case c.back <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (c refusing) Read([]byte) (int, error) {
	select {
	case <-c.done:
		return 0, net.ErrClosed
	case <-c.back:
	}
	return 0, &net.OpError{Op: "read", Err: os.NewSyscallError("read", c.why)}
}

func (c refusing) Close() error {
	c.end()
	return nil
}

// That nobody listens is known at once, as is that no way leads there, and counts
// for the logins of that time; that a datagram is too large does not.
func TestDoubtOfAnAddressWhereNobodyListens(t *testing.T) {
	for why, doubted := range map[error]bool{syscall.ECONNREFUSED: true, syscall.EHOSTUNREACH: true, syscall.ENETUNREACH: true, syscall.EPERM: true, syscall.EMSGSIZE: false} {
		for _, leaves := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				c := clientOf(t, func(o *upstream.Options) {
					held(o)
					o.Homes[0].NoStatus = true
					o.Dial = func(context.Context, string) (net.Conn, error) {
						open, end := context.WithCancel(context.Background())
						return refusing{why: why, leaves: leaves, back: make(chan struct{}, 1), end: end, done: open.Done()}, nil
					}
				}, newFake())
				start, done := time.Now(), make(chan error, 1)
				go func() {
					_, err := c.Exchange(t.Context(), login())
					done <- err
				}()
				time.Sleep(3 * time.Second) // of the bubble; it waits on
				if err := c.Doubt("home0:1812", start); (err != nil) != doubted || doubted && cloud.KindOf(err) != cloud.Unavailable {
					t.Errorf("%v, known at once %v: got %v", why, !leaves, err)
				}
				c.Close()
				if <-done == nil {
					t.Error("it answered")
				}
			})
		}
	}
}
