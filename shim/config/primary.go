package config

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
)

// primaries checks the first-factor checks and loads their secrets.
func (k *check) primaries() {
	for _, name := range slices.Sorted(maps.Keys(k.Primaries)) {
		at := "primaries." + name
		p := k.Primaries[name]
		switch {
		case name == None || name == Native:
			k.Refuse("choose another name", "%s: the word %s has a meaning of its own", at, name)
		case p == nil || p.Type == "":
			k.Refuse("write type: ldap or type: radius", "%s has no type", at)
		case p.Type == TypeRADIUS:
			k.homes(p, at)
		case p.Type == TypeLDAP:
			k.directory(p, at)
		default:
			k.Refuse("write type: ldap or type: radius", "%s: %q is not a type that is known here", at, p.Type)
		}
	}
}

// homes checks a primary of type radius.
func (k *check) homes(p *Primary, at string) {
	if len(p.URLs) > 0 || p.BindDN+p.BindPassword+p.BaseDN+p.CA+p.Filter+p.AccountAttribute+p.UPNAttribute+p.SIDAttribute+p.GroupBase+p.GroupClass+p.MemberAttribute+p.MaxBindFailures+p.Timeout != "" {
		k.Refuse("leave type and servers alone there", "%s has keys of type ldap", at)
	}
	if len(p.Servers) == 0 {
		k.Refuse(`write servers: [{address: "10.0.0.5:1812", secret: file:old.secret}]`, "%s has no servers", at)
	}
	seen := make(map[string]bool)
	for i := range p.Servers {
		s := &p.Servers[i]
		here := fmt.Sprintf("%s.servers[%d]", at, i)
		host, port, err := net.SplitHostPort(s.Address)
		number, bad := strconv.ParseUint(port, 10, 16)
		switch {
		case err != nil || host == "" || bad != nil || number == 0:
			k.Refuse(`write an address and a port: "10.0.0.5:1812"`, "%s: %q is not an address with a port", here, s.Address)
		case seen[s.Address]:
			k.Refuse("remove one of them", "%s: %s stands there twice", here, s.Address)
		}
		seen[s.Address] = true
		if _, port, err := net.SplitHostPort(s.Accounting); s.Accounting != "" && (err != nil || port == "") {
			k.Refuse(`write an address and a port: "10.0.0.5:1813"`, "%s: accounting: %q is not an address with a port", here, s.Accounting)
		}
		k.Word(here, "status_check", &s.StatusCheck, []string{ByStatusServer, NoStatusCheck})
		if s.TLS != nil {
			k.serverTLS(s, host, here)
			continue
		}
		s.SharedSecret = k.secret(s.Secret, here)
		k.Word(here, "message_authenticator", &s.MessageAuthenticator, []string{Require, Observe})
		if s.MessageAuthenticator == Observe {
			k.Warn("%s: answers without Message-Authenticator count; whoever can write packets to this host can forge them", here)
		}
	}
}
