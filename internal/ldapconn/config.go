package ldapconn

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
)

// Limits, where Config does not say.
const (
	defaultTimeout = 10 * time.Second
	defaultPage    = 500    // below the 1000 that Active Directory allows
	defaultEntries = 10_000 // of one answer
	maxAnswer      = 64 << 20
	maxIdle        = 4 // connections that are kept
)

// Config says which directory is asked and how.
type Config struct {
	// Servers are ldaps://HOST[:636] or ldap://HOST[:389] (then StartTLS), tried
	// in their order.
	Servers []string
	// CA are the authorities that a server's certificate may come from; nil:
	// those of the system.
	CA *x509.CertPool
	// Plain leaves TLS out for ldap:// servers, which must be on loopback.
	Plain bool

	// BindDN and Password are who searches. Active Directory takes a user
	// principal name for BindDN as well. Both empty: anonymous searches.
	BindDN   string
	Password secret.Bytes

	// Accounts keep the account of BindDN from being locked; nil: a refused bind
	// is tried again with each search. Refused is told the first refusal in a row,
	// and until when the account is left alone.
	Accounts *Accounts
	Refused  func(err error, until time.Time)
	Now      func() time.Time // of Accounts; nil: time.Now

	Timeout time.Duration // of connecting, and of each answer; 0: ten seconds
	Page    int           // entries in one page of an answer; 0: 500
	Entries int           // most entries in one answer; 0: 10,000
}

// server is a Config.Servers entry that has been understood.
type server struct {
	address string
	host    string
	tls     bool // from the first byte
	plain   bool // never
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Page == 0 {
		c.Page = defaultPage
	}
	if c.Entries == 0 {
		c.Entries = defaultEntries
	}
	if c.Refused == nil {
		c.Refused = func(error, time.Time) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) servers() ([]server, error) {
	if len(c.Servers) == 0 {
		return nil, hint.New("no LDAP server is named", "e.g. ldaps://dc1.corp.example")
	}
	if (c.BindDN == "") != c.Password.IsZero() {
		return nil, hint.New("the LDAP bind needs both a name and a password", "leave both out for an anonymous search")
	}
	out := make([]server, 0, len(c.Servers))
	for _, given := range c.Servers {
		s, err := parseServer(given, c.Plain)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func parseServer(given string, plain bool) (server, error) {
	u, err := url.Parse(given)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return server{}, hint.New("an LDAP server is not written as ldaps://HOST or ldap://HOST", "name host and port only, e.g. ldaps://dc1.corp.example")
	}
	s := server{host: u.Hostname(), tls: u.Scheme == "ldaps"}
	port := u.Port()
	switch {
	case u.Scheme == "ldaps" && port == "":
		port = "636"
	case u.Scheme == "ldap" && port == "":
		port = "389"
	case u.Scheme != "ldaps" && u.Scheme != "ldap":
		return server{}, hint.New(fmt.Sprintf("%q is no LDAP server", given), "use ldaps://HOST, or ldap://HOST, which is asked for StartTLS")
	}
	s.address = net.JoinHostPort(s.host, port)
	if plain && !s.tls {
		if ip := net.ParseIP(s.host); ip == nil || !ip.IsLoopback() {
			return server{}, hint.New(fmt.Sprintf("%s would be asked without TLS", given), "that is for addresses on loopback only; leave the option out, and StartTLS is used")
		}
		s.plain = true
	}
	return s, nil
}

func (c Config) tlsFor(s server) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.host, RootCAs: c.CA}
}

// ReadCA makes a pool of the certificates in a PEM text; one without any is
// refused.
func ReadCA(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, hint.New("the file holds no certificate", "it begins with -----BEGIN CERTIFICATE-----")
	}
	return pool, nil
}

// CheckFilter says what is wrong with a filter (RFC 4515), or returns nil.
func CheckFilter(filter string) error {
	if _, err := ldap.CompileFilter(filter); err != nil {
		return hint.New(fmt.Sprintf("%q is no LDAP filter", filter), "e.g. (objectClass=user)")
	}
	return nil
}

// CheckAttribute refuses what is no attribute description (RFC 4512, 2.5),
// since it would become part of a filter.
func CheckAttribute(name string) error {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.'
	}) {
		return hint.New(fmt.Sprintf("%q is no name of an attribute", name), "e.g. sAMAccountName")
	}
	return nil
}
