package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mfabridge/internal/peer"
	"mfabridge/shim"
	"mfabridge/shim/radius"
)

// What the shim is measured beside: servers that do part of what it does, as
// processes of their own.

func address(port string) netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:" + port) }

// Kinds of echoes.
const (
	plainEcho   = "plain"   // each datagram at once: the least that a Go program does for one
	lastingEcho = "lasting" // once a page of it is durable: the least that a server does which loses nothing
	storedEcho  = "stored"  // once a login's rows are durable, see leastStore: the least that it costs with SQLite
)

// runEchoes is an echo as its process has it: kind, port and path.
func runEchoes(what string) error {
	words := strings.SplitN(what, " ", 3)
	if len(words) != 3 {
		return fmt.Errorf("%q is not kind, port and path", what)
	}
	kind, port, path := words[0], words[1], words[2]
	switch kind {
	case plainEcho:
		return echo(port)
	case lastingEcho:
		write, err := flushed(path)
		if err != nil {
			return err
		}
		return roundEcho(port, write)
	case storedEcho:
		s, err := openLeast(path)
		if err != nil {
			return err
		}
		return roundEcho(port, s.logins)
	}
	return fmt.Errorf("there is no echo %q", kind)
}

// launchEcho starts an echo, with a file of its own if it writes one.
func launchEcho(t testing.TB, kind string) loaded {
	t.Helper()
	port := peer.FreePort(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runEcho+"="+kind+" "+port+" "+filepath.Join(t.TempDir(), "written"))
	return launch(t, cmd, port, filepath.Join(t.TempDir(), "echo.log"))
}

// echoed is a datagram of the size of a login that comes back.
func echoed(c *caller, n int) (bool, error) {
	_, err := c.exchange(c.request(radius.AccessRequest, userName(n), "000000", nil, ""), patience)
	return err == nil, err
}

// echo sends every datagram back.
func echo(port string) error {
	pc, err := shim.Listen(address(port))
	if err != nil {
		return err
	}
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

// datagram is one on its way through an echo.
type datagram struct {
	b    [4096]byte
	n    int
	from netip.AddrPort
}

// maxRound is how many datagrams an echo writes at once, as a clerk of the shim.
const maxRound = 128

// roundEcho sends datagrams back once they were written, all together that have
// come meanwhile.
func roundEcho(port string, write func([]*datagram) error) error {
	pc, err := shim.Listen(address(port))
	if err != nil {
		return err
	}
	if err := pc.SetReadBuffer(shim.ReceiveBuffer); err != nil {
		return err
	}
	free, come := make(chan *datagram, 4*maxRound), make(chan *datagram, 4*maxRound)
	for range cap(free) {
		free <- new(datagram)
	}
	failed := make(chan error, 2)
	go func() {
		for d := range free {
			var err error
			if d.n, d.from, err = pc.ReadFromUDPAddrPort(d.b[:]); err != nil {
				failed <- err
				return
			}
			come <- d
		}
	}()
	go func() {
		for d := range come {
			round := gathered(d, come)
			if err := write(round); err != nil {
				failed <- err
				return
			}
			for _, d := range round {
				if _, err := pc.WriteToUDPAddrPort(d.b[:d.n], d.from); err != nil {
					failed <- err
					return
				}
				free <- d
			}
		}
	}()
	return <-failed
}

// gathered is a round: what has come, with one chance for more to come.
func gathered(first *datagram, come <-chan *datagram) []*datagram {
	round := []*datagram{first}
	for try := 0; try < 2 && len(round) < maxRound; {
		select {
		case d := <-come:
			round = append(round, d)
		default:
			try++
			runtime.Gosched()
		}
	}
	return round
}

// flushed writes a page for each datagram into a file that is written over, and
// flushes it.
func flushed(path string) (write func([]*datagram) error, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	const page, pages = 4096, 4096
	if _, err := f.Write(make([]byte, page*pages)); err != nil {
		return nil, err
	}
	at := int64(0)
	return func(round []*datagram) error {
		for _, d := range round {
			if _, err := f.WriteAt(d.b[:], at%pages*page); err != nil {
				return err
			}
			at++
		}
		return unix.Fdatasync(int(f.Fd()))
	}, nil
}
