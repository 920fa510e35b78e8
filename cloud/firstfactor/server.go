package firstfactor

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"strings"

	"mfabridge/internal/confcheck"
	"mfabridge/internal/secret"
)

// minSecret is the shortest shared secret that needs no warning, in octets
// (RFC 2865 section 3 prefers at least 16; under 12 is guessed in hours).
const minSecret = 12

// Server is a RADIUS server that is asked for a first factor.
type Server struct {
	// Address is host:port.
	Address string `yaml:"address"`

	// Accounting is host:port for accounting that is relayed. Left out: none is
	// relayed to this server.
	Accounting string `yaml:"accounting"`

	// Secret is the secret shared with it, file:PATH or env:NAME. With TLS there
	// is none.
	Secret string `yaml:"secret"`

	// MessageAuthenticator: require (default), an answer without it does not
	// count; observe takes it, and counts how many there are. With TLS observe
	// is the default: the connection protects its answers.
	MessageAuthenticator string `yaml:"message_authenticator"`

	// StatusCheck: status_server (default), the server answers Status-Server, by
	// which it is found to be there; none, it does not, as NPS does not. Then it
	// counts as there until it lets a login go unanswered, and half a minute
	// after that one login tries it again. For engine.radius none is the default.
	StatusCheck string `yaml:"status_check"`

	// TLS has the server asked over TLS (RFC 6614), usually at port 2083, for
	// accounting too. Left out: UDP.
	TLS *ServerTLS `yaml:"tls"`

	// SharedSecret is Secret, loaded.
	SharedSecret secret.Bytes `yaml:"-" says:"secret"`
}

// ServerTLS says how a RADIUS server is asked over TLS, 1.2 or later.
type ServerTLS struct {
	// CA, Cert and Key are PEM files: the authorities that the server's
	// certificate comes from, and our certificate with its chain, and its key.
	CA   string `yaml:"ca"`
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`

	// Name is the DNS name, or the IP address, that the server's certificate
	// has to have among its alternative names. Default: that of the address.
	Name string `yaml:"name"`

	// Authorities and Certificate are what the keys above say, loaded; Chain and
	// Roots are what the files hold.
	Authorities *x509.CertPool  `yaml:"-"`
	Certificate tls.Certificate `yaml:"-"`
	Chain       confcheck.PEM   `yaml:"-" says:"cert"`
	Roots       confcheck.PEM   `yaml:"-" says:"ca"`
}

// homes checks a primary of type radius.
func (k check) homes(p *Primary, at string) {
	if len(p.URLs) > 0 || p.BindDN+p.BindPassword+p.BaseDN+p.CA+p.Filter+p.AccountAttribute+p.UPNAttribute+p.SIDAttribute+p.GroupBase+p.GroupClass+p.MemberAttribute+p.MaxBindFailures+p.Timeout != "" {
		k.Refuse("leave type and servers alone there", "%s has keys of type ldap", at)
	}
	CheckServers(k.Check, p.Servers, at)
}

// CheckServers checks and completes RADIUS servers that are asked in their order;
// at is the place of the key servers.
func CheckServers(of *confcheck.Check, servers []Server, at string) {
	k := check{of}
	if len(servers) == 0 {
		k.Refuse(`write servers: [{address: "10.0.0.5:1812", secret: file:old.secret}]`, "%s has no servers", at)
	}
	seen := make(map[string]bool)
	for i := range servers {
		s := &servers[i]
		here := fmt.Sprintf("%s.servers[%d]", at, i)
		host, ok := hostOf(s.Address)
		switch {
		case !ok:
			k.Refuse(`write an address and a port: "10.0.0.5:1812"`, "%s: %q is not an address with a port", here, s.Address)
		case seen[s.Address]:
			k.Refuse("remove one of them", "%s: %s stands there twice", here, s.Address)
		}
		seen[s.Address] = true
		if _, ok := hostOf(s.Accounting); s.Accounting != "" && !ok {
			k.Refuse(`write an address and a port: "10.0.0.5:1813"`, "%s: accounting: %q is not an address with a port", here, s.Accounting)
		}
		k.Word(here, "status_check", &s.StatusCheck, []string{ByStatusServer, NoStatusCheck})
		if s.TLS != nil {
			k.serverTLS(s, host, here)
			continue
		}
		s.SharedSecret = SharedSecret(of, s.Secret, here)
		k.Word(here, "message_authenticator", &s.MessageAuthenticator, []string{Require, Observe})
		if s.MessageAuthenticator == Observe {
			k.Warn("%s: answers without Message-Authenticator count; whoever can write packets to this host can forge them", here)
		}
	}
}

// hostOf is the host of an address with a port, which is a number; false: it is
// none. An empty host would be this one.
func hostOf(address string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	number, bad := strconv.ParseUint(port, 10, 16)
	return host, err == nil && host != "" && bad == nil && number > 0
}

// serverTLS checks how a RADIUS server is asked over TLS.
func (k check) serverTLS(s *Server, host, at string) {
	if s.Secret != "" {
		k.Refuse("remove secret; over TLS it is the same word everywhere (RFC 6614)", "%s: secret says nothing with tls", at)
	}
	k.Word(at, "message_authenticator", &s.MessageAuthenticator, []string{Observe, Require})
	if s.StatusCheck == NoStatusCheck {
		k.Refuse("remove status_check", "%s: status_check: none: over TLS every server answers Status-Server (RFC 6614 section 2.6)", at)
	}
	at += ".tls"
	t := s.TLS
	if t.CA == "" || t.Cert == "" || t.Key == "" {
		k.Refuse("write tls: {ca: ca.pem, cert: shim.pem, key: shim.key}: both sides prove who they are", "%s needs ca, cert and key", at)
		return
	}
	if t.Name = cmp.Or(t.Name, host); strings.ContainsAny(t.Name, "*/ :") && net.ParseIP(t.Name) == nil {
		k.Refuse("write the DNS name in the server's certificate", "%s.name: %q is no name of a certificate", at, t.Name)
	}
	t.Certificate, t.Chain = k.Pair(t.Cert, t.Key, at)
	t.Authorities, t.Roots = k.Authorities(t.CA, at, "name a PEM file with the authority of the server's certificate")
}

// Client says how to be a client of the server: TLS 1.2 or later, and nobody
// but who has the name.
func (t *ServerTLS) Client() *tls.Config {
	if t == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: t.Authorities, Certificates: []tls.Certificate{t.Certificate}, ServerName: t.Name}
}

// SharedSecret loads the secret shared with a RADIUS client or server that a
// reference file:PATH or env:NAME names. If it cannot, that is a problem, and the
// secret is zero; one that is short is a warning.
func SharedSecret(k *confcheck.Check, ref, at string) secret.Bytes {
	if ref == "" {
		k.Refuse("write secret: file:PATH or env:NAME", "%s has no secret", at)
		return secret.Bytes{}
	}
	key := k.Secret(ref, at+": secret", "write the shared secret on one line of that file, readable by you alone")
	if !key.IsZero() && key.Len() < minSecret {
		k.Warn("%s: the shared secret has %d octets; use at least %d", at, key.Len(), minSecret)
	}
	k.Spaces(key, at+": the shared secret")
	return key
}
