package serve

import (
	"net/netip"
	"sync"
)

// pool is a number of places that requests hold. Whoever comes from one address
// gets another one only while more are free than that address has: one alone
// gets half of them, and of however many that take all they can get each leaves
// room for somebody else. One connection of HTTP/2 carries hundreds of requests,
// so a bound on connections is none on these.
type pool struct {
	size int

	mu    sync.Mutex
	taken int
	held  map[netip.Prefix]int
}

func newPool(size int) *pool { return &pool{size: size, held: map[netip.Prefix]int{}} }

// take takes a place, or tells that there is none; leave must follow. A zero
// Prefix gets any place that is free.
func (p *pool) take(from netip.Prefix) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	free := p.size - p.taken
	if free <= 0 || from.IsValid() && p.held[from] >= free {
		return false
	}
	p.taken++
	if from.IsValid() {
		p.held[from]++
	}
	return true
}

// leave gives a place back.
func (p *pool) leave(from netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if !from.IsValid() {
		return
	}
	if p.held[from]--; p.held[from] == 0 {
		delete(p.held, from)
	}
}

func (p *pool) inUse() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// home is for whom something counts that comes from an address: that itself, of
// IPv6 the /64, within which anybody picks addresses freely; the zero Prefix
// where nobody knows.
func home(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // of the zero Addr: the zero Prefix
	return p
}

// single is home where one address is one caller; the zero Prefix where many
// people come from it: proxies, and what stands on this machine.
func single(a netip.Addr, proxies *Proxies) netip.Prefix {
	if a.Unmap().IsLoopback() || proxies.trust(a.Unmap().WithZone("")) {
		return netip.Prefix{}
	}
	return home(a)
}
