package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"

	"mfabridge/internal/hint"
	"mfabridge/shim"
	"mfabridge/shim/config"
	"mfabridge/shim/radsec"
)

// port is where requests come in.
type port struct {
	name    string // what it is for and its address as the configuration has it
	address net.Addr
	what    string // behind its address, for people
	serve   func() error
	close   func() error         // before it was served; of the first ones always
	retire  func() error         // while it is served: what was read is answered
	renew   func(*config.Config) // nil: a new configuration means nothing to it
	first   bool                 // it is closed before the server drains: it only takes connections
}

// ports are all that a shim listens at.
type ports struct {
	p      *program
	parts  *shimParts
	server *shim.Server
	ended  chan error // of one that nobody has retired

	manager *manager // told how the shim is; nil: nobody

	mu      sync.Mutex
	open    []*port
	serving bool
	gone    map[*port]bool
}

// wanted are the ports of a configuration by name, each with what opens it.
func (w *ports) wanted(conf *config.Config) (names []string, how map[string]func() (*port, error)) {
	how = make(map[string]func() (*port, error))
	add := func(kind string, addresses []netip.AddrPort, open func(netip.AddrPort) (*port, error)) {
		for i, a := range addresses {
			name := fmt.Sprintf("%s %s", kind, a)
			if a.Port() == 0 {
				name = fmt.Sprintf("%s %d", name, i)
			}
			names, how[name] = append(names, name), func() (*port, error) { return open(a) }
		}
	}
	datagrams := func(serve func(net.PacketConn) error, what string) func(netip.AddrPort) (*port, error) {
		return func(a netip.AddrPort) (*port, error) {
			conn, err := shim.Listen(a)
			if err != nil {
				return nil, err
			}
			return &port{address: conn.LocalAddr(), what: what, serve: func() error { return serve(conn) }, close: conn.Close,
				retire: func() error { return w.server.Retire(conn) }}, nil
		}
	}
	add("radius", conf.RADIUS.Addresses, datagrams(w.server.Serve, ""))
	add("accounting", conf.RADIUS.AccountingAddresses, datagrams(w.server.ServeAccounting, " (accounting)"))
	if r := conf.RADIUS.RadSec; r != nil {
		add("radsec", r.Addresses, func(a netip.AddrPort) (*port, error) {
			l, err := radsec.Listen(a, r, w.parts.log)
			if err != nil {
				return nil, err
			}
			return &port{address: l.Addr(), what: " (RadSec)", serve: func() error { return l.Serve(w.server) }, close: l.Close, retire: l.Close, first: true,
				renew: func(next *config.Config) { l.Renew(next.RADIUS.RadSec) }}, nil
		})
	}
	if conf.Ops != "" {
		name := "ops " + conf.Ops
		names, how[name] = append(names, name), func() (*port, error) { return w.p.openOps(conf, w.parts, w.server) }
	}
	return names, how
}

// openNew opens the ports of a configuration that are not open, or none.
func (w *ports) openNew(conf *config.Config) (made []*port, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	names, how := w.wanted(conf)
	for _, name := range names {
		if slices.ContainsFunc(w.open, func(o *port) bool { return o.name == name }) {
			continue
		}
		one, err := how[name]()
		if err != nil {
			return nil, errors.Join(w.ours(name, err), closeAll(made))
		}
		one.name = name
		made = append(made, one)
	}
	return made, nil
}

// ours says of a port that cannot be opened, because this shim itself has it at
// another address, what to do: nothing is closed before all that is new is open.
func (w *ports) ours(name string, err error) error {
	kind, address, _ := strings.Cut(name, " ")
	number := address[strings.LastIndex(address, ":"):]
	for _, one := range w.open {
		if had, _, _ := strings.Cut(one.name, " "); errors.Is(err, syscall.EADDRINUSE) && had == kind && strings.HasSuffix(one.address.String(), number) {
			return hint.Wrap(err, fmt.Sprintf("this shim listens on %s until all that is new is open: restart it to change the address and keep the port", one.address))
		}
	}
	return err
}

func closeAll(list []*port) (err error) {
	for _, one := range list {
		err = errors.Join(err, one.close())
	}
	return err
}

// take puts the ports of a configuration in the place of those before it, once
// the server has taken the configuration itself.
func (w *ports) take(conf *config.Config, made []*port) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	names, _ := w.wanted(conf)
	var kept []*port
	for _, one := range w.open {
		switch {
		case !slices.Contains(names, one.name):
			w.gone[one] = true
			err = errors.Join(err, one.retire())
			continue
		case one.renew != nil:
			one.renew(conf)
		}
		kept = append(kept, one)
	}
	w.open = append(kept, made...)
	for one := range w.gone { // what came in there lives by what is said now
		if one.renew != nil {
			one.renew(conf)
		}
	}
	if w.serving {
		for _, one := range made {
			go w.run(one)
		}
	}
	return err
}

// run serves a port. That one ended which nobody has retired ends the shim.
func (w *ports) run(one *port) {
	err := one.serve()
	w.mu.Lock()
	retired := w.gone[one]
	delete(w.gone, one)
	w.mu.Unlock()
	if retired {
		return
	}
	select {
	case w.ended <- err:
	default: // one is enough
	}
}

// begin serves all ports.
func (w *ports) begin() (addresses string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serving = true
	var all []string
	for _, one := range w.open {
		all = append(all, one.address.String()+one.what)
		go w.run(one)
	}
	return strings.Join(all, ", ")
}

// look comes back once everything has been had that each login needs for a
// moment: in a shim that is stuck it does not.
func (w *ports) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.server.Counters() // it is only to get through
}

// stop closes those that only take connections, and drains the server.
func (w *ports) stop(ctx context.Context) (err error) {
	w.mu.Lock()
	w.serving = false
	open := slices.Clone(w.open)
	w.mu.Unlock()
	for _, one := range open {
		if one.first {
			err = errors.Join(err, one.close())
		}
	}
	return errors.Join(err, w.server.Shutdown(ctx))
}
