package remote_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLoginOverHTTP begins a challenge and answers it by a right code,
// both over HTTP on keep-alive connections, client and server in one process.
// The anchor is two requests to a handler of net/http that does nothing. What
// is left when the anchor is taken away is the engine's own.
func BenchmarkLoginOverHTTP(b *testing.B) {
	h := build(b, func(h *house) { h.plain = true })
	const users, workers = 64, 16
	ids := make([]cloud.UserID, users)
	for n := range users {
		upn := "user" + string(rune('a'+n/26)) + string(rune('a'+n%26)) + "@contoso.example"
		r := h.engine.Write(b.Context(), []cloud.Change{
			{UPN: upn, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: &cloud.Profile{UPN: upn, Enabled: true}}},
			{UPN: upn, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(n)}}})
		if r[1].Err != nil {
			b.Fatal(r[1].Err)
		}
		ids[n] = cloud.UserID(r[0].ID)
	}
	anchor := bareRequests(b, workers, 2*b.N)
	b.ResetTimer()
	before := cpu(b)
	for done := 0; done < b.N; {
		round := min(users, b.N-done)
		each(workers, round, func(n int) {
			c, err := h.Begin(b.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(ids[n])}, Tries: 1, Client: cloud.Client{App: "vpn"}})
			if err != nil {
				b.Error(err)
				return
			}
			d, err := h.Answer(b.Context(), cloud.Answer{Challenge: c.ID, Code: cloudtest.Code(cloudtest.Seed(n), cloudtest.Generator(n), h.Now())})
			if err != nil || d.State != cloud.Approved {
				b.Errorf("%+v, %v", d, err)
			}
		})
		done += round
		h.Advance(30 * time.Second)
	}
	used := cpu(b) - before
	b.StopTimer()
	b.ReportMetric(float64(b.N)/used.Seconds(), "logins/cpu-s")
	b.ReportMetric(float64(b.N)/max(used-anchor, 1).Seconds(), "logins/cpu-s-less-http")
	b.ReportMetric(float64(used)/float64(anchor), "x-bare-http")
}

// each runs f for all numbers below n by some workers.
func each(workers, n int, f func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range workers {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// bareRequests is the processor time of n requests that do nothing.
func bareRequests(b *testing.B, workers, n int) time.Duration {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "{}\n")
	}))
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	before := cpu(b)
	each(workers, n, func(int) {
		answer, err := client.Post(s.URL, "application/json", strings.NewReader(`{"user":"a"}`))
		if err != nil {
			b.Error(err)
			return
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	})
	return cpu(b) - before
}
