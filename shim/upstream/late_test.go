package upstream_test

import (
	"context"
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

// A connection that was replaced goes on being watched: where its other side is
// gone those that still wait on it do not wait for good, and where it is only slow
// they do.
func TestReplacedConnectionIsWatched(t *testing.T) {
	for name, test := range map[string]struct {
		sign time.Duration // until Status-Server is answered there
		lost bool
	}{"lives": {0, false}, "slow": {10 * time.Second, false}, "gone": {12 * time.Hour, true}} {
		synctest.Test(t, func(t *testing.T) {
			var silent atomic.Bool
			answer := make(chan struct{})
			c, made := piped(t, func(o *upstream.Options) { o.Patience, o.Watchdog = time.Hour, 30*time.Second }, func(far net.Conn, conf *tls.Config, number int64) {
				tc := tls.Server(far, conf)
				for p, err := request(tc); err == nil; p, err = request(tc) {
					go func() {
						switch user := string(userOf(p)); {
						case user == "ada", user == "carl" && test.lost:
							return
						case user == "carl":
							<-answer
						case number == 1 && silent.Load():
							select {
							case <-time.After(test.sign): // of the bubble
							case <-answer:
							}
						}
						_, _ = tc.Write(accept(t, p)) // the other side says what is missing
					}()
				}
			})
			ask := func(ctx context.Context, user string) error {
				_, err := c.Exchange(ctx, loginOf(user))
				return err
			}
			left, leave := context.WithCancel(t.Context())
			var gone sync.WaitGroup
			for range 254 {
				gone.Go(func() { _ = ask(left, "ada") }) // nobody waits for it any more
			}
			synctest.Wait()
			if err := ask(t.Context(), "bob"); err != nil { // it lives
				t.Error(err)
			}
			leave()
			gone.Wait()
			start, ended := time.Now(), make(chan error, 1)
			go func() { ended <- ask(t.Context(), "carl") }()
			synctest.Wait()
			if err := ask(t.Context(), "bob"); err != nil || made.Load() != 2 {
				t.Errorf("%s: %d connections, %v", name, made.Load(), err)
			}
			silent.Store(true)
			if !test.lost {
				time.Sleep(10 * time.Minute) // of the bubble
				close(answer)
			}
			if err := <-ended; (err != nil) != test.lost || test.lost && time.Since(start) > 2*time.Minute {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
			if err := ask(t.Context(), "bob"); err != nil || made.Load() != 2 || c.Counters()[0].Down {
				t.Errorf("%s: %d connections, %+v, %v", name, made.Load(), c.Counters()[0], err)
			}
			if test.lost {
				close(answer)
			}
		})
	}
}

// As many logins as a connection carries do not hide that its other side is gone.
func TestLoginsThatWaitHideNoDeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := piped(t, func(o *upstream.Options) { o.Patience, o.Watchdog = time.Hour, 30*time.Second }, taking(func(radius.Packet) []byte { return nil }))
		start := time.Now()
		var all sync.WaitGroup
		for range 256 { // one waits for an identifier, and then on a connection as dead
			all.Go(func() {
				if _, err := c.Exchange(t.Context(), login()); err == nil || time.Since(start) > 3*time.Minute {
					t.Errorf("%v after %v", err, time.Since(start))
				}
			})
		}
		all.Wait()
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
						if p.Code() == radius.AccessRequest {
							time.Sleep(slow) // of the bubble
						}
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
			for range map[string]int{"udp": 256, "tls": 255}[name] {
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
				t.Errorf("%s: %d logins are lost, counted %+v", name, lost.Load(), got)
			}
		})
	}
}
