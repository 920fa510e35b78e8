package shim

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// wantDestination makes the kernel say which of our addresses a datagram was
// sent to.
func wantDestination(raw syscall.RawConn, local netip.Addr) error {
	level, option := unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	if local.Is4() {
		level, option = unix.IPPROTO_IP, unix.IP_PKTINFO
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = unix.SetsockoptInt(int(fd), level, option, 1) }); err != nil {
		return err
	}
	return inner
}

// answerControl turns the control message that came with a request into the
// one that its answer is sent with, in place: the same address, but any
// interface, because the way back need not be the way in. It returns its
// length; 0 leaves the choice of the address to the kernel.
func answerControl(b []byte) int {
	if len(b) < unix.SizeofCmsghdr {
		return 0
	}
	header, data, rest, err := unix.ParseOneSocketControlMessage(b)
	if err != nil {
		return 0
	}
	switch {
	case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
		clear(data[:4])
	case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
		if linkLocal := data[0] == 0xfe && data[1]&0xc0 == 0x80; !linkLocal {
			clear(data[16:20])
		}
	default:
		return 0
	}
	return len(b) - len(rest)
}

// grantedBuffer is the receive buffer that the kernel gave, as it counts: with
// its own overhead, twice what can be asked for.
func grantedBuffer(u *net.UDPConn) (n int, err error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var inner error
	err = raw.Control(func(fd uintptr) { n, inner = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) })
	if err == nil {
		err = inner
	}
	return n, err
}
