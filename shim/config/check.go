package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mfabridge/cloud/firstfactor"
	"mfabridge/internal/confcheck"
)

// check goes over a configuration, completes it and collects what is wrong.
type check struct {
	*Config
	confcheck.Check
}

func (k *check) all() {
	k.Data = k.Config.folder(k.Folder)
	k.engine()
	k.clusterKeys()
	k.listen()
	k.FirstFactors().Check(&k.Check)
	k.radsec()
	k.circles()
	if a, err := netip.ParseAddrPort(k.Ops); k.Ops != "" && (err != nil || !a.Addr().IsLoopback()) {
		k.Refuse("write for example ops: \"127.0.0.1:9812\", and let a proxy on this host show it to others", "ops: %q is no address on the loopback", k.Ops)
	}
	if len(k.RADIUS.Clients) == 0 {
		k.Refuse("add the first application with name, networks, secret and primary", "radius.clients is empty, so nobody could ask")
	}
	for i := range k.RADIUS.Clients {
		k.client(&k.RADIUS.Clients[i], i)
	}
	k.overlaps()
	k.unheard()
}

func (k *check) clusterKeys() {
	seen := make(map[string]bool)
	for i, ref := range k.ClusterKeys {
		key, err := loadKey(k.Ref(ref))
		if err != nil {
			k.Add(fmt.Errorf("cluster_keys[%d]: %w", i, err))
			continue
		}
		if seen[string(key.Reveal())] {
			k.Refuse("remove one of them", "cluster_keys[%d] is the same key as one before it", i)
		}
		seen[string(key.Reveal())] = true
		k.Keys = append(k.Keys, key)
	}
	if len(k.ClusterKeys) == 0 {
		if err := k.loadOwnKey(); err != nil {
			k.Add(err)
		}
	}
}

func (k *check) listen() {
	overTLS := k.RADIUS.RadSec != nil && !slices.ContainsFunc(k.RADIUS.Clients, func(c Client) bool { return len(c.Networks) > 0 })
	if len(k.RADIUS.Listen) == 0 && !overTLS {
		k.Refuse(`write for example radius: {listen: ["127.0.0.1:1812"]}`, "radius.listen is empty, so nobody could be heard")
	}
	k.RADIUS.Addresses = k.addresses("radius.listen", k.RADIUS.Listen, nil)
	k.RADIUS.AccountingAddresses = k.addresses("radius.accounting", k.RADIUS.Accounting, k.RADIUS.Addresses)
}

// addresses parses addresses to listen on; none of them may be taken.
func (k *check) addresses(key string, list []string, taken []netip.AddrPort) (out []netip.AddrPort) {
	for i, s := range list {
		a, err := netip.ParseAddrPort(s)
		switch {
		case err != nil:
			k.Refuse(`write an address and a port: "127.0.0.1:1812", "0.0.0.0:1812" or "[::]:1812"`,
				"%s[%d]: %q is not an address with a port", key, i, s)
		case a.Addr().Is4In6():
			k.Refuse("write "+netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String(), "%s[%d]: %s is IPv4 inside IPv6", key, i, s)
		case (slices.Contains(out, a) || slices.Contains(taken, a)) && a.Port() != 0:
			k.Refuse("remove one of them", "%s[%d]: %s stands there twice", key, i, s)
		default:
			out = append(out, a)
		}
	}
	return out
}

// circles refuses to ask the shim itself: each login there would begin another
// one, until no worker is left.
func (k *check) circles() {
	ours := slices.Concat(k.RADIUS.Addresses, k.RADIUS.AccountingAddresses)
	if k.RADIUS.RadSec != nil {
		ours = slices.Concat(ours, k.RADIUS.RadSec.Addresses)
	}
	servers := make(map[string][]firstfactor.Server)
	for name, p := range k.Primaries {
		if p != nil {
			servers["primaries."+name] = p.Servers
		}
	}
	if k.Engine.RADIUS != nil {
		servers["engine.radius"] = k.Engine.RADIUS.Servers
	}
	for _, at := range slices.Sorted(maps.Keys(servers)) {
		for i, s := range servers[at] {
			for _, address := range []string{s.Address, s.Accounting} {
				if a, err := netip.ParseAddrPort(address); err == nil && slices.ContainsFunc(ours, func(o netip.AddrPort) bool { return hears(o, a) }) {
					k.Refuse("name the server that checked passwords before; on one machine it needs another port than the shim", "%s.servers[%d]: %s is this shim itself", at, i, address)
				}
			}
		}
	}
}

// hears tells whether what is sent to an address comes in on a socket of this
// machine, as far as the addresses alone can say.
func hears(socket, to netip.AddrPort) bool {
	a := to.Addr().Unmap()
	return socket.Port() == to.Port() && (socket.Addr() == a || socket.Addr().IsUnspecified() && a.Is4() == socket.Addr().Is4() && (a.IsLoopback() || a.IsUnspecified()))
}

// accounting checks where a client's accounting goes.
func (k *check) accounting(c *Client, at string) {
	if c.Accounting == "" {
		c.Accounting = Record
	}
	if c.Accounting == Record || c.Accounting == Ignore {
		return
	}
	p := k.Primaries[c.Accounting]
	if p == nil || p.Type != firstfactor.TypeRADIUS {
		k.Refuse("write record, ignore, or the name of a primary of type radius", "%s: accounting: %q is none of these", at, c.Accounting)
		return
	}
	if !slices.ContainsFunc(p.Servers, func(s firstfactor.Server) bool { return s.Accounting != "" }) {
		k.Refuse(`write accounting: "10.0.0.5:1813" at one of its servers`, "%s: accounting: no server of primary %s takes accounting", at, c.Accounting)
	}
}

func (k *check) client(c *Client, i int) {
	at := fmt.Sprintf("radius.clients[%d]", i)
	switch {
	case c.Name == "":
		k.Refuse("give every client a name; users and logs see it", "%s has no name", at)
	case len(c.Name) > 64 || !utf8.ValidString(c.Name) || strings.TrimSpace(c.Name) != c.Name ||
		strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		k.Refuse("use at most 64 printable characters without spaces at the ends", "%s has a name that cannot be shown", at)
	default:
		at = "client " + c.Name
	}
	for _, before := range k.RADIUS.Clients[:i] {
		if before.Name == c.Name && c.Name != "" {
			k.Refuse("give each a name of its own, or list all networks under one", "%s: two clients have this name", at)
		}
	}
	k.certificates(c, at)
	if len(c.Certificates) == 0 || len(c.Networks) > 0 || c.Secret != "" {
		k.networks(c, at)
		c.SharedSecret = firstfactor.SharedSecret(&k.Check, c.Secret, at)
	}
	k.factors(c, at)
	k.Word(at, "message_authenticator", &c.MessageAuthenticator, []string{Require, Observe})
	if c.MessageAuthenticator == Observe {
		k.Warn("%s: requests without Message-Authenticator count; whoever can write packets between it and this host can forge answers. shim check says when require is safe", at)
	}
	k.second(c, at)
	k.Word(at, "disabled", &c.Disabled, []string{"deny"})
	k.Word(at, "calling_station", &c.CallingStation, []string{Reliable, Unreliable})
	k.Word(at, "on_outage", &c.OnOutage, []string{Silent, Reject})
	k.accounting(c, at)
	k.Word(at, "password_charset", &c.PasswordCharset, []string{"utf-8"})
	k.reply(c, at)
}

func (k *check) networks(c *Client, at string) {
	if len(c.Networks) == 0 {
		k.Refuse(`write for example networks: ["10.0.0.5/32"]`, "%s has no networks", at)
	}
	for _, s := range c.Networks {
		p, ok := k.Network(s, at)
		if !ok {
			continue
		}
		if p.Bits() == 0 {
			k.Warn("%s: network %s lets every address ask; only the shared secret protects it", at, s)
		}
		c.Prefixes = append(c.Prefixes, p)
	}
}

// overlaps refuses two equal prefixes: neither is the longer one.
func (k *check) overlaps() {
	owner := make(map[netip.Prefix]string)
	for _, c := range k.RADIUS.Clients {
		for _, p := range c.Prefixes {
			if first, taken := owner[p]; taken {
				k.Refuse("give the network to one of them, or make one prefix longer", "network %s belongs to client %s and to client %s", p, first, c.Name)
				continue
			}
			owner[p] = c.Name
		}
	}
}

// unheard warns of networks from which no datagram can come to any of the
// sockets: of the other family, or of other machines where all sockets are on
// the loopback. Nobody else could say so: no packet is there to be logged.
func (k *check) unheard() {
	if len(k.RADIUS.Addresses) == 0 {
		return
	}
	for _, c := range k.RADIUS.Clients {
		missing := make(map[string][]string)
		for _, p := range c.Prefixes {
			if why := k.deafTo(p); why != "" {
				missing[why] = append(missing[why], p.String())
			}
		}
		for _, why := range slices.Sorted(maps.Keys(missing)) {
			k.Warn("client %s: nobody can be heard from %s: radius.listen has %s", c.Name, strings.Join(missing[why], ", "), why)
		}
	}
}

// deafTo says what radius.listen lacks to hear a network; empty: nothing.
func (k *check) deafTo(p netip.Prefix) string {
	family := false
	for _, a := range k.RADIUS.Addresses {
		if a.Addr().Is4() != p.Addr().Is4() {
			continue
		}
		if family = true; !a.Addr().IsLoopback() || onLoopback(p) {
			return ""
		}
	}
	switch {
	case family:
		return "addresses on the loopback only"
	case p.Addr().Is4():
		return `no IPv4 address, such as "0.0.0.0:1812"`
	}
	return `no IPv6 address, such as "[::]:1812"`
}

// onLoopback tells whether a network holds addresses of the loopback.
func onLoopback(p netip.Prefix) bool {
	return p.Overlaps(netip.MustParsePrefix("127.0.0.0/8")) || p.Contains(netip.IPv6Loopback())
}

// factors refuses what would leave a login with no factor, or with one that
// nobody checks.
func (k *check) factors(c *Client, at string) {
	switch {
	case c.Primary == "":
		k.Refuse("write primary: engine, or primary: none with primary_done_by_client: true", "%s does not say who checks the first factor", at)
	case c.Primary == None && !c.PrimaryDoneByClient:
		k.Refuse("if the client has checked the password itself, say primary_done_by_client: true; else name who checks it",
			"%s: primary: none leaves the first factor unchecked", at)
	case c.Primary != None && c.PrimaryDoneByClient:
		k.Refuse("remove one of the two", "%s: primary_done_by_client contradicts primary: %s", at, c.Primary)
	case c.Primary != None && c.Primary != Native && k.Primaries[c.Primary] == nil:
		k.Refuse("use engine, none or a name that stands there", "%s: primary %q is not defined under primaries", at, c.Primary)
	}
	k.Word(at, "code_entry", &c.CodeEntry, []string{Challenge, Append, Only})
	if c.CodeEntry == Only && c.Primary != None {
		k.Refuse("use code_entry: challenge", "%s: code_entry: only leaves no password for primary: %s to check", at, c.Primary)
	}
}
