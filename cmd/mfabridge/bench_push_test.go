package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/cloud/remote"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/secret"
)

// handheld is a device that holds a stream open.
type handheld struct {
	user   cloud.UserID
	device string
	key    *ecdsa.PrivateKey
}

// arrivals is when pushes came to their devices.
type arrivals struct {
	mu sync.Mutex
	at map[cloud.ChallengeID]time.Time
	n  atomic.Int64
}

// each runs f for 0 to n-1, so many at once.
func each(b *testing.B, n, at int, f func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range at {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// enrol makes a user with a device that signs.
func enrol(ctx context.Context, e *engine.Engine, i int) (handheld, error) {
	by, name := engine.Actor{Who: "bench", Reason: "bench"}, fmt.Sprintf("user%d@contoso.example", i)
	id, err := e.AddUser(ctx, by, cloud.Profile{UPN: name, Enabled: true})
	if err != nil {
		return handheld{}, err
	}
	made, err := e.IssueActivation(ctx, by, id)
	if err != nil {
		return handheld{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return handheld{}, err
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return handheld{}, err
	}
	h := handheld{user: id, key: key}
	got, err := e.Enrol(ctx, engine.Enrolment{User: name, Code: made.Code, Name: "Phone", Key: public,
		Signature: h.sign(engine.ActivationText(name, string(made.Code.Reveal()), "Phone", public))}, cloud.Client{Station: name})
	h.device = got.Device
	return h, err
}

func (h *handheld) sign(text []byte) []byte {
	sum := sha256.Sum256(text)
	r, s, err := ecdsa.Sign(rand.Reader, h.key, sum[:])
	if err != nil {
		panic(err)
	}
	out := make([]byte, engine.DeviceSignatureSize)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out
}

// stream holds the events of a device open, on a connection of its own.
func (h *handheld) stream(ctx context.Context, client *http.Client, base string, came *arrivals) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+wire.PathDevice+"/events", nil)
	if err != nil {
		return err
	}
	now := time.Now()
	r.Header.Set("Authorization", "Bearer "+engine.DeviceToken(h.user, h.device, now, h.sign(engine.RequestText(h.user, h.device, now))))
	w, err := client.Do(r)
	if err != nil {
		return err
	}
	if w.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(w.Body)
		return fmt.Errorf("%d %s", w.StatusCode, text)
	}
	go func() {
		defer w.Body.Close()
		lines := bufio.NewReaderSize(w.Body, 1024)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			text, ok := strings.CutPrefix(line, "data: ")
			if !ok {
				continue
			}
			now := time.Now()
			var got wire.PushesAnswer
			if json.Unmarshal([]byte(text), &got) != nil {
				continue
			}
			came.mu.Lock()
			for _, p := range got.Pushes {
				if came.at[p.Challenge].IsZero() {
					came.at[p.Challenge] = now
					came.n.Add(1)
				}
			}
			came.mu.Unlock()
		}
	}()
	return nil
}

// until waits for a count, at most a minute.
func (a *arrivals) until(b testing.TB, want int64) {
	b.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); a.n.Load() < want; <-tick.C {
		if time.Now().After(end) {
			b.Fatalf("%d of %d pushes have come", a.n.Load(), want)
		}
	}
}

// paced calls f n times, so many a second, and returns how long each took.
func paced(b *testing.B, n, second int, f func(i int) (time.Duration, error)) []float64 {
	b.Helper()
	took := make([]float64, n)
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(second))
	defer tick.Stop()
	for i := range n {
		<-tick.C
		wg.Go(func() {
			d, err := f(i)
			if err != nil {
				b.Error(err)
			}
			took[i] = d.Seconds() * 1000
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took
}

// Devices that hold streams open while pushes wait, and pushes that come to them:
// memory of the engine's process, and the time from the request that begins a
// push to its event, beside a request that sends an empty event.
func BenchmarkPushProcess(b *testing.B) {
	const connected, others, second, pushed = 8_000, 2_000, 500, 2_000
	folder := b.TempDir()
	s := &served{dir: folder}
	must(b, exitDone, "engine", "init", "--store", "sqlite:"+filepath.Join(folder, "cloud.db"))
	certify(b, folder, 1)
	e := benchEngine(b, folder)
	devices := make([]handheld, connected+others)
	each(b, len(devices), 64, func(i int) (err error) {
		devices[i], err = enrol(b.Context(), e, i)
		return err
	})
	config := "store: sqlite:cloud.db\nlimits: {streams: 9000, connections: 9000}\nlisteners:\n  api: {listen: \"127.0.0.1:0\", tls: {cert: engine.crt, key: engine.key}}\n" +
		"  ops: {listen: \"127.0.0.1:0\"}\n  pages: {listen: \"127.0.0.1:0\", tls: {cert: engine.crt, key: engine.key}}\n"
	if err := os.WriteFile(filepath.Join(folder, "engine.yaml"), []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	s.cmd = child(context.WithoutCancel(b.Context()), "engine", "serve", "--config", filepath.Join(folder, "engine.yaml"))
	s.begin(b)
	b.Cleanup(s.kill)
	pem, err := os.ReadFile(filepath.Join(folder, "engine.crt"))
	if err != nil {
		b.Fatal(err)
	}
	ca, err := ldapconn.ReadCA(pem)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		came := &arrivals{at: map[cloud.ChallengeID]time.Time{}}
		ctx, stop := context.WithCancel(b.Context())
		client := lasting(ca)
		each(b, connected, 32, func(i int) error { return devices[i].stream(ctx, client, s.pages, came) })
		begin := func(v cloud.Verifier, i int, app string) (cloud.Challenge, error) {
			return v.Begin(ctx, cloud.Request{Subject: cloud.Key{Kind: cloud.ByID, Value: string(devices[i].user)}, Tries: 1,
				Client: cloud.Client{App: app, Station: "198.51.100.7"}})
		}
		each(b, 2*len(devices), 64, func(i int) error {
			_, err := begin(e, i/2, []string{"VPN", "Portal"}[i%2])
			return err
		})
		came.until(b, 2*connected)
		held := loaded{pid: s.cmd.Process.Pid}
		b.ReportMetric(held.peak(b), "peak-MiB")
		shim := benchShim(b, s, ca)
		before := held.cpu(b)
		pushes := paced(b, pushed, second, func(i int) (time.Duration, error) {
			start := time.Now()
			c, err := begin(shim, i*connected/pushed, "Mail")
			if err != nil {
				return 0, err
			}
			return came.after(c.ID, start)
		})
		cpu := (held.cpu(b) - before) / pushed
		empty := emptyEvents(b, pushed, second)
		stop()
		client.CloseIdleConnections()
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(connected, "devices")
		b.ReportMetric(float64(2*len(devices)), "pending")
		b.ReportMetric(float64(cpu.Microseconds()), "push-cpu-µs")
		b.ReportMetric(pushes[len(pushes)/2], "push-p50-ms")
		b.ReportMetric(pushes[len(pushes)*99/100], "push-p99-ms")
		b.ReportMetric(empty[len(empty)/2], "empty-p50-ms")
		b.ReportMetric(empty[len(empty)*99/100], "empty-p99-ms")
		b.ReportMetric(pushes[len(pushes)/2]/empty[len(empty)/2], "x-empty")
	}
}

// after waits until a push has come, and says how long that took.
func (a *arrivals) after(id cloud.ChallengeID, start time.Time) (time.Duration, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := start.Add(20 * time.Second); time.Now().Before(end); <-tick.C {
		a.mu.Lock()
		at := a.at[id]
		a.mu.Unlock()
		if !at.IsZero() {
			return at.Sub(start), nil
		}
	}
	return 0, fmt.Errorf("a push did not come")
}

// lasting is a client with a connection for each request that lasts.
func lasting(ca *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca}, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		MaxIdleConnsPerHost: 64, ReadBufferSize: 1024, WriteBufferSize: 1024}}
}

func benchEngine(b testing.TB, folder string) *engine.Engine {
	b.Helper()
	db, err := sqlite.Open(b.Context(), filepath.Join(folder, "cloud.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	key, err := engine.LoadKey("file:" + filepath.Join(folder, "cloud.db.key"))
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.Open(b.Context(), engine.Config{Store: db, Key: key})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// benchShim is a shim that begins pushes at the engine.
func benchShim(b testing.TB, s *served, ca *x509.CertPool) cloud.Verifier {
	b.Helper()
	s.app(b, "load", "shim")
	word, err := secret.Load("file:" + filepath.Join(s.dir, "load.secret"))
	if err != nil {
		b.Fatal(err)
	}
	client, err := remote.New(remote.Options{URL: s.api, ClientID: "load", Secret: word, CA: ca})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	return client
}

// emptyEvents is the least that it takes: a request over TLS that has an empty
// event sent through another connection, which is open.
func emptyEvents(b *testing.B, n, second int) []float64 {
	b.Helper()
	const streams = 500
	var wakes [streams]chan struct{}
	for i := range wakes {
		wakes[i] = make(chan struct{}, n)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, _ := strconv.Atoi(r.URL.Query().Get("i"))
		if r.Method == http.MethodPost {
			wakes[i] <- struct{}{}
			return
		}
		flush := http.NewResponseController(w)
		_ = flush.Flush()
		for {
			select {
			case <-wakes[i]:
				_, _ = io.WriteString(w, "data: {}\n\n")
				_ = flush.Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	client := lasting(pool)
	defer client.CloseIdleConnections()
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var came [streams]chan time.Time
	each(b, streams, 16, func(i int) error {
		came[i] = make(chan time.Time, n)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/?i=%d", server.URL, i), nil)
		if err != nil {
			return err
		}
		w, err := client.Do(r)
		if err != nil {
			return err
		}
		go func() {
			defer w.Body.Close()
			for lines := bufio.NewScanner(w.Body); lines.Scan(); {
				if lines.Text() != "" {
					came[i] <- time.Now()
				}
			}
		}()
		return nil
	})
	return paced(b, n, second, func(i int) (time.Duration, error) {
		start := time.Now()
		w, err := client.Post(fmt.Sprintf("%s/?i=%d", server.URL, i%streams), "text/plain", nil)
		if err != nil {
			return 0, err
		}
		_ = w.Body.Close()
		return (<-came[i%streams]).Sub(start), nil
	})
}
