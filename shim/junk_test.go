package shim_test

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// A million junk packets, half of them one bit away from a good one: none is
// answered, none stays in memory, and the next login goes as any other.
func TestAMillionJunkPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		random := rand.New(rand.NewPCG(1, 2))
		good := r.build(ask{user: "ada", password: "123456", id: 1})
		noise := make([]byte, 4096)
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		flipped := bytes.Clone(good)
		for i := range 1_000_000 {
			b := noise[random.IntN(2048):][:random.IntN(2048)]
			if i%2 == 0 {
				at := random.IntN(len(good))
				copy(flipped, good)
				flipped[at] ^= 1 << random.IntN(8)
				b = flipped
			}
			r.send(b, ask{}.source())
		}
		synctest.Wait()
		r.silent("junk")
		if after := heap(); after > before+16<<20 {
			t.Errorf("the heap grew from %d to %d octets", before, after)
		}
		c := r.server.Counters()
		var dropped uint64
		for _, n := range c.Dropped {
			dropped += n
		}
		if c.Received != 1_000_000 || dropped != c.Received || c.Panics != 0 || r.engine.calls()[0] != 0 {
			t.Errorf("received %d, dropped %d, panics %d, engine asked %v", c.Received, dropped, c.Panics, r.engine.calls())
		}
		want(t, r.login(ask{user: "ada", password: "123456", id: 1}), radius.AccessAccept)
	})
}

// The clock goes back an hour, and on by a day: nothing is accepted twice, and
// logins go on.
func TestClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shift atomic.Int64
		r := newRig(t, func(o *shim.Options) { o.Now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) } })
		defer r.close()
		request := r.build(ask{user: "ada", password: "123456", id: 1, station: "s"})
		r.send(request, ask{}.source())
		want(t, r.checked(r.receive(), request), radius.AccessAccept)
		state := stateOf(t, r.login(ask{from: "127.0.0.2", user: "bob", id: 1, password: "x"}))
		for _, jump := range []time.Duration{-time.Hour, 24 * time.Hour, -time.Hour} {
			synctest.Wait()
			shift.Add(int64(jump))
			again := r.build(ask{user: "ada", password: "123456", id: 2, station: "elsewhere"})
			r.send(again, ask{}.source())
			want(t, r.checked(r.receive(), again), radius.AccessReject)
		}
		want(t, r.login(ask{from: "127.0.0.2", user: "bob", id: 2, password: "654321", state: state}), radius.AccessReject) // a day has passed
	})
}
