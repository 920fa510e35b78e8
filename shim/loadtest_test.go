//go:build linux

package shim_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/journal"
	"mfabridge/shim/radius"
)

// loadServer is set in the environment of a child of this test binary that is
// a server: "echo", or "shim", "events" or "hold" with the path of its
// configuration.
const loadServer = "MFABRIDGE_TEST_LOAD_SERVER"

func TestMain(m *testing.M) {
	kind, path, _ := strings.Cut(os.Getenv(loadServer), ":")
	if kind == "" {
		os.Exit(m.Run())
	}
	if err := serveLoad(kind, path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveLoad is the child: it prints its address, and for each line that it
// reads its CPU time so far in nanoseconds, the most memory that it has had in
// KiB, and how many logins wait.
func serveLoad(kind, path string) error {
	pc, err := shim.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return err
	}
	serve, waiting := func() error { return echo(pc) }, func() int { return 0 }
	if kind != "echo" {
		c, _, err := config.Load(path)
		if err != nil {
			return err
		}
		log, err := loadLog(kind, path)
		if err != nil {
			return err
		}
		s, err := shim.New(shim.Options{Log: log, Config: c, Verifier: instant(kind), Passwords: newFakeEngine(), Primaries: map[string]shim.Primary{"old": newFakeEngine().home()}})
		if err != nil {
			return err
		}
		serve, waiting = func() error { return s.Serve(pc) }, func() int { return s.Counters().Waiting }
	}
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	fmt.Println(pc.LocalAddr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		fmt.Println(u.Utime.Nano()+u.Stime.Nano(), u.Maxrss, waiting())
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// loadLog keeps the events of kind "events" as the program does; others have
// none.
func loadLog(kind, path string) (*slog.Logger, error) {
	if kind != "events" {
		return nil, nil
	}
	files, err := journal.Open(journal.Options{Folder: filepath.Join(filepath.Dir(path), "events"), MaxFile: 16 << 20, Keep: 16})
	if err != nil {
		return nil, err
	}
	return slog.New(slog.NewJSONHandler(journal.Gather(files, 5*time.Millisecond), nil)), nil
}

// yes approves everything at once, so that only the shim's own work is left.
type yes struct{ cloud.Verifier }

func (yes) Begin(context.Context, cloud.Request) (cloud.Challenge, error) {
	return cloud.Challenge{ID: "synthetic", State: cloud.Approved, Method: cloud.OATHCode}, nil
}

// never is an engine whose users do not look at their phones.
type never struct {
	cloud.Verifier
	begun *atomic.Uint64
}

func (e never) Begin(context.Context, cloud.Request) (cloud.Challenge, error) {
	return cloud.Challenge{ID: cloud.ChallengeID(fmt.Sprintf("%032d", e.begun.Add(1))), State: cloud.Pending, Method: cloud.Push}, nil
}

func (never) Look(_ context.Context, ids []cloud.ChallengeID) ([]cloud.Decision, error) {
	ds := make([]cloud.Decision, len(ids))
	for i, id := range ids {
		ds[i] = cloud.Decision{Challenge: id, State: cloud.Pending, Method: cloud.Push}
	}
	return ds, nil
}

func (never) Decisions(ctx context.Context) iter.Seq2[cloud.Decision, error] {
	return func(func(cloud.Decision, error) bool) { <-ctx.Done() }
}

// instant is an engine that costs nothing.
func instant(kind string) cloud.Verifier {
	if kind == "hold" {
		return never{begun: new(atomic.Uint64)}
	}
	return yes{}
}

// echo is the anchor: the least that a Go program does for a datagram.
func echo(pc *net.UDPConn) error {
	if err := pc.SetReadBuffer(shim.ReceiveBuffer); err != nil {
		return err
	}
	b := make([]byte, radius.MaxLength)
	for {
		n, from, err := pc.ReadFromUDPAddrPort(b)
		if err != nil {
			return err
		}
		if _, err := pc.WriteToUDPAddrPort(b[:n], from); err != nil {
			return err
		}
	}
}

// child is a running server and what it has cost.
type child struct {
	address netip.AddrPort
	stdin   io.Writer
	stdout  *bufio.Reader
}

func startChild(b *testing.B, kind string) *child {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), loadServer+"="+kind)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	c := &child{stdin: stdin, stdout: bufio.NewReader(stdout)}
	c.address, err = netip.ParseAddrPort(c.line(b))
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func (c *child) line(b *testing.B) string {
	b.Helper()
	s, err := c.stdout.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(s)
}

// used is the CPU time that the child has used, and its peak memory in KiB.
func (c *child) used(b *testing.B) (cpu time.Duration, memory int64) {
	b.Helper()
	if _, err := fmt.Fprintln(c.stdin); err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(c.line(b), &cpu, &memory); err != nil {
		b.Fatal(err)
	}
	return cpu, memory
}

// waiting is how many logins the child holds.
func (c *child) waiting(b *testing.B) (n int) {
	b.Helper()
	var cpu, memory int64
	if _, err := fmt.Fprintln(c.stdin); err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(c.line(b), &cpu, &memory, &n); err != nil {
		b.Fatal(err)
	}
	return n
}

// repeat is a load of n answers: 8 sockets send the same 8 requests over and
// over, all outstanding. The first copies are sent before it is measured.
func (c *child) repeat(b *testing.B, requests [][]byte, n int) time.Duration {
	b.Helper()
	conns := make([]*net.UDPConn, 8)
	each := make([][][]byte, len(conns))
	for i := range conns {
		conns[i], each[i] = dial(b, "127.0.0.1", c.address), requests
		for k := range requests {
			exchange(b, conns[i], requests[k])
		}
	}
	return c.drive(b, conns, each, n/len(conns), len(requests))
}

// once is a load of requests that are all different, one outstanding on each of
// many sockets.
func (c *child) once(b *testing.B, each [][][]byte) time.Duration {
	b.Helper()
	conns := make([]*net.UDPConn, len(each))
	for i := range conns {
		conns[i] = dial(b, "127.0.0.1", c.address)
	}
	return c.drive(b, conns, each, len(each[0]), 1)
}

// drive has each socket send its requests in turn until it has n answers, and
// returns the server's CPU time an answer.
func (c *child) drive(b *testing.B, conns []*net.UDPConn, each [][][]byte, n, window int) time.Duration {
	b.Helper()
	before, _ := c.used(b)
	failures := make(chan error, len(conns))
	for i, conn := range conns {
		go func() { failures <- pump(conn, each[i], window, n) }()
	}
	for range conns {
		if err := <-failures; err != nil {
			b.Fatal(err)
		}
	}
	after, _ := c.used(b)
	for _, conn := range conns {
		_ = conn.Close()
	}
	return (after - before) / time.Duration(n*len(conns))
}

// pump is one socket of the generator.
func pump(conn *net.UDPConn, requests [][]byte, window, n int) error {
	reply := make([]byte, radius.MaxLength)
	for i := range n + window {
		if i >= window {
			got, err := conn.Read(reply)
			if err != nil {
				return err
			}
			if got < radius.HeaderLength || reply[0] == 0 || int(reply[1]) >= len(requests) {
				return fmt.Errorf("answer of %d octets with identifier %d", got, reply[1])
			}
		}
		if i < n {
			if _, err := conn.Write(requests[i%len(requests)]); err != nil {
				return err
			}
		}
	}
	return nil
}

// loadConfiguration writes what a child loads and returns its path.
func loadConfiguration(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	for name, text := range map[string]string{"shim.yaml": clients, "s": clientSecret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if err := config.MakeKey(filepath.Join(dir, "cluster.key")); err != nil {
		b.Fatal(err)
	}
	return filepath.Join(dir, "shim.yaml")
}

// median is in microseconds.
func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2].Nanoseconds()) / 1000
}

// BenchmarkPacketPathVsEcho measures the server's CPU time per response for
// Status-Server and for retransmissions answered from the cache, and a UDP
// echo of the same datagrams beside it. Each program is a process of its own;
// they take turns. The bar of the design is 2 times the echo.
func BenchmarkPacketPathVsEcho(b *testing.B) {
	const n = 20_000
	r := &rig{t: b, secret: radius.NewSecret([]byte(clientSecret))}
	var status, logins [][]byte
	for id := range byte(8) {
		w := radius.NewRequest(nil, radius.StatusServer, id, [16]byte{id})
		s, err := r.secret.SealRequest(&w)
		if err != nil {
			b.Fatal(err)
		}
		status = append(status, s)
		logins = append(logins, r.build(ask{user: "ada", password: "000000", id: id}))
	}
	anchor, server := startChild(b, "echo"), startChild(b, "shim:"+loadConfiguration(b))
	var echoed, answered, repeated []time.Duration
	for b.Loop() {
		echoed = append(echoed, anchor.repeat(b, logins, n))
		answered = append(answered, server.repeat(b, status, n))
		repeated = append(repeated, server.repeat(b, logins, n))
	}
	b.ReportMetric(0, "ns/op") // a round says nothing
	b.ReportMetric(median(echoed), "echo-cpu-µs")
	b.ReportMetric(median(answered), "status-cpu-µs")
	b.ReportMetric(median(repeated), "cached-cpu-µs")
	b.ReportMetric(median(answered)/median(echoed), "status/echo")
	b.ReportMetric(median(repeated)/median(echoed), "cached/echo")
}

// BenchmarkLoginVsEcho measures logins with the code in the password field, all
// different, with an engine that says yes at once: what the shim itself adds to
// a login, and its memory with a full reply cache. Then the same with the line of
// JSON that each login is to the log and to data/events.
func BenchmarkLoginVsEcho(b *testing.B) {
	const sockets, identifiers = 256, 256
	r := &rig{t: b, secret: radius.NewSecret([]byte(clientSecret))}
	each := make([][][]byte, sockets)
	for i := range each {
		for id := range identifiers {
			each[i] = append(each[i], r.build(ask{user: fmt.Sprintf("user%d@contoso.example", i*identifiers+id), password: "123456",
				station: "198.51.100.7", id: byte(id)}))
		}
	}
	anchor, server, telling := startChild(b, "echo"), startChild(b, "shim:"+loadConfiguration(b)), startChild(b, "events:"+loadConfiguration(b))
	var echoed, answered, told []time.Duration
	for b.Loop() {
		echoed = append(echoed, anchor.once(b, each))
		answered = append(answered, server.once(b, each))
		told = append(told, telling.once(b, each))
	}
	_, memory := server.used(b)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(echoed), "echo-cpu-µs")
	b.ReportMetric(median(answered), "login-cpu-µs")
	b.ReportMetric(median(answered)/median(echoed), "login/echo")
	b.ReportMetric(median(told)-median(answered), "event-cpu-µs")
	b.ReportMetric(median(told)/median(answered), "with-event/login")
	b.ReportMetric(float64(memory)/1024, "peak-MiB")
}

// BenchmarkPendingPushes measures the memory of 20,000 logins that all wait for
// a push, each with its request of 250 octets and an answer still to be given.
// The bar of the design is 256 MiB.
func BenchmarkPendingPushes(b *testing.B) {
	const sockets, identifiers = 80, 250
	r := &rig{t: b, secret: radius.NewSecret([]byte(clientSecret))}
	idle := startChild(b, "shim:"+loadConfiguration(b))
	_, before := idle.used(b)
	for b.Loop() {
		server := startChild(b, "hold:"+loadConfiguration(b))
		start := time.Now()
		for i := range sockets {
			conn := dial(b, "127.0.0.2", server.address)
			var requests [][]byte
			for id := range identifiers {
				requests = append(requests, r.build(ask{user: fmt.Sprintf("user%d@contoso.example", i*identifiers+id), password: "correct horse",
					station: fmt.Sprintf("198.51.100.7 %d", id), id: byte(id), fill: func(w *radius.Builder) { w.Add(radius.ProxyState, make([]byte, 100)) }}))
			}
			// What did not fit into the kernel's buffer is sent again, as clients do.
			for server.waiting(b) < (i+1)*identifiers && time.Since(start) < 40*time.Second {
				for k, request := range requests {
					if _, err := conn.Write(request); err != nil {
						b.Fatal(err)
					}
					if k%50 == 49 {
						server.waiting(b)
					}
				}
			}
		}
		if n := server.waiting(b); n != sockets*identifiers {
			b.Fatalf("%d logins wait after %s, want %d", n, time.Since(start), sockets*identifiers)
		}
		cpu, memory := server.used(b)
		b.ReportMetric(float64(memory)/1024, "peak-MiB")
		b.ReportMetric(float64(before)/1024, "idle-MiB")
		b.ReportMetric(float64(cpu.Microseconds())/(sockets*identifiers), "cpu-µs/push")
	}
	b.ReportMetric(0, "ns/op")
}
