package peer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
)

// FreePort is a port of 127.0.0.1 at which nobody listens just now, by TCP or by
// UDP: for a server that cannot pick one itself, for one that comes back where it
// was, and for one that is not there. It is given out once by this process, and
// lies where the system gives none to who connects or asks for any, which takes
// it from no one while nobody listens.
func FreePort(t testing.TB) string {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

// given are the ports that this process has given out. The first of each process
// is another one, so that two test binaries do not find the same one free.
var given struct {
	sync.Mutex
	next int
}

func freePort() (int, error) {
	from, to := quietPorts()
	given.Lock()
	defer given.Unlock()
	if given.next == 0 {
		given.next = from + rand.IntN(to-from)
	}
	for range 1000 {
		port := given.next
		if given.next++; given.next >= to {
			given.next = from
		}
		if isFree(port) {
			return port, nil
		}
	}
	return 0, errors.New("no port of 127.0.0.1 is free by TCP and by UDP")
}

// isFree tells whether nobody has a port, on the loopback or everywhere.
func isFree(port int) bool {
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	pc, err := net.ListenPacket("udp4", l.Addr().String())
	if err == nil {
		err = pc.Close()
	}
	return errors.Join(err, l.Close()) == nil
}

// quietPorts is the larger of the two ranges, from one port up to but without the
// other, beside that from which the system gives ports away.
func quietPorts() (from, to int) {
	const lowest, end = 10_000, 1 << 16
	low, high := 32_768, 60_999 // of Linux, if nobody has changed it
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(text), &low, &high) // what cannot be read stays
	}
	switch {
	case low-lowest >= end-high && low-lowest > 1000:
		return lowest, low
	case end-high > 1000:
		return high + 1, end
	}
	return lowest, end
}
