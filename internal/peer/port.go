package peer

import (
	"errors"
	"net"
	"strconv"
	"testing"
)

// FreePort is a port of 127.0.0.1 at which nobody listens just now, by TCP or by
// UDP: for a server that cannot pick one itself.
func FreePort(t testing.TB) string {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

func freePort() (int, error) {
	for range 16 { // one that is free by TCP may be taken by UDP
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		pc, taken := net.ListenPacket("udp4", l.Addr().String())
		if err := l.Close(); err != nil {
			return 0, err
		}
		if taken == nil {
			return l.Addr().(*net.TCPAddr).Port, pc.Close()
		}
	}
	return 0, errors.New("no port of 127.0.0.1 is free by TCP and by UDP")
}
