package main

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mfabridge/shim/radius"
)

// outcome is what became of an open loop.
type outcome struct {
	latencies []time.Duration // ascending, of what was answered, from the moment it was due
	accepted  int
	cpu       time.Duration // of the server, for each
}

func (o outcome) ms(share float64) float64 {
	if len(o.latencies) == 0 {
		return 0
	}
	return float64(o.latencies[int(share*float64(len(o.latencies)-1))].Microseconds()) / 1000
}

// openLoop sends one login each of n users at a steady rate, whatever has been
// answered, and waits two seconds for the last answers. Nothing is sent twice.
func (s loaded) openLoop(t testing.TB, first, n, perSecond int) outcome {
	t.Helper()
	const sockets = 32
	var due [sockets][256]atomic.Int64 // when what is outstanding was due, by identifier
	var mu sync.Mutex
	var o outcome
	var wg sync.WaitGroup
	callers := make([]*caller, sockets)
	for k := range callers {
		c := newCaller(t, fromOnly, s.address)
		callers[k] = c
		wg.Go(func() {
			for {
				got, err := c.conn.Read(c.in)
				if err != nil {
					return // the deadline at the end
				}
				at := due[k][c.in[1]].Swap(0)
				if got < radius.HeaderLength || at == 0 {
					continue
				}
				mu.Lock()
				o.latencies = append(o.latencies, time.Duration(time.Now().UnixNano()-at))
				if radius.Code(c.in[0]) == radius.AccessAccept {
					o.accepted++
				}
				mu.Unlock()
			}
		})
	}
	before, start := s.cpu(t), time.Now()
	for i := range n {
		c := callers[i%sockets]
		b := c.request(radius.AccessRequest, userName(first+i), codeNow(first+i), nil, "")
		at := start.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		if wait := time.Until(at); wait > 0 {
			nap := unix.NsecToTimespec(wait.Nanoseconds())
			_ = unix.Nanosleep(&nap, nil) // a timer of the runtime is late by up to a millisecond, and that would be measured
		}
		due[i%sockets][b[1]].Store(at.UnixNano())
		if _, err := c.conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range callers {
		if err := c.conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	for _, c := range callers {
		_ = c.conn.Close()
	}
	o.cpu = (s.cpu(t) - before) / time.Duration(n)
	slices.Sort(o.latencies)
	return o
}

// flushes is the 99th percentile of what fdatasync of 4 KiB takes on the disk
// that the stores are on, in ms.
func flushes(b *testing.B) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "flushed"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	took := make([]float64, 0, 1000)
	for range cap(took) {
		if _, err := f.Write(block); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		took = append(took, float64(time.Since(start).Microseconds())/1000)
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// BenchmarkShimProcess measures "mfabridge shim serve" as a process with an
// engine of 60,000 users, each verdict durable and audited before its answer.
// First the CPU of a login under full load, beside a Go UDP echo, an echo with the
// rows of a login in SQLite and, where it is installed, FreeRADIUS with rlm_totp,
// which remembers nothing; they take turns, and medians are compared. Then 2,000
// logins a second for 6 seconds in an open loop: what was lost, how long the rest
// took beside the echo, an echo whose answers are durable, and fdatasync, and the
// most memory so far.
func BenchmarkShimProcess(b *testing.B) {
	const users, rounds, each, flows, rate = leastUsers, 3, 8_000, 4_000, 2_000
	s := populated(b, users)
	for b.Loop() {
		server, anchor, stored := launchShim(b, s), launchEcho(b, plainEcho), launchEcho(b, storedEcho)
		both, steps, installed := launchFreeRADIUS(b, users)
		figures := map[string][]float64{}
		measure := func(name string, p loaded, from string, first, n int, do work) {
			cpu, failed := p.closedLoop(b, from, first, n, do)
			figures[name] = append(figures[name], float64(cpu.Nanoseconds())/1000)
			if failed > n/20 { // FreeRADIUS takes the code of this very step only, and is late to see it end
				b.Errorf("%s: %d of %d logins failed", name, failed, n)
			}
		}
		next := 0
		for range rounds {
			measure("echo", anchor, fromOnly, next, each, echoed)
			measure("stored-echo", stored, fromOnly, next, each, echoed)
			measure("login", server, fromOnly, next, each, accepted(""))
			if installed {
				measure("freeradius", both, fromOnly, next, each, accepted("pw"))
			}
			next += each
			measure("flow", server, fromAsk, next, flows, challenged)
			if installed {
				measure("freeradius-flow", steps, fromOnly, next, flows, challenged)
			}
			next += flows
		}
		report := func(value float64, unit string) { b.ReportMetric(value, unit) }
		report(0, "ns/op")
		for name, values := range figures {
			report(median(values), name+"-cpu-µs")
		}
		to := func(work, anchor string) { report(median(figures[work])/median(figures[anchor]), work+"/"+anchor) }
		to("login", "echo")
		to("login", "stored-echo")
		if installed {
			to("login", "freeradius")
			to("flow", "freeradius-flow")
			to("stored-echo", "freeradius")
		}
		flush, quiet := flushes(b), anchor.openLoop(b, next, 3*rate, rate)
		least := launchEcho(b, lastingEcho).openLoop(b, next, 3*rate, rate)
		open := server.openLoop(b, next, 6*rate, rate)
		if lost := 6*rate - len(open.latencies); lost > 0 || open.accepted < 6*rate {
			b.Errorf("of %d logins %d were lost, %d accepted", 6*rate, lost, open.accepted)
		}
		report(float64(open.cpu.Nanoseconds())/1000, "open-cpu-µs")
		report(open.ms(0.5), "open-p50-ms")
		report(open.ms(0.99), "open-p99-ms")
		report(quiet.ms(0.99), "echo-p99-ms")
		report(flush, "fdatasync-p99-ms")
		report(least.ms(0.99), "lasting-echo-p99-ms")
		report(float64(least.cpu.Nanoseconds())/1000, "lasting-echo-cpu-µs")
		report(open.ms(0.99)/flush, "p99/fdatasync")
		report(open.ms(0.99)/least.ms(0.99), "p99/lasting-echo")
		report(least.ms(0.99)/flush, "lasting-echo-p99/fdatasync")
		report(server.peak(b), "peak-MiB")
	}
}
