package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mfabridge/cloud"
	"mfabridge/cloud/cloudtest"
	"mfabridge/cloud/engine"
	"mfabridge/cloud/engine/seal"
	"mfabridge/cloud/engine/store/sqlite"
	"mfabridge/internal/peer"
	"mfabridge/shim/radius"
)

// What load tests of "mfabridge shim serve" are made of: an engine with many
// synthetic users, servers as processes of their own, and a client that sends
// logins over many sockets.

// onceYAML takes the code in the password field from 127.0.0.1 and asks for it
// from 127.0.0.2.
const onceYAML = `engine:
  store: sqlite:cloud.db
data: .
radius:
  listen: ["127.0.0.1:%s"]
  clients:
    - {name: only, networks: [127.0.0.1], secret: "file:vpn.secret", primary: none, primary_done_by_client: true, code_entry: only}
    - {name: ask, networks: [127.0.0.2], secret: "file:vpn.secret", primary: none, primary_done_by_client: true}
`

const (
	fromOnly = "127.0.0.1"
	fromAsk  = "127.0.0.2"
)

func userName(n int) string { return fmt.Sprintf("user%06d@contoso.example", n) }

// codeNow is what the generator of user n shows.
func codeNow(n int) string {
	return string(cloudtest.Code(cloudtest.Seed(n), cloudtest.Generator(n), time.Now()).Reveal())
}

// populated is a folder with an engine's store of n users, each with a
// generator.
func populated(t testing.TB, n int) story {
	t.Helper()
	s := story{folder: t.TempDir()}
	s.store = "sqlite:" + s.path("cloud.db")
	if err := sqlite.Init(t.Context(), s.path("cloud.db"), "", engine.Setup{Actor: engine.Actor{Who: "load test"}}); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), s.path("cloud.db"), sqlite.Options{Cache: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	key, err := seal.LoadKey("file:" + s.path("cloud.db.key"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(t.Context(), engine.Config{Store: db, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var changes []cloud.Change
	for i := range n {
		p := &cloud.Profile{UPN: userName(i), Enabled: true}
		changes = append(changes, cloud.Change{UPN: p.UPN, Op: cloud.Add, Method: cloud.Account, After: cloud.Value{Profile: p}},
			cloud.Change{UPN: p.UPN, Op: cloud.Add, Method: cloud.SoftwareOATH, After: cloud.Value{OATH: cloudtest.Generator(i)}})
	}
	for part := range slices.Chunk(changes, 1000) {
		for _, r := range e.Write(t.Context(), part) {
			if r.Outcome != cloud.Done {
				t.Fatal(r.Outcome, r.Err)
			}
		}
	}
	return s
}

// loaded is a server process under load.
type loaded struct {
	address netip.AddrPort
	pid     int
}

// launch starts a server, waits until it answers, and ends it with the test.
// What it says goes to a file, so that nobody's reading slows it down.
func launch(t testing.TB, cmd *exec.Cmd, port, said string) loaded {
	t.Helper()
	log, err := os.Create(said)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // its exit code says nothing here
		_ = log.Close()
	})
	s := loaded{address: netip.MustParseAddrPort("127.0.0.1:" + port), pid: cmd.Process.Pid}
	c := newCaller(t, fromOnly, s.address)
	defer c.conn.Close()
	await(t, func() bool { // nobody listens yet: an error at once
		_, err := c.exchange(c.request(radius.StatusServer, "", "", nil, ""), time.Second)
		return err == nil
	}, func() string {
		text, _ := os.ReadFile(said)
		return fmt.Sprintf("%s does not answer:\n%s", cmd.Path, text[max(0, len(text)-4000):])
	})
	return s
}

// launchShim runs the program on a populated folder.
func launchShim(t testing.TB, s story) loaded {
	t.Helper()
	s.write(t, "vpn.secret", sharedSecret)
	port := peer.FreePort(t)
	config := s.write(t, "shim.yaml", fmt.Sprintf(onceYAML, port))
	return launch(t, child(context.Background(), "shim", "serve", "--config", config), port, s.path("shim.log"))
}

// cpu is the time that the process has used so far, to 10 ms.
func (s loaded) cpu(t testing.TB) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peak is the most memory that the process has had, in MiB.
func (s loaded) peak(t testing.TB) float64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return float64(kib) / 1024
}

// caller is one client socket with one request outstanding.
type caller struct {
	conn   *net.UDPConn
	secret *radius.Secret
	serial uint64
	out    []byte
	in     []byte
}

func newCaller(t testing.TB, from string, to netip.AddrPort) *caller {
	t.Helper()
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(from)}, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	return &caller{conn: conn, secret: radius.NewSecret([]byte(sharedSecret)), serial: uint64(time.Now().UnixNano()),
		out: make([]byte, 0, radius.MaxLength), in: make([]byte, radius.MaxLength)}
}

// request builds a request with an authenticator of its own, in the caller's
// buffer.
func (c *caller) request(code radius.Code, user, password string, state []byte, station string) []byte {
	c.serial++
	var authenticator [16]byte
	binary.BigEndian.PutUint64(authenticator[:], c.serial)
	binary.BigEndian.PutUint16(authenticator[8:], uint16(c.conn.LocalAddr().(*net.UDPAddr).Port))
	w := radius.NewRequest(c.out, code, byte(c.serial), authenticator)
	if user != "" {
		w.Add(radius.UserName, []byte(user))
		w.AddPassword(c.secret, []byte(password))
	}
	if state != nil {
		w.Add(radius.State, state)
	}
	if station != "" {
		w.Add(radius.CallingStationID, []byte(station))
	}
	b, err := c.secret.SealRequest(&w)
	if err != nil {
		panic(err) // nothing of a test is too long
	}
	return b
}

// exchange sends a request and waits for its answer. Authenticators are not
// looked at: FreeRADIUS 3.2.1 answers without Message-Authenticator.
func (c *caller) exchange(request []byte, patience time.Duration) (radius.Packet, error) {
	if _, err := c.conn.Write(request); err != nil {
		return radius.Packet{}, err
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return radius.Packet{}, err
	}
	for {
		n, err := c.conn.Read(c.in)
		if err != nil {
			return radius.Packet{}, err
		}
		if p, err := radius.Parse(c.in[:n]); err == nil && p.Identifier() == request[1] {
			return p, nil
		}
	}
}

// work is one login, or one echo, of user n over a caller; it tells whether it
// went as it should.
type work func(c *caller, n int) (bool, error)

const patience = longEnough * time.Second

// accepted is a login in one exchange: prefix and code in the password field.
func accepted(prefix string) work {
	return func(c *caller, n int) (bool, error) {
		p, err := c.exchange(c.request(radius.AccessRequest, userName(n), prefix+codeNow(n), nil, ""), patience)
		return err == nil && p.Code() == radius.AccessAccept, err
	}
}

// challenged is a login in two exchanges.
func challenged(c *caller, n int) (bool, error) {
	p, err := c.exchange(c.request(radius.AccessRequest, userName(n), "pw", nil, ""), patience)
	if err != nil || p.Code() != radius.AccessChallenge {
		return false, err
	}
	state, _ := p.Lookup(radius.State)
	p, err = c.exchange(c.request(radius.AccessRequest, userName(n), codeNow(n), slices.Clone(state), ""), patience)
	return err == nil && p.Code() == radius.AccessAccept, err
}

// closedLoop has users first to first+n do their work over 64 sockets with one
// request outstanding each. It returns the server's CPU time for each, and how
// many did not go as they should.
func (s loaded) closedLoop(t testing.TB, from string, first, n int, do work) (each time.Duration, failed int) {
	t.Helper()
	const sockets = 64
	before := s.cpu(t)
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for k := range sockets {
		c := newCaller(t, from, s.address)
		wg.Go(func() {
			defer c.conn.Close()
			for i := k; i < n; i += sockets {
				ok, err := do(c, first+i)
				if ok {
					continue
				}
				mu.Lock()
				failed++
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return (s.cpu(t) - before) / time.Duration(n), failed
}
