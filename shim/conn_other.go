//go:build !linux

package shim

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

func wantDestination(syscall.RawConn, netip.Addr) error {
	return errors.New("this system cannot tell which address a datagram was sent to; listen on single addresses")
}

func answerControl([]byte) int { return 0 }

func grantedBuffer(*net.UDPConn) (int, error) {
	return 0, errors.New("this system does not tell the size of its receive buffer")
}
