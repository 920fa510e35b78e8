// Package firstfactor is the part of a configuration that says who checks
// passwords: RADIUS servers and directories. shim.yaml and engine.yaml both have
// it, and the same keys mean the same in both.
//
//	primaries:
//	  old: {type: radius, servers: [{address: "10.0.0.5:1812", secret: file:old.secret}]}
//	  corp: {type: ldap, urls: ["ldaps://dc1.corp.example"], base_dn: "dc=corp,dc=example"}
//	usernames: {domains: {CORP: corp.example}}
//
// Nobody is asked here: [Config.Check] reads the secrets and certificates that are
// named, and says what is wrong.
package firstfactor

import (
	"crypto/x509"
	"maps"
	"slices"
	"time"

	"mfabridge/internal/confcheck"
	"mfabridge/internal/ldapconn"
	"mfabridge/internal/secret"
)

// Config is who checks passwords, and what people call themselves.
type Config struct {
	Primaries map[string]*Primary // by name
	Usernames *Usernames
}

// Words of the configuration.
const (
	TypeRADIUS = "radius" // type
	TypeLDAP   = "ldap"   // type

	Require = "require" // message_authenticator
	Observe = "observe" // message_authenticator

	ByStatusServer = "status_server" // status_check
	NoStatusCheck  = "none"          // status_check

	None   = "none"   // in place of a name: who asks has checked the password
	Native = "engine" // in place of a name: the engine checks the password
)

// Primary is one who checks passwords.
type Primary struct {
	// Type: radius or ldap. The keys below belong to one of them.
	Type string `yaml:"type"`

	// Servers of type radius, in the order in which they are asked.
	Servers []Server `yaml:"servers"`

	// NamesTunnelUser says of type radius that the servers put the name of who
	// has proven it inside an EAP tunnel, or by a certificate, into User-Name
	// of Access-Accept. Without it such methods are refused: many servers put
	// the name from outside the tunnel there, which nobody has proven.
	NamesTunnelUser bool `yaml:"names_tunnel_user"`

	// URLs of type ldap, in the order in which they are asked:
	// ldaps://HOST[:636], or ldap://HOST[:389], which is asked for StartTLS.
	URLs []string `yaml:"urls"`

	// BindDN and BindPassword are who searches: a distinguished name, in Active
	// Directory a user principal name as well, and file:PATH or env:NAME. Both
	// left out: anonymous searches.
	BindDN       string `yaml:"bind_dn"`
	BindPassword string `yaml:"bind_password"`

	// BaseDN is the entry below which people stand.
	BaseDN string `yaml:"base_dn"`

	// CA is a file with the certificates of the authorities that a server's
	// certificate may come from. Default: those of the system.
	CA string `yaml:"ca"`

	// Filter says who may log in. Default: users that are no computers.
	Filter string `yaml:"filter"`

	// Attributes that names and identities stand in. Default: sAMAccountName,
	// userPrincipalName, objectSid.
	AccountAttribute string `yaml:"account_attribute"`
	UPNAttribute     string `yaml:"upn_attribute"`
	SIDAttribute     string `yaml:"sid_attribute"`

	// GroupBase, GroupClass and MemberAttribute say how groups stand there, for
	// reply rules. Default: BaseDN, group, member.
	GroupBase       string `yaml:"group_base"`
	GroupClass      string `yaml:"group_class"`
	MemberAttribute string `yaml:"member_attribute"`

	// MaxBindFailures is COUNT/DURATION: how many wrong passwords of one entry
	// within that time are tried on the directory. It has to stay below the
	// directory's own lockout. Default: 3/15m.
	MaxBindFailures string `yaml:"max_bind_failures"`

	// Timeout is for connecting, and for each answer. Default: 3s.
	Timeout string `yaml:"timeout"`

	// Password, Authorities, Failures, Window and Patience are what the keys
	// above say, loaded and parsed.
	Password    secret.Bytes   `yaml:"-" says:"bind_password"`
	Authorities *x509.CertPool `yaml:"-"`
	Certificate confcheck.PEM  `yaml:"-" says:"ca"`
	Failures    int            `yaml:"-"`
	Window      time.Duration  `yaml:"-"`
	Patience    time.Duration  `yaml:"-"`

	// WantGroups is set if a client's reply depends on groups.
	WantGroups bool `yaml:"-"`
}

// Usernames says what the names are that people type.
type Usernames struct {
	// Domains are the organisation's own, by the name before the backslash:
	// {CORP: corp.example}. With a primary of type ldap a name DOMAIN\user is
	// somebody's only if its domain stands here, and only of an entry there.
	Domains map[string]string `yaml:"domains"`

	// Parsed is Domains, understood.
	Parsed map[string]ldapconn.Domain `yaml:"-"`
}

// Check completes the configuration as Load of its file does: secrets and
// certificates are read, and bounds and domains parsed.
func (c Config) Check(k *confcheck.Check) {
	f := check{k}
	for _, name := range slices.Sorted(maps.Keys(c.Primaries)) {
		f.primary(c.Primaries[name], name)
	}
	f.usernames(c.Usernames)
}

// Same tells whether a primary means the same in both configurations, so that
// what it remembers (who is away, who mistyped a password) may stay.
func Same(before, after Config, name string) bool {
	a, b := before.Primaries[name], after.Primaries[name]
	if a == nil || b == nil || a.WantGroups != b.WantGroups {
		return false
	}
	return maps.Equal(confcheck.Flat(a), confcheck.Flat(b)) && maps.Equal(confcheck.Flat(before.Usernames), confcheck.Flat(after.Usernames))
}

// check goes over primaries.
type check struct{ *confcheck.Check }

func (k check) primary(p *Primary, name string) {
	at := "primaries." + name
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
