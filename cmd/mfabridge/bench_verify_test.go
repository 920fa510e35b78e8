package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/remote"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/secret"
)

// bare serves the least that net/http does for a request over TLS, with the
// certificate of a folder, and says where.
func bare(folder string) error {
	s := &http.Server{Addr: "127.0.0.1:0", ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "{}\n")
	})}
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "engine.crt"), filepath.Join(folder, "engine.key"))
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", s.Addr, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "engine is listening on https://%s (api), http://none (ops)\n", l.Addr())
	return s.Serve(l)
}

// serveBare runs it as a process of its own.
func serveBare(t testing.TB, folder string) *served {
	t.Helper()
	s := &served{dir: folder, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])}
	s.cmd.Env = append(os.Environ(), runBare+"="+folder)
	s.begin(t)
	t.Cleanup(s.kill)
	return s
}

// callers runs f for n numbers from first on, as many at a time, and returns
// the CPU time of a process for each.
func (s *served) callers(b *testing.B, callers, first, n int, f func(int) error) time.Duration {
	b.Helper()
	p := loaded{pid: s.cmd.Process.Pid}
	before := p.cpu(b)
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if err := f(first + i - 1); err != nil && failed.Add(1) == 1 {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return (p.cpu(b) - before) / time.Duration(n)
}

// Logins over /verify/v1, begin and answer with a code, TLS, the verdict durable
// and audited: CPU of the engine's process, beside two bare requests.
func BenchmarkVerifyProcess(b *testing.B) {
	const users, rounds, each, few, many = 20_000, 3, 3_000, 16, 64
	m := populated(b, users)
	folder := filepath.Dir(m.path("cloud.db"))
	engine := serveStore(b, folder)
	engine.app(b, "load", "shim")
	word, err := secret.Load("file:" + filepath.Join(folder, "load.secret"))
	if err != nil {
		b.Fatal(err)
	}
	pem, err := os.ReadFile(filepath.Join(folder, "engine.crt"))
	if err != nil {
		b.Fatal(err)
	}
	ca, err := ldapconn.ReadCA(pem)
	if err != nil {
		b.Fatal(err)
	}
	client, err := remote.New(remote.Options{URL: engine.api, ClientID: "load", Secret: word, CA: ca})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	anchor := serveBare(b, folder)
	plain := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca}, MaxIdleConnsPerHost: 64}}
	ran := false
	for b.Loop() {
		if ran {
			b.Fatal("every user logs in once, a repeat would be answered from the record: run it with -benchtime=1x")
		}
		ran = true
		var logins, together, requests []float64
		for round := range rounds {
			one := func(n int) error { return login(b, client, n) }
			logins = append(logins, engine.callers(b, few, 2*round*each, each, one).Seconds())
			together = append(together, engine.callers(b, many, (2*round+1)*each, each, one).Seconds())
			requests = append(requests, anchor.callers(b, few, 0, 2*each, func(int) error {
				answer, err := plain.Post(anchor.api, "application/json", strings.NewReader(`{"user":"a"}`))
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, answer.Body)
				return errors.Join(err, answer.Body.Close())
			}).Seconds())
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(1/median(logins), "logins/cpu-s")
		b.ReportMetric(1/median(together), "logins/cpu-s-64-callers")
		b.ReportMetric(median(logins)*1e6, "login-cpu-µs")
		b.ReportMetric(median(logins)/(2*median(requests)), "x-two-bare-requests")
	}
}

// login begins a challenge for user n and answers it.
func login(b *testing.B, v cloud.Verifier, n int) error {
	c, err := v.Begin(b.Context(), cloud.Request{Subject: cloud.Key{Kind: cloud.ByName, Value: userName(n)}, Tries: 3,
		Client: cloud.Client{App: "vpn", Station: "192.0.2.7"}, Context: make([]byte, 64), Key: fmt.Sprintf("begin-%d", n)})
	if err != nil {
		return err
	}
	d, err := v.Answer(b.Context(), cloud.Answer{Challenge: c.ID, Code: secret.FromString(codeNow(n)), Key: fmt.Sprintf("answer-%d", n)})
	if err == nil && d.State != cloud.Approved {
		err = fmt.Errorf("login %d: %s %s", n, d.State, d.Reason)
	}
	return err
}
