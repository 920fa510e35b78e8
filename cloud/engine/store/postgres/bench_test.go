package postgres_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/internal/peer"
)

// cpu is the user and system time of this process and of the server's.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano()+u.Stime.Nano()) + cluster.CPU()
}

func openFor(b *testing.B, now func() time.Time) *engine.Engine {
	peer.NeedCluster(b, cluster)
	address, key := made(b)
	s := opens(b, address)
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	e, err := engine.Open(b.Context(), engine.Config{Store: s, Key: key, Now: now})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func write(b *testing.B, e *engine.Engine, users int) {
	var changes []cloud.Change
	for i := range users {
		changes = append(changes,
			cloud.Change{UPN: loadName(i), Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: &cloud.Profile{UPN: loadName(i), Enabled: true}}},
			cloud.Change{UPN: loadName(i), Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(i)}})
	}
	for at := 0; at < len(changes); at += 1000 {
		for _, r := range e.Write(b.Context(), changes[at:min(at+1000, len(changes))]) {
			if r.Outcome != cloud.Done {
				b.Fatal(r.Outcome, r.Err)
			}
		}
	}
}

// BenchmarkWrite writes users with a generator each, 500 in a call.
func BenchmarkWrite(b *testing.B) {
	const users = 5000
	for b.Loop() {
		e := openFor(b, nil)
		start := cpu(b)
		write(b, e, users)
		b.ReportMetric(users/(cpu(b)-start).Seconds(), "users/cpu-s")
	}
}

// BenchmarkFind looks users up by name, 100 in a call and one in a call.
func BenchmarkFind(b *testing.B) {
	const users = 2000
	e := openFor(b, nil)
	write(b, e, users)
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			keys := make([]cloud.Key, size)
			n, start := 0, cpu(b)
			for b.Loop() {
				for i := range keys {
					keys[i] = cloud.Key{Kind: cloud.ByName, Value: loadName(n * 7919 % users)}
					n++
				}
				if found, err := e.Find(b.Context(), keys); err != nil || len(found[0]) != 1 {
					b.Fatal(found, err)
				}
			}
			b.ReportMetric(float64(n)/(cpu(b)-start).Seconds(), "lookups/cpu-s")
		})
	}
}

// BenchmarkVerify logs users in with a code in the request: verdict, use of
// the code and audit are durable before each answer.
func BenchmarkVerify(b *testing.B) {
	for _, parallel := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(parallel), func(b *testing.B) {
			const users = 1000
			var clock atomic.Int64
			clock.Store(1_790_000_000)
			e := openFor(b, func() time.Time { return time.Unix(clock.Load(), 0) })
			write(b, e, users)
			var next, approved atomic.Int64
			b.SetParallelism(max(1, parallel/2))
			b.ResetTimer()
			start := cpu(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := next.Add(1)
					at := time.Unix(1_790_000_000, 0).Add(time.Duration(n/users) * 30 * time.Second)
					clock.Store(at.Unix())
					if logIn(b, e, int(n%users), at) {
						approved.Add(1)
					}
				}
			})
			b.ReportMetric(float64(next.Load())/(cpu(b)-start).Seconds(), "logins/cpu-s")
			if share := float64(approved.Load()) / float64(next.Load()); share < 0.9 {
				b.Errorf("only %.2f of the logins were approved", share)
			}
		})
	}
}

func logIn(b *testing.B, e *engine.Engine, n int, at time.Time) bool {
	c, err := e.Begin(context.Background(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: loadName(n)}, Tries: 1,
		Key: fmt.Sprintf("%d-%d", n, at.Unix()), Client: cloud.Client{App: "vpn", Station: fmt.Sprintf("station-%d", n)},
		Code: cloudtest.Code(cloudtest.Seed(n), cloudtest.Generator(n), at)})
	if err != nil {
		b.Error(err)
	}
	return c.State == cloud.Approved
}
