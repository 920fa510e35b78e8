// Package share deals out a fixed number of places among addresses, so that one
// of them, or a few, leave room for everybody else.
//
//	pool := share.New(512)
//	from := share.Single(address)
//	if !pool.Take(from) {
//		return errFull
//	}
//	defer pool.Leave(from)
package share

import (
	"net/netip"
	"sync"
)

// Pool is a number of places. Whoever comes from one address gets another place
// only while more are free than that address has: one alone gets half of them,
// two get a third each, and of however many that take what they can get each
// leaves room for somebody else. Its methods may be called concurrently.
type Pool struct {
	size int

	mu    sync.Mutex
	taken int
	held  map[netip.Prefix]int
}

// New makes a pool of that many places.
func New(size int) *Pool { return &Pool{size: size, held: map[netip.Prefix]int{}} }

// Take takes a place, or tells that there is none; Leave of the same must
// follow. The zero Prefix gets any place that is free.
func (p *Pool) Take(from netip.Prefix) bool {
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

// Leave gives a place back.
func (p *Pool) Leave(from netip.Prefix) {
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

// Taken is how many places are taken.
func (p *Pool) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// Home is for whom something counts that comes from an address: that itself, of
// IPv6 the /64, within which anybody picks addresses freely; the zero Prefix for
// the zero Addr.
func Home(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // of the zero Addr: the zero Prefix
	return p
}

// Single is Home where one address is one caller: the zero Prefix for this
// machine, where a proxy may stand.
func Single(a netip.Addr) netip.Prefix {
	if a.Unmap().IsLoopback() {
		return netip.Prefix{}
	}
	return Home(a)
}
