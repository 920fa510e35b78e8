package config

import (
	"encoding/hex"
	"slices"
	"strings"
)

// maxConnections is the default of RadSec.MaxConnections.
const maxConnections = 256

// radsec checks RADIUS over TLS and loads its files.
func (k *check) radsec() {
	r := k.RADIUS.RadSec
	if r == nil {
		return
	}
	if len(r.Listen) == 0 {
		k.Refuse(`write for example listen: ["0.0.0.0:2083"]`, "radius.radsec.listen is empty, so nobody could connect")
	}
	r.Addresses = k.addresses("radius.radsec.listen", r.Listen, nil)
	if r.MaxConnections == 0 {
		r.MaxConnections = maxConnections
	}
	if r.MaxConnections < 4 || r.MaxConnections > 1<<16 {
		k.Refuse("write 4 to 65536", "radius.radsec.max_connections: %d is out of bounds", r.MaxConnections)
	}
	r.Certificate, r.Chain = k.Pair(r.Cert, r.Key, "radius.radsec")
	r.Authorities, r.Roots = k.Authorities(r.CA, "radius.radsec", "name a PEM file with the authorities of the clients' certificates")
}

// certificates brings the names of a client's certificates into one form.
func (k *check) certificates(c *Client, at string) {
	if len(c.Certificates) > 0 && k.RADIUS.RadSec == nil {
		k.Refuse("add radius.radsec, or remove them", "%s: certificates say nothing without radius.radsec", at)
	}
	for i, name := range c.Certificates {
		name = strings.ToLower(name)
		if print, ok := strings.CutPrefix(name, "sha256:"); ok {
			digits := strings.ReplaceAll(print, ":", "")
			if b, err := hex.DecodeString(digits); err != nil || len(b) != 32 {
				k.Refuse("write sha256: and 64 hexadecimal digits", "%s: certificates: %q is no fingerprint", at, c.Certificates[i])
			}
			name = "sha256:" + digits
		} else if name == "" || strings.ContainsAny(name, "*/: ") {
			k.Refuse("write a DNS name, or sha256: in front of a fingerprint", "%s: certificates: %q is no name of a certificate", at, c.Certificates[i])
		}
		if slices.Contains(c.Certificates[:i], name) {
			k.Refuse("remove one of them", "%s: certificate %s stands there twice", at, name)
		}
		c.Certificates[i] = name
		for _, other := range k.RADIUS.Clients {
			for _, n := range other.Certificates {
				if other.Name != c.Name && n == name {
					k.Refuse("give it to one of them", "certificate %s belongs to client %s and to client %s", name, other.Name, c.Name)
				}
			}
		}
	}
}
