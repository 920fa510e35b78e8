package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"syscall"

	engineconfig "mfabridge/cloud/engine/config"
	"mfabridge/internal/hint"
	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/radsec"
)

// socket is one that a configuration asks for.
type socket struct {
	key     string // of the configuration
	network string // udp or tcp
	address netip.AddrPort
	both    bool // a wildcard hears IPv4 and IPv6
	open    func() (io.Closer, error)
}

// engineServed is the configuration of the engine that a shim's configuration
// has in its process, with listeners of its own; nil: it has none.
func engineServed(conf *config.Engine) (*engineconfig.Config, error) {
	if conf.Config == "" {
		return nil, nil
	}
	engine, err := engineconfig.Load(conf.Config)
	if err != nil {
		return nil, inEngine(&misconfigured{err})
	}
	return engine, nil
}

// socketsOf are all that a shim opens, and the engine that it serves.
func socketsOf(conf *config.Config, engine *engineconfig.Config) []socket {
	var all []socket
	add := func(key, network string, addresses []netip.AddrPort, open func(netip.AddrPort) (io.Closer, error)) {
		for _, a := range addresses {
			all = append(all, socket{key, network, a, false, func() (io.Closer, error) { return open(a) }})
		}
	}
	datagrams := func(a netip.AddrPort) (io.Closer, error) { return shim.Listen(a) }
	add("radius.listen", "udp", conf.RADIUS.Addresses, datagrams)
	add("radius.accounting", "udp", conf.RADIUS.AccountingAddresses, datagrams)
	if r := conf.RADIUS.RadSec; r != nil {
		add("radius.radsec.listen", "tcp", r.Addresses, func(a netip.AddrPort) (io.Closer, error) { return radsec.Open(a) })
	}
	if a, err := netip.ParseAddrPort(conf.Ops); err == nil { // it was checked
		add("ops", "tcp", []netip.AddrPort{a}, func(a netip.AddrPort) (io.Closer, error) { return net.Listen("tcp", a.String()) })
	}
	if engine == nil {
		return all
	}
	doors := listenersOf(engine)
	for _, name := range slices.Sorted(maps.Keys(doors)) {
		all = append(all, socket{fmt.Sprintf("engine.config: listeners.%s", name), "tcp", doors[name].Address, true, func() (io.Closer, error) {
			conn, err := openDoor(name, doors[name])
			return conn, inEngine(err)
		}})
	}
	return all
}

// takes tells whether nobody can have the address of o beside this one.
func (s socket) takes(o socket) bool {
	mine, theirs := s.address.Addr().Unmap(), o.address.Addr().Unmap()
	switch {
	case s.network != o.network || s.address.Port() != o.address.Port() || s.address.Port() == 0:
		return false
	case mine.IsUnspecified():
		return s.both || mine.Is4() == theirs.Is4()
	}
	return mine == theirs
}

// distinct refuses two sockets that cannot be open beside each other.
func distinct(all []socket) error {
	var problems []error
	for i, one := range all {
		for _, other := range all[:i] {
			if one.takes(other) || other.takes(one) {
				problems = append(problems, hint.New(fmt.Sprintf("%s %s and %s %s cannot be open beside each other", other.key, other.address, one.key, one.address),
					"give one of them another port"))
			}
		}
	}
	return errors.Join(problems...)
}

// tellApart refuses a configuration that asks for one address twice. Of what is
// wrong with the engine's own, whoever opens it says more.
func tellApart(conf *config.Config) error {
	engine, err := engineServed(&conf.Engine)
	if err != nil {
		return err
	}
	if err := distinct(socketsOf(conf, engine)); err != nil {
		return &misconfigured{err}
	}
	return nil
}

// addressesFree says whether the shim could listen where it is told to, and the
// engine that it serves.
func addressesFree(sockets []socket) (state string, err error) {
	state = "the addresses are free"
	for _, s := range sockets {
		conn, failed := s.open()
		switch {
		case errors.Is(failed, syscall.EADDRINUSE):
			state = s.address.String() + " is in use, perhaps by the shim that this configuration is for"
		case failed != nil:
			err = errors.Join(err, failed)
		default:
			err = errors.Join(err, conn.Close())
		}
	}
	return state, err
}
