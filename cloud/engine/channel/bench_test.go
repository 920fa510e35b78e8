package channel_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"mfabridge/cloud/engine/channel"
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
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.Texts.Send(b.Context(), to("x")); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1024, "KiB-kept")
}
