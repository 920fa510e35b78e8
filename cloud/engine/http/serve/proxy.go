package serve

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"mfabridge/internal/share"
)

// maxHops is how many addresses are read of what proxies say: a chain is short.
const maxHops = 32

type addressKey struct{}

// AddressOf is where a request comes from: the address of the connection, or,
// behind proxies that are trusted, the one that they name. It is the zero Addr
// where nobody knows.
func AddressOf(ctx context.Context) netip.Addr {
	a, _ := ctx.Value(addressKey{}).(netip.Addr)
	return a
}

// Proxies are those in front of a listener whose word on the address of a
// caller counts.
type Proxies struct {
	Networks []netip.Prefix // that they are in
	Only     bool           // nobody else is answered
}

func (p *Proxies) trust(a netip.Addr) bool {
	for _, network := range p.Networks {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// single is for whom something counts that comes from an address: nobody where
// many people come from there.
func (p *Proxies) single(a netip.Addr) netip.Prefix {
	if p.trust(a.Unmap().WithZone("")) {
		return netip.Prefix{}
	}
	return share.Single(a)
}

// connected is the address of the connection.
func connected(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// origin is where a request comes from. What a trusted proxy says is read from
// its end: each one appended whom it heard from, and the first that is not
// trusted is the caller, however much stands before it, which anybody can
// write. X-Forwarded-For and Forwarded (RFC 7239) have to say the same where
// both are there, since most proxies write one and let the other through; if
// they do not, or cannot be read, it is the last address that is sure.
func (p *Proxies) origin(r *http.Request) netip.Addr {
	here := connected(r)
	plain, standard := r.Header.Values("X-Forwarded-For"), r.Header.Values("Forwarded")
	switch {
	case len(standard) == 0:
		return p.walk(here, plain, parseHop)
	case len(plain) == 0:
		return p.walk(here, standard, parseForwarded)
	}
	if one := p.walk(here, plain, parseHop); one == p.walk(here, standard, parseForwarded) {
		return one
	}
	return here
}

// walk goes from the nearest hop to the first that is not trusted, which is that
// hop itself if nobody trusts it.
func (p *Proxies) walk(at netip.Addr, lines []string, parse func(string) (netip.Addr, bool)) netip.Addr {
	left := strings.Join(lines, ",")
	for range maxHops {
		if !p.trust(at) || left == "" {
			return at
		}
		last := left
		if i := strings.LastIndexByte(left, ','); i >= 0 {
			left, last = left[:i], left[i+1:]
		} else {
			left = ""
		}
		next, ok := parse(strings.TrimSpace(last))
		if !ok {
			return at
		}
		at = next
	}
	return at
}

// parseHop reads an address as X-Forwarded-For has it: with or without a port,
// IPv6 also in brackets.
func parseHop(s string) (netip.Addr, bool) {
	if at, err := netip.ParseAddrPort(s); err == nil {
		return at.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return a.Unmap().WithZone(""), err == nil
}

// parseForwarded reads the node of one element of Forwarded: for=192.0.2.1,
// for="[2001:db8::1]:4711". Elements with quoted commas are not read: then
// nothing parses, and the last sure address counts.
func parseForwarded(element string) (netip.Addr, bool) {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok && strings.EqualFold(name, "for") {
			return parseHop(strings.Trim(value, `"`))
		}
	}
	return netip.Addr{}, false
}

// addressed is the context of a request, which knows where it comes from.
func (t *Table) addressed(r *http.Request, l Listener) context.Context {
	proxies := t.proxies[l]
	return context.WithValue(r.Context(), addressKey{}, proxies.origin(r))
}

// behind refuses who is no proxy at a listener that is for them only.
func (t *Table) behind(r *http.Request, l Listener) error {
	if proxies := t.proxies[l]; proxies.Only && !proxies.trust(connected(r)) {
		return denied("this address is for the proxies in front of it only")
	}
	return nil
}
