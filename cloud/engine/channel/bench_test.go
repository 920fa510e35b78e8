package channel_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"mfabridge/cloud/engine/channel"
	"mfabridge/cloud/engine/channel/smpp/smpptest"
)

// BenchmarkTexts hands texts to a provider over HTTP on loopback, as the engine
// does: the peer answers at once, so that what is measured is ours. Both ends
// share the processors. The figure to reach is 2,000 a second.
func BenchmarkTexts(b *testing.B) {
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer peer.Close()
	h := &channel.HTTP{Profile: "json", URL: peer.URL, Vars: map[string]string{"from": "Contoso"}, AllowPrivate: true}
	conf := &channel.Config{Text: &channel.Text{Providers: []channel.Provider{{Name: "one", Mode: "live", HTTP: h}}}}
	for _, err := range conf.Check("/") {
		b.Fatal(err)
	}
	c, err := channel.Open(channel.Options{Config: conf, Outbox: new(kept)})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	measureTexts(b, c)
}

// BenchmarkTextsBySMPP does the same by a message centre, whose receipts come back
// for each text.
func BenchmarkTextsBySMPP(b *testing.B) {
	peer := smpptest.Listen(b, nil)
	peer.Receipts = "DELIVRD"
	peer.Answer = func(int) (uint32, bool) { // it remembers nothing
		peer.Bodies = peer.Bodies[:0]
		peer.Raw.Reset()
		return 0, true
	}
	b.Setenv("CENTRE", smpptest.Password)
	conf := &channel.Config{Text: &channel.Text{Providers: []channel.Provider{{Name: "one", Mode: "live", SMPP: &channel.SMPP{Host: "127.0.0.1", Port: int(peer.Address.Port()),
		TLS: "none", AllowPrivate: true, SystemID: "contoso", Password: "env:CENTRE", Window: 100}}}}}
	for _, err := range conf.Check("/") {
		b.Fatal(err)
	}
	c, err := channel.Open(channel.Options{Config: conf, Outbox: new(kept)})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	measureTexts(b, c)
}

// measureTexts sends texts from many callers at once, and tells how many there
// were a second of the clock and of the processors, and what is kept afterwards.
func measureTexts(b *testing.B, c *channel.Channels) {
	if err := c.Texts.Send(b.Context(), to("x")); err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	used := processors(b)
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.Texts.Send(b.Context(), to("x")); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
	b.ReportMetric(float64(b.N)/(processors(b)-used).Seconds(), "texts/cpu-s")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1024, "KiB-kept")
}

// processors is the time that all processors have spent on this process.
func processors(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
