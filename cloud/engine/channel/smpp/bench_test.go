package smpp_test

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel/smpp"
	"mfabridge/cloud/engine/channel/smpp/smpptest"
)

// BenchmarkSend hands texts to a centre on the loopback that answers at once;
// its CPU is counted with ours.
func BenchmarkSend(b *testing.B) {
	c := smpptest.Listen(b, nil)
	client := open(b, c, func(conf *smpp.Config) { conf.Window = 100 })
	defer client.Close()
	if _, err := client.Send(b.Context(), message); err != nil {
		b.Fatal(err)
	}
	c.Answer = func(int) (uint32, bool) { c.Bodies = c.Bodies[:0]; c.Raw.Reset(); return 0, true }
	before := cpu(b)
	b.SetParallelism(50)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := client.Send(b.Context(), message); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(b.N)/(cpu(b)-before).Seconds(), "messages/cpu-s")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapInuse)/(1<<20), "MiB-heap")
}

func cpu(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
