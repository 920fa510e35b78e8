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
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/http/wire"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/signature"
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

// arrivals is when events came to their devices, by challenge or name of a test.
type arrivals struct {
	mu    sync.Mutex
	at    map[string]time.Time
	waits map[string]chan struct{} // who waits for one that has not come
	n     atomic.Int64
}

func newArrivals() *arrivals {
	return &arrivals{at: map[string]time.Time{}, waits: map[string]chan struct{}{}}
}

// came notes when something came first.
func (a *arrivals) came(name string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.at[name].IsZero() {
		return
	}
	a.at[name] = now
	a.n.Add(1)
	if ch := a.waits[name]; ch != nil {
		close(ch)
	}
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
		Signature: h.sign(signature.Activation(name, made.Code, "Phone", public, secret.Bytes{}))}, cloud.Client{Station: name})
	h.device = got.Device
	return h, err
}

func (h *handheld) sign(text []byte) []byte {
	sum := sha256.Sum256(text)
	r, s, err := ecdsa.Sign(rand.Reader, h.key, sum[:])
	if err != nil {
		panic(err)
	}
	out := make([]byte, signature.Size)
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
	r.Header.Set("Authorization", "Bearer "+signature.Token{User: h.user, Device: h.device, At: now, Signature: h.sign(signature.Request(h.user, h.device, now))}.String())
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
			if text, ok := strings.CutPrefix(line, "data: "); ok {
				came.read([]byte(text), time.Now())
			}
		}
	}()
	return nil
}

// read takes what an event says.
func (a *arrivals) read(text []byte, now time.Time) {
	var got struct {
		wire.PushesAnswer
		wire.Tested
	}
	if json.Unmarshal(text, &got) != nil {
		return
	}
	if got.ID != "" {
		a.came(got.ID, now)
	}
	for _, p := range got.Pushes {
		a.came(string(p.Challenge), now)
	}
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

// paced calls f n times, so many a second, and returns how long each took, in ms.
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
	return took
}

// Devices that hold streams open while pushes wait: memory of the engine's
// process; and the time from the request that begins a push to its event at the
// device, beside an empty event that the device has sent to itself through the
// same connection. The two take turns, second by second. The first round is not
// counted: connections are made in it, and what the setup has left is over. The
// client collects no garbage meanwhile, which would be measured as the engine's.
func BenchmarkPushProcess(b *testing.B) {
	const connected, others, second, rounds = 8_000, 2_000, 500, 5
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
		came := newArrivals()
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
		device := func(round, i int) int { return (i*rounds + round) * (connected / (second * rounds)) }
		push := func(round int) func(i int) (time.Duration, error) {
			return func(i int) (time.Duration, error) {
				start := time.Now()
				c, err := begin(shim, device(round, i), "Mail")
				if err != nil {
					return 0, err
				}
				return came.after(string(c.ID), start)
			}
		}
		empty := func(round int) func(i int) (time.Duration, error) {
			return func(i int) (time.Duration, error) {
				name := fmt.Sprintf("test-%d-%d", round, i)
				return devices[device(round, i)].test(client, s.pages, name, came)
			}
		}
		runtime.GC()
		percent := debug.SetGCPercent(-1)
		var pushes, empties []float64
		var cpu [2]time.Duration
		for round := range rounds {
			before := held.cpu(b)
			empty := paced(b, second, second, empty(round))
			between := held.cpu(b)
			push := paced(b, second, second, push(round))
			if round > 0 {
				empties, pushes = append(empties, empty...), append(pushes, push...)
				cpu[0], cpu[1] = cpu[0]+between-before, cpu[1]+held.cpu(b)-between
			}
		}
		debug.SetGCPercent(percent)
		stop()
		client.CloseIdleConnections()
		slices.Sort(pushes)
		slices.Sort(empties)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(connected, "devices")
		b.ReportMetric(float64(2*len(devices)), "pending")
		for i, of := range []struct {
			name string
			took []float64
		}{{"empty", empties}, {"push", pushes}} {
			b.ReportMetric(float64(cpu[i].Microseconds())/float64(len(of.took)), of.name+"-cpu-µs")
			b.ReportMetric(of.took[len(of.took)/2], of.name+"-p50-ms")
			b.ReportMetric(of.took[len(of.took)*99/100], of.name+"-p99-ms")
		}
		b.ReportMetric(pushes[len(pushes)/2]/empties[len(empties)/2], "p50/empty")
		b.ReportMetric(pushes[len(pushes)*99/100]/empties[len(empties)*99/100], "p99/empty")
		b.ReportMetric(flushes(b), "fdatasync-p99-ms")
	}
}

// test has an empty event sent to the device, and says how long it took to come.
func (h *handheld) test(client *http.Client, base, name string, came *arrivals) (time.Duration, error) {
	start := time.Now()
	if err := h.post(client, base, "/test", `{"id":"`+name+`"}`); err != nil {
		return 0, err
	}
	return came.after(name, start)
}

// post asks something that the device signs.
func (h *handheld) post(client *http.Client, base, path, body string) error {
	r, err := http.NewRequest(http.MethodPost, base+wire.PathDevice+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	now := time.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+signature.Token{User: h.user, Device: h.device, At: now, Signature: h.sign(signature.Request(h.user, h.device, now))}.String())
	w, err := client.Do(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(w.Body)
	_ = w.Body.Close()
	if err != nil || w.StatusCode != http.StatusOK && w.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%d %s %w", w.StatusCode, text, err)
	}
	return nil
}

// after waits until something has come, and says how long that took.
func (a *arrivals) after(name string, start time.Time) (time.Duration, error) {
	a.mu.Lock()
	ch := make(chan struct{})
	if a.at[name].IsZero() {
		a.waits[name] = ch
	} else {
		close(ch)
	}
	a.mu.Unlock()
	over := time.NewTimer(20 * time.Second)
	defer over.Stop()
	select {
	case <-ch:
	case <-over.C:
		return 0, fmt.Errorf("an event did not come")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at[name].Sub(start), nil
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
	key, err := seal.LoadKey("file:" + filepath.Join(folder, "cloud.db.key"))
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
