package config

import (
	"cmp"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"mfabridge/internal/hint"
	"mfabridge/internal/ldapconn"
)

// maxConnections is the default of RadSec.MaxConnections.
const maxConnections = 256

// radsec checks RADIUS over TLS and loads its files.
func (k *check) radsec() {
	r := k.RADIUS.RadSec
	if r == nil {
		return
	}
	var err error
	if r.Address, err = netip.ParseAddrPort(r.Listen); err != nil {
		k.refuse(`write listen: "0.0.0.0:2083"`, "radius.radsec.listen: %q is not an address with a port", r.Listen)
	}
	if r.MaxConnections == 0 {
		r.MaxConnections = maxConnections
	}
	if r.MaxConnections < 4 || r.MaxConnections > 1<<16 {
		k.refuse("write 4 to 65536", "radius.radsec.max_connections: %d is out of bounds", r.MaxConnections)
	}
	file := func(path string) string { return strings.TrimPrefix(resolve("file:"+path, "file", k.folder), "file:") }
	if r.Certificate, err = tls.LoadX509KeyPair(file(r.Cert), file(r.Key)); err != nil {
		k.problems = append(k.problems, hint.Wrap(fmt.Errorf("radius.radsec.cert: %w", err), "name the PEM files of the certificate with its chain, and of its key"))
	} else if info, err := os.Stat(file(r.Key)); err == nil && info.Mode().Perm()&0o077 != 0 {
		k.refuse("chmod 600 it", "radius.radsec.key: %s may be read by others", r.Key)
	}
	pem, err := os.ReadFile(file(r.CA))
	if err == nil {
		r.Authorities, err = ldapconn.ReadCA(pem)
	}
	if err != nil {
		k.problems = append(k.problems, hint.Wrap(fmt.Errorf("radius.radsec.ca: %w", err), cmp.Or(hint.Of(err), "name a PEM file with the authorities of the clients' certificates")))
	}
}

// certificates brings the names of a client's certificates into one form.
func (k *check) certificates(c *Client, at string) {
	if len(c.Certificates) > 0 && k.RADIUS.RadSec == nil {
		k.refuse("add radius.radsec, or remove them", "%s: certificates say nothing without radius.radsec", at)
	}
	for i, name := range c.Certificates {
		name = strings.ToLower(name)
		if print, ok := strings.CutPrefix(name, "sha256:"); ok {
			digits := strings.ReplaceAll(print, ":", "")
			if b, err := hex.DecodeString(digits); err != nil || len(b) != 32 {
				k.refuse("write sha256: and 64 hexadecimal digits", "%s: certificates: %q is no fingerprint", at, c.Certificates[i])
			}
			name = "sha256:" + digits
		} else if name == "" || strings.ContainsAny(name, "*/ ") {
			k.refuse("write a DNS name, or sha256: and a fingerprint", "%s: certificates: %q is no name of a certificate", at, c.Certificates[i])
		}
		c.Certificates[i] = name
		for _, other := range k.RADIUS.Clients {
			for _, n := range other.Certificates {
				if other.Name != c.Name && n == name {
					k.refuse("give it to one of them", "certificate %s belongs to client %s and to client %s", name, other.Name, c.Name)
				}
			}
		}
	}
}
