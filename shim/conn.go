package shim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"mfabridge/internal/hint"
)

// ReceiveBuffer is what a socket is asked to hold of what has not been read
// yet, in octets; the kernel may give less.
const ReceiveBuffer = 4 << 20

// controlSize holds the control messages that tell the address a datagram was
// sent to, for IPv4 and IPv6.
const controlSize = 64

// path is the way a datagram came, and the way its answer goes back.
type path struct {
	from    netip.AddrPort
	control [controlSize]byte // on wildcard sockets: our own address (RFC 2865 section 3)
	n       int
}

// conn reads and writes datagrams without allocating.
type conn interface {
	read(b []byte, p *path) (int, error)
	write(b []byte, p *path) error
}

// newConn picks what fits a socket. Any PacketConn will do; of a UDP socket on
// a wildcard address each answer goes out from the address that was asked.
func newConn(pc net.PacketConn) (conn, error) {
	u, ok := pc.(*net.UDPConn)
	if !ok {
		return packetConn{pc}, nil
	}
	if local, ok := u.LocalAddr().(*net.UDPAddr); ok && local.AddrPort().Addr().IsUnspecified() {
		raw, err := u.SyscallConn()
		if err == nil {
			err = wantDestination(raw, local.AddrPort().Addr())
		}
		if err != nil {
			return udpConn{u}, err
		}
		return wildcardConn{u}, nil
	}
	return udpConn{u}, nil
}

type udpConn struct{ u *net.UDPConn }

func (c udpConn) read(b []byte, p *path) (n int, err error) {
	n, p.from, err = c.u.ReadFromUDPAddrPort(b)
	return n, err
}

func (c udpConn) write(b []byte, p *path) error {
	_, err := c.u.WriteToUDPAddrPort(b, p.from)
	return err
}

type wildcardConn struct{ u *net.UDPConn }

func (c wildcardConn) read(b []byte, p *path) (n int, err error) {
	n, p.n, _, p.from, err = c.u.ReadMsgUDPAddrPort(b, p.control[:])
	p.n = answerControl(p.control[:p.n])
	return n, err
}

func (c wildcardConn) write(b []byte, p *path) error {
	_, _, err := c.u.WriteMsgUDPAddrPort(b, p.control[:p.n], p.from)
	return err
}

type packetConn struct{ pc net.PacketConn }

func (c packetConn) read(b []byte, p *path) (int, error) {
	n, from, err := c.pc.ReadFrom(b)
	if err != nil {
		return n, err
	}
	u, ok := from.(*net.UDPAddr)
	if !ok {
		return n, fmt.Errorf("socket yields addresses of type %T, not UDP addresses", from)
	}
	p.from = u.AddrPort()
	return n, nil
}

func (c packetConn) write(b []byte, p *path) error {
	_, err := c.pc.WriteTo(b, net.UDPAddrFromAddrPort(p.from))
	return err
}

// Listen opens a UDP socket for Serve. An IPv6 address hears IPv6 only: list
// "0.0.0.0:1812" and "[::]:1812" to hear both.
func Listen(a netip.AddrPort) (*net.UDPConn, error) {
	network := "udp6"
	if a.Addr().Is4() {
		network = "udp4"
	}
	var options net.ListenConfig
	if a.Addr().IsUnspecified() {
		// Before the socket is bound: the first datagram counts too. Serve
		// reports it if the system cannot do this.
		options.Control = func(_, _ string, raw syscall.RawConn) error {
			_ = wantDestination(raw, a.Addr())
			return nil
		}
	}
	pc, err := options.ListenPacket(context.Background(), network, a.String())
	if err == nil {
		return pc.(*net.UDPConn), nil // what the package net documents for these networks
	}
	err = fmt.Errorf("cannot listen on %s: %w", a, err)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, hint.Wrap(err, fmt.Sprintf("another program holds UDP port %d, perhaps a second shim or another RADIUS server; stop it or choose another port under radius.listen", a.Port()))
	case errors.Is(err, syscall.EACCES):
		return nil, hint.Wrap(err, "ports below 1024 need a privilege; RADIUS normally uses 1812")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, hint.Wrap(err, "no interface of this machine has that address; correct radius.listen")
	}
	return nil, hint.Wrap(err, "correct radius.listen")
}
