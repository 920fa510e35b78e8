package ldapconn_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/internal/ldapconn"
	"mfabridge/internal/ldapconn/ldaptest"
	"mfabridge/internal/secret"
)

// soon is when a peer is given up that says nothing; one that answers does so
// before, on a machine that is busy, too.
const soon = 3 * time.Second

// passwords is how many passwords a peer was sent.
func passwords(s *ldaptest.Scripted) (n int) {
	for _, r := range s.Requests() {
		if r.Bind {
			n++
		}
	}
	return n
}

// A directory that takes a password and says nothing may have counted it: no
// other server hears of it. The next call begins elsewhere.
func TestSlowDirectoryIsSentAPasswordOnce(t *testing.T) {
	t.Parallel() // it waits
	slow := ldaptest.Script(t, func(r ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{Hang: r.Bind} })
	quick := ldaptest.Script(t, func(ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{Code: 49} })
	c := client(t, ldapconn.Config{Servers: []string{slow.URL, quick.URL}, Plain: true, Timeout: soon})
	bind := func(want ldapconn.Kind, first, second int) {
		t.Helper()
		if err := c.Authenticate(t.Context(), "cn=ada", secret.FromString("mistyped")); ldapconn.KindOf(err) != want {
			t.Errorf("got %v", err)
		}
		if a, b := passwords(slow), passwords(quick); a != first || b != second {
			t.Errorf("sent %d and %d times, want %d and %d", a, b, first, second)
		}
	}
	bind(ldapconn.Unavailable, 1, 0)
	bind(ldapconn.WrongPassword, 1, 1)
}

// A directory that answers nothing at all is passed over before it has seen a
// password.
func TestSilentDirectoryIsPassedOver(t *testing.T) {
	t.Parallel() // it waits
	silent := ldaptest.Script(t, func(ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{Hang: true} })
	other := ldaptest.Script(t, func(ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{} })
	c := client(t, ldapconn.Config{Servers: []string{silent.URL, other.URL}, Plain: true, Timeout: soon})
	if err := c.Authenticate(t.Context(), "cn=ada", secret.FromString("correct horse")); err != nil {
		t.Error(err)
	}
	if a, b := passwords(silent), passwords(other); a != 0 || b != 1 {
		t.Errorf("sent %d and %d times", a, b)
	}
}

// A server that says nothing for longer than a whole call may take does not
// keep the others from being asked: the next call begins with another one, be
// it the first connection that hangs or one that was kept.
func TestDirectoryThatOutlastsTheCallIsAvoided(t *testing.T) {
	t.Parallel() // it waits
	for _, kept := range []bool{false, true} {
		var hangs atomic.Bool
		hangs.Store(!kept)
		first := ldaptest.Script(t, func(ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{Hang: hangs.Load()} })
		other := ldaptest.Script(t, func(ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{} })
		c := client(t, ldapconn.Config{Servers: []string{first.URL, other.URL}, Plain: true, Timeout: time.Minute})
		bind := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			defer cancel()
			return c.Authenticate(ctx, "cn=ada", secret.FromString("correct horse"))
		}
		if err := bind(); (err == nil) != kept {
			t.Errorf("kept %t: at first %v", kept, err)
		}
		hangs.Store(true)
		if err := bind(); kept && err == nil {
			t.Error("the call that hangs has an answer")
		}
		if err := bind(); err != nil {
			t.Errorf("kept %t: the second server is not asked: %v", kept, err)
		}
	}
}

// A server that falls silent is waited for once: neither a new connection nor
// those that were kept for binds are tried, where another server is there.
func TestServerThatFallsSilentIsWaitedForOnce(t *testing.T) {
	t.Parallel() // it waits
	var hangs atomic.Bool
	first := ldaptest.Script(t, func(ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{Hang: hangs.Load()} })
	other := ldaptest.Script(t, func(ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{} })
	c := client(t, ldapconn.Config{Servers: []string{first.URL, other.URL}, Plain: true, Timeout: soon})
	login := func() {
		t.Helper()
		if _, err := c.Search(t.Context(), ldapconn.Query{Base: "dc=corp", Filter: "(cn=ada)"}); err != nil {
			t.Error(err)
		}
		if err := c.Authenticate(t.Context(), "cn=ada", secret.FromString("correct horse")); err != nil {
			t.Error(err)
		}
	}
	login()
	before := len(first.Requests())
	hangs.Store(true)
	login()
	login()
	if n := len(first.Requests()) - before; n != 1 {
		t.Errorf("it was asked %d times after it had fallen silent", n)
	}
	if n := passwords(other); n != 2 {
		t.Errorf("the other one was sent %d passwords", n)
	}
}

// A connection that is kept may be half open: the other side, or a firewall
// between, has forgotten it without a word. Nothing that matters is sent on it.
func TestHalfOpenConnectionCostsNoPassword(t *testing.T) {
	t.Parallel() // it waits
	s := ldaptest.Script(t, func(ldaptest.Request) ldaptest.Reply { return ldaptest.Reply{} })
	var age atomic.Int64 // connections that were made before it counts as forgotten
	address, made := forgetful(t, strings.TrimPrefix(s.URL, "ldap://"), &age)
	c := client(t, ldapconn.Config{Servers: []string{"ldap://" + address}, Plain: true, Timeout: soon})
	for round := range 3 {
		if err := c.Authenticate(t.Context(), "cn=ada", secret.FromString("correct horse")); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		if n := passwords(s); n != round+1 {
			t.Errorf("after %d logins the password was sent %d times", round+1, n)
		}
		age.Store(made.Load())
	}
}

// forgetful carries connections to a server, but nothing of those that were
// made when forgotten was larger than their number.
func forgetful(t *testing.T, server string, forgotten *atomic.Int64) (address string, made *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	made = new(atomic.Int64)
	carry := func(to, from net.Conn, number int64) {
		for b := make([]byte, 4096); ; {
			n, err := from.Read(b)
			if err != nil {
				_ = to.Close()
				return
			}
			if number <= forgotten.Load() {
				_, _ = io.Copy(io.Discard, from) // and says nothing
				return
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			ours, err := l.Accept()
			if err != nil {
				return
			}
			theirs, err := net.Dial("tcp", server)
			if err != nil {
				_ = ours.Close()
				return
			}
			number := made.Add(1)
			t.Cleanup(func() { _ = ours.Close(); _ = theirs.Close() })
			go carry(theirs, ours, number)
			go carry(ours, theirs, number)
		}
	}()
	return l.Addr().String(), made
}
