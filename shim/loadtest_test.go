//go:build linux

package shim_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/radius"
)

// loadServer is set in the environment of a child of this test binary that is
// a server: "echo", or "shim" with the path of its configuration.
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
// reads its CPU time so far in nanoseconds.
func serveLoad(kind, path string) error {
	pc, err := shim.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return err
	}
	serve := func() error { return echo(pc) }
	if kind == "shim" {
		c, _, err := config.Load(path)
		if err != nil {
			return err
		}
		e := newFakeEngine()
		s, err := shim.New(shim.Options{Config: c, Verifier: e, Passwords: e})
		if err != nil {
			return err
		}
		serve = func() error { return s.Serve(pc) }
	}
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	fmt.Println(pc.LocalAddr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		fmt.Println(u.Utime.Nano() + u.Stime.Nano())
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
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

// cpu is the CPU time that the child has used.
func (c *child) cpu(b *testing.B) time.Duration {
	b.Helper()
	var d time.Duration
	if _, err := fmt.Fprintln(c.stdin); err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(c.line(b), &d); err != nil {
		b.Fatal(err)
	}
	return d
}

// drive keeps 8 requests outstanding on each of 8 sockets until n answers have
// come, and returns the server's CPU time an answer.
func (c *child) drive(b *testing.B, requests [][]byte, n int) time.Duration {
	b.Helper()
	const sockets, window = 8, 8
	conns := make([]*net.UDPConn, sockets)
	for i := range conns {
		conns[i] = dial(b, "127.0.0.1", c.address)
		for k := range requests { // warm: the first copy is work, the others come from the cache
			exchange(b, conns[i], requests[k])
		}
	}
	before := c.cpu(b)
	failures := make(chan error, sockets)
	for _, conn := range conns {
		go func() { failures <- pump(conn, requests, window, n/sockets) }()
	}
	for range conns {
		if err := <-failures; err != nil {
			b.Fatal(err)
		}
	}
	spent := c.cpu(b) - before
	for _, conn := range conns {
		_ = conn.Close()
	}
	return spent / time.Duration(n/sockets*sockets)
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
			if got < radius.HeaderLength || int(reply[1]) >= len(requests) {
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

// BenchmarkPacketPathVsEcho measures the server's CPU time per response for
// Status-Server and for retransmissions answered from the cache, and a UDP
// echo of the same datagrams beside it. Each program is a process of its own;
// they take turns. The bar of the design is 2 times the echo.
func BenchmarkPacketPathVsEcho(b *testing.B) {
	const n = 20_000
	path := b.TempDir() + "/shim.yaml"
	for name, text := range map[string]string{"shim.yaml": clients, "s": clientSecret} {
		if err := os.WriteFile(strings.Replace(path, "shim.yaml", name, 1), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	if err := config.MakeKey(strings.Replace(path, "shim.yaml", "cluster.key", 1)); err != nil {
		b.Fatal(err)
	}
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
	anchor, server := startChild(b, "echo"), startChild(b, "shim:"+path)
	var echoed, answered, repeated []time.Duration
	for b.Loop() {
		echoed = append(echoed, anchor.drive(b, logins, n))
		answered = append(answered, server.drive(b, status, n))
		repeated = append(repeated, server.drive(b, logins, n))
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2].Nanoseconds()) / 1000
	}
	b.ReportMetric(0, "ns/op") // a round says nothing
	b.ReportMetric(median(echoed), "echo-cpu-µs")
	b.ReportMetric(median(answered), "status-cpu-µs")
	b.ReportMetric(median(repeated), "cached-cpu-µs")
	b.ReportMetric(median(answered)/median(echoed), "status/echo")
	b.ReportMetric(median(repeated)/median(echoed), "cached/echo")
}
