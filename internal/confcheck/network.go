package confcheck

import "net/netip"

// Network reads a network in the notation of CIDR, or an address, which is the
// network of that one alone. ok is false where it is neither, or not as it has to
// be written, which is a problem then.
func (k *Check) Network(text, at string) (p netip.Prefix, ok bool) {
	p, err := netip.ParsePrefix(text)
	if a, bad := netip.ParseAddr(text); bad == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		k.Refuse("write 10.0.0.5, 10.0.0.0/24 or 2001:db8::/64", "%s: %q is not a network", at, text)
	case p.Addr().Is4In6():
		k.Refuse("write "+unmapped(p), "%s: network %s is IPv4 inside IPv6", at, text)
	case p.Masked() != p:
		k.Refuse("write "+p.Masked().String()+" or a longer prefix", "%s: network %s has bits set behind its prefix", at, text)
	default:
		return p, true
	}
	return netip.Prefix{}, false
}

// unmapped is a network of IPv4 inside IPv6 as it has to be written.
func unmapped(p netip.Prefix) string {
	if bits := p.Bits() - 96; bits >= 0 {
		return netip.PrefixFrom(p.Addr().Unmap(), bits).Masked().String()
	}
	return "0.0.0.0/0, or the networks that are meant"
}
