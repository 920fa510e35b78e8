package postgres_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/store/postgres"
	"mfabridge/internal/peer"
)

// cutter passes connections on to the database, and cuts one off around a
// commit when it is told to.
type cutter struct {
	to      string
	when    atomic.Int32 // one of the below
	refuse  atomic.Int32 // so many connections are not passed on
	epoch   atomic.Int32 // connections of an earlier one stay, and hear nothing any more
	refused chan time.Time
	inner   net.Listener
}

const (
	never  = iota
	before // the commit does not reach the server
	after  // its answer does not reach the client
)

// cancelRequest is the code of a connection that only asks to cancel another one.
const cancelRequest = 80877102

func cut(t *testing.T, address string) (*cutter, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	from := strings.Index(address, "@") + 1
	to := from + strings.Index(address[from:], "/")
	c := &cutter{to: address[from:to], inner: l, refused: make(chan time.Time, 100)}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(client)
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return c, address[:from] + l.Addr().String() + address[to:]
}

func (c *cutter) pass(client net.Conn) {
	if c.refuse.Load() > 0 {
		defer client.Close()
		var head [8]byte // of the first message; the driver asks to cancel what it gives up
		if _, err := io.ReadFull(client, head[:]); err == nil && binary.BigEndian.Uint32(head[4:]) != cancelRequest {
			c.refuse.Add(-1)
			c.refused <- time.Now()
		}
		return
	}
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		_ = client.Close()
		return
	}
	var muted atomic.Bool
	epoch := c.epoch.Load()
	go func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if epoch != c.epoch.Load() && err == nil {
				continue
			}
			if n > 0 && muted.Load() {
				return // it has answered the commit: nobody hears
			}
			if n > 0 {
				_, err = client.Write(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if n > 0 && bytes.Contains(buf[:n], []byte("COMMIT\x00")) {
			switch c.when.Swap(never) {
			case before:
				_ = client.Close()
				return
			case after:
				muted.Store(true)
			}
		}
		if n > 0 {
			_, _ = server.Write(buf[:n])
		}
		if err != nil {
			if muted.Load() {
				_, _ = io.Copy(io.Discard, server)
			}
			return
		}
	}
}

// A connection that breaks around the commit leaves nobody in doubt: what is
// answered is what happened.
func TestBrokenCommit(t *testing.T) {
	peer.NeedCluster(t, cluster)
	direct, _ := made(t)
	for _, when := range []int32{before, after} {
		c, address := cut(t, direct)
		s := opens(t, address)
		// The first commit of a connection names the statement.
		c.when.Store(when)
		runs := 0
		err := s.Update(t.Context(), func(tx engine.Tx) error {
			runs++
			value, err := tx.Meta("n")
			if err != nil {
				return err
			}
			return tx.SetMeta("n", append(value, byte('0'+when)))
		})
		if c.when.Load() != never {
			t.Fatal("the commit was not seen: nothing was tested")
		}
		var value []byte
		if e := s.View(t.Context(), func(r engine.Reader) (err error) { value, err = r.Meta("n"); return err }); e != nil {
			t.Fatal(e)
		}
		times := bytes.Count(value, []byte{byte('0' + when)})
		want := map[int32]int{before: 2, after: 1}[when] // undone, it is run again
		if err != nil || times != 1 || runs != want {
			t.Errorf("cut %d: %v; it ran %d times and is there %d times", when, err, runs, times)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// After a commit of which nobody knows, the next update is confirmed even if it
// only reads: what it has read may be what that one left.
func TestUnknownCommitIsMadeSure(t *testing.T) {
	peer.NeedCluster(t, cluster)
	direct, _ := made(t)
	c, address := cut(t, direct)
	s := opens(t, address)
	postgres.SetPatience(s, 0)
	reads := func(tx engine.Tx) error { _, err := tx.Meta("count"); return err }
	turns := func() string { t.Helper(); return sql(t, "SELECT sum(turn) FROM "+schemaOf(direct)+".writers") }
	c.when.Store(after)
	if err := s.Update(t.Context(), counting); cloud.KindOf(err) != cloud.Internal {
		t.Errorf("nobody knows: %v", err)
	}
	for _, sure := range []bool{false, true} {
		was := turns()
		if err := s.Update(t.Context(), reads); err != nil {
			t.Fatal(err)
		}
		if is := turns(); sure != (is == was) {
			t.Errorf("known before %v: from %s to %s", sure, was, is)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A connection that stays and answers nothing any more, as of a server that was
// stopped in front of one that took over, holds a look up for a moment only: it
// asks on another one. Without that it waited for as long as a look may take.
func TestSilentConnectionIsLeft(t *testing.T) {
	peer.NeedCluster(t, cluster)
	direct, _ := made(t)
	c, address := cut(t, direct)
	s := opens(t, address)
	postgres.SetFirst(s, 200*time.Millisecond)
	look := func() error {
		return s.View(t.Context(), func(r engine.Reader) error { _, err := r.Meta("count"); return err })
	}
	for range 10 { // on every connection
		if err := look(); err != nil {
			t.Fatal(err)
		}
	}
	c.epoch.Add(1)
	begun := time.Now()
	for range 10 {
		if err := look(); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(begun); took > 25*time.Second {
		t.Errorf("they took %v", took)
	}
}
