package upstream_test

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/shim/radius"
	"mfabridge/shim/upstream"
)

// An answer over TLS to a login that was given up meets no other one, which would
// end the connection as forged; once it has come its identifier is used again.
func TestLateAnswerOverTLSMeetsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late []byte
		var first byte
		logins, before, behind := 0, 0, 0 // these with the identifier of the login that was given up
		c, made := piped(t, nil, taking(func(p radius.Packet) []byte {
			if string(userOf(p)) == "ada" {
				late, first = accept(t, p), p.Identifier()
				return nil
			}
			logins++
			switch same := p.Identifier() == first; {
			case same && late != nil:
				before++
			case same:
				behind++
			}
			answer := accept(t, p)
			if late != nil && (before > 0 || logins == 300) {
				answer, late = append(late, answer...), nil
			}
			return answer
		}))
		lost := make(chan error, 1)
		go func() {
			_, err := c.Exchange(t.Context(), login())
			lost <- err
		}()
		time.Sleep(time.Second) // of the bubble
		for range 800 {
			if _, err := c.Exchange(t.Context(), loginOf("bob")); err != nil {
				t.Fatal(err)
			}
			if len(lost) == 0 {
				time.Sleep(upstream.DefaultPatience)
			}
		}
		if err := <-lost; err == nil {
			t.Error("a login that nobody answered is let in")
		}
		synctest.Wait()
		if got := c.Counters()[0]; made.Load() != 1 || got.Down || got.Answered != 800 || got.Lost != 1 || got.Dropped != 1 {
			t.Errorf("%d connections, counted %+v", made.Load(), got)
		}
		if before != 0 || behind == 0 {
			t.Errorf("its identifier was used %d times before its answer, %d times behind it", before, behind)
		}
	})
}

// Where all identifiers are taken by logins that were given up, another
// connection takes over, and the one before ends with the last that waits on it.
func TestConnectionWithoutIdentifiersIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int64
		c, made := piped(t, nil, func(far net.Conn, conf *tls.Config, number int64) {
			tc := tls.Server(far, conf)
			for {
				p, err := request(tc)
				if err != nil {
					ended.Store(number)
					return
				}
				go func() {
					switch string(userOf(p)) {
					case "ada":
						return
					case "carl":
						time.Sleep(2 * time.Second) // of the bubble
					}
					_, _ = tc.Write(accept(t, p)) // the other side says what is missing
				}()
			}
		})
		ask := func(user string, want bool) func() {
			return func() {
				if _, err := c.Exchange(t.Context(), loginOf(user)); (err == nil) != want {
					t.Errorf("%s: %v", user, err)
				}
			}
		}
		var lost sync.WaitGroup
		for range 255 {
			lost.Go(ask("ada", false))
		}
		time.Sleep(time.Second) // of the bubble
		ask("bob", true)()      // it lives
		lost.Wait()
		lost.Go(ask("carl", true))
		synctest.Wait()
		ask("bob", true)()
		if made.Load() != 2 {
			t.Errorf("%d connections", made.Load())
		}
		lost.Wait()
		ask("bob", true)()
		synctest.Wait()
		if got := c.Counters()[0]; made.Load() != 2 || ended.Load() != 1 || got.Down || got.Answered != 4 || got.Lost != 255 {
			t.Errorf("%d connections, %d has ended, counted %+v", made.Load(), ended.Load(), got)
		}
	})
}

// Who writes on a connection of which nothing is taken gives others behind it no
// more time, nor gets more by them.
func TestWritersDoNotProlongEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := piped(t, func(o *upstream.Options) { o.Patience = time.Minute }, func(far net.Conn, conf *tls.Config, number int64) {
			tc := tls.Server(far, conf)
			if number > 1 || tc.Handshake() != nil {
				_, _ = io.Copy(io.Discard, far) // the second is of nobody here
				return
			}
			<-t.Context().Done()
		})
		start := time.Now()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				_, err := c.Exchange(t.Context(), login())
				if took := time.Since(start); err == nil || took != 11*time.Second { // ten for the first one to leave, and one for last words
					t.Errorf("after %v: %v", took, err)
				}
			})
			time.Sleep(3 * time.Second) // of the bubble
		}
		all.Wait()
	})
}

// A server is not taken for dead since all identifiers wait for it. Over UDP it
// is asked for a sign of life all the same.
func TestServerThatAllWaitForIsNotDead(t *testing.T) {
	const slow = time.Minute
	for name, client := range map[string]func(t *testing.T) *upstream.Client{
		"udp": func(t *testing.T) *upstream.Client {
			f, start := newFake(), time.Now()
			f.answer = func(p radius.Packet, _ int) [][]byte {
				if p.Code() == radius.AccessRequest && time.Since(start) < slow {
					return nil
				}
				return [][]byte{f.reply(t, radius.AccessAccept, p, "")}
			}
			return clientOf(t, func(o *upstream.Options) { held(o); o.Sockets = 1 }, f)
		},
		"tls": func(t *testing.T) *upstream.Client {
			c, _ := piped(t, func(o *upstream.Options) { held(o); o.Watchdog = 30 * time.Second }, func(far net.Conn, conf *tls.Config, _ int64) {
				tc := tls.Server(far, conf)
				for p, err := request(tc); err == nil; p, err = request(tc) {
					go func() {
						time.Sleep(slow)              // of the bubble
						_, _ = tc.Write(accept(t, p)) // the other side says what is missing
					}()
				}
			})
			return c
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := client(t)
			defer time.Sleep(slow) // of the bubble: until the far side has nothing more to answer
			defer c.Close()
			var all sync.WaitGroup
			var lost atomic.Int64
			for range 256 {
				all.Go(func() {
					if _, err := c.Exchange(t.Context(), login()); err != nil {
						lost.Add(1)
					}
				})
			}
			synctest.Wait()
			_ = c.Ready(t.Context()) // over TLS it cannot be asked now, which is no news
			if c.Counters()[0].Down {
				t.Errorf("%s: down since all identifiers are taken", name)
			}
			all.Wait()
			if got := c.Counters()[0]; lost.Load() != 0 || got.Down {
				t.Errorf("%s: %d of 256 logins are lost, counted %+v", name, lost.Load(), got)
			}
		})
	}
}
